/**
 * Which listeners stay, come and go when other settings are to be in force. What comes is bound at once, so that an
 * address in use is found out before anything has changed.
 */
import { DEFAULT_NAME } from "../../config/schema/pools.ts"
import type { ListenerSettings, Settings } from "../../config/schema/settings.ts"
import { takeHanded } from "../../net/handed-listeners.ts"
import { closeListeners } from "../../net/listeners.ts"
import { BunlbError } from "../../core/errors.ts"
import { openListener, type OpenListener } from "../../net/open-listener.ts"
import { Listening } from "./listening.ts"

/** A listener and its descriptors, one for each worker. */
export interface Opened {
  readonly listening: Listening
  readonly fds: readonly number[]
}

export interface ListenerPlan {
  /** In the order of the settings. */
  readonly next: readonly Listening[]
  readonly kept: readonly Listening[]
  readonly fresh: readonly Opened[]
  readonly gone: readonly Listening[]
}

/** The reason why an address cannot be bound says which listener it is of. */
function openNamed(settings: ListenerSettings, count: number, isOurs: boolean): OpenListener {
  try {
    return openListener(settings, count, isOurs)
  } catch (error) {
    const { name } = settings
    if (!(error instanceof BunlbError) || name === DEFAULT_NAME) throw error
    // Flags are for the default one alone.
    const message = error.message.replaceAll(/ with --(port|host)/g, "")
    throw new BunlbError(error.code, `listener ${name}: ${message}`)
  }
}

let made = 0

function listeningOf(settings: ListenerSettings, opened: OpenListener): Opened {
  return { listening: new Listening(made++, settings, opened), fds: opened.fds }
}

/** Throws `BunlbError`, with nothing left of it, when an address cannot be bound. */
export function planListeners(
  present: readonly Listening[],
  wanted: readonly ListenerSettings[],
  count: number,
): ListenerPlan {
  const fresh: Opened[] = []
  const next = wanted.map((settings) => {
    const same = present.find((listening) => listening.is(settings))
    if (same !== undefined) return same
    const isOurs = present.some((listening) => listening.has(settings))
    try {
      const opened = listeningOf(settings, openNamed(settings, count, isOurs))
      fresh.push(opened)
      return opened.listening
    } catch (error) {
      closeAll(fresh)
      throw error
    }
  })
  return {
    ...{ next, fresh },
    kept: present.filter((listening) => next.includes(listening)),
    gone: present.filter((listening) => !next.includes(listening)),
  }
}

/** Where listening sockets come from when another process has left some. */
export interface InheritedListeners {
  /** For each of the listeners; null for one that the other process did not have. */
  listen(settings: Settings, count: number): (OpenListener | null)[]
  /** The other process has this port or this path. */
  has(settings: ListenerSettings): boolean
}

/** Sockets of the predecessor, of the service manager, or of our own. */
export function listenFor(settings: Settings, predecessor: InheritedListeners | null): Opened[] {
  const count = workersOf(settings)
  const { listeners } = settings
  const given = predecessor?.listen(settings, count) ?? takeHanded(listeners, count)
  const opened: Opened[] = []
  try {
    listeners.forEach((each, i) => {
      const isOurs = predecessor?.has(each) ?? false
      opened.push(listeningOf(each, given[i] ?? openNamed(each, count, isOurs)))
    })
  } catch (error) {
    closeAll(opened)
    for (const rest of given.slice(opened.length)) closeListeners(rest?.fds ?? [])
    throw error
  }
  for (const { listening } of opened) listening.publish()
  return opened
}

export function closeAll(opened: readonly Opened[]): void {
  for (const { listening, fds } of opened) {
    closeListeners(fds)
    listening.leave()
  }
}

export function workersOf({ mode, workers }: Pick<Settings, "mode" | "workers">): number {
  return mode === "sp" ? 1 : workers
}
