/**
 * The bunlb before this one, as this one sees it in an upgrade: it leaves its sockets and a will, waits to hear that
 * all serves, and then drains. Should it vanish before that, this one goes on all the same: somebody has to serve.
 */
import { DEFAULT_NAME } from "../../config/schema/pools.ts"
import type { ListenerSettings, Settings } from "../../config/schema/settings.ts"
import { heldCount, inheritedFds, spread } from "../../net/linux/activation.ts"
import { closeListeners, openMore, SHARES_ONE } from "../../net/listeners.ts"
import type { OpenListener } from "../../net/open-listener.ts"
import { SocketFile } from "../../net/unix-listeners.ts"
import { BunlbError } from "../../core/errors.ts"
import { version } from "../../core/version.ts"
import {
  FIRST_FORMAT,
  HANDOVER_FORMAT,
  fromFirstFormat,
  type AnyHandover,
  type FirstHandover,
  type FromSuccessor,
  type HandedListener,
  type Handover,
  type SharedPlace,
  type Taken,
  type ToSuccessor,
} from "./handover.ts"

/** Its presence makes a process one that follows another. */
export const SUCCESSOR_ENV = "BUNLB_HEIR"

/** For the will to come: the other one only has to write it. */
const HANDOVER_MS = 10_000

export class Predecessor {
  readonly handover: Handover
  readonly #yours: Promise<void>
  /** It knows format 1 alone. */
  readonly #isFirst: boolean
  #taken: Taken = []

  private constructor(handover: Handover, isFirst: boolean, yours: Promise<void>) {
    this.handover = handover
    this.#isFirst = isFirst
    this.#yours = yours
  }

  /**
   * The one that has started this process, or null. `listeners`: those of the settings. Throws `BunlbError` when the
   * two do not understand each other.
   */
  static async find(listeners: readonly ListenerSettings[]): Promise<Predecessor | null> {
    if (!isSuccessor()) return null
    const will = Promise.withResolvers<AnyHandover | null>()
    const yours = Promise.withResolvers<void>()
    process.on("message", (message: ToSuccessor) => {
      if (message.type === "will") will.resolve(message.will)
      else yours.resolve()
    })
    process.on("disconnect", yours.resolve)
    say({ type: "hello", format: HANDOVER_FORMAT })
    const late = setTimeout(() => will.resolve(null), HANDOVER_MS)
    const found = await will.promise
    clearTimeout(late)
    if (found?.format === HANDOVER_FORMAT) return new Predecessor(found, false, yours.promise)
    if (found?.format === FIRST_FORMAT) {
      return new Predecessor(present(found, listeners), true, yours.promise)
    }
    const fault =
      found === null ? "does not say what it leaves" : "leaves what this one cannot read"
    throw new BunlbError("BUNLB_E_RUNTIME", `the bunlb before this one ${fault}: restart instead`)
  }

  /**
   * Listening sockets for `count` workers, for each listener of the settings: those that were handed over as far as
   * they are of use, then others; null for a listener that has not been handed over. What is not of use stays the
   * predecessor's, who drains it.
   */
  listen({ listeners }: Settings, count: number): (OpenListener | null)[] {
    const handed = this.handover.listeners
    const fds = inheritedFds(handed.reduce((sum, each) => sum + each.count, 0))
    const taken = handed.map(() => 0)
    let from = 0
    const own = handed.map(({ count: many }) => fds.slice(from, (from += many)))
    const opened = listeners.map((settings) => {
      const place = handed.findIndex((each, i) => taken[i] === 0 && isFor(each, settings))
      const each = handed[place]
      if (each === undefined) return null
      taken[place] = each.queue === "own" ? Math.min(each.count, count) : each.count
      return takeOver(each, own[place] ?? [], count)
    })
    closeListeners(fds)
    this.#taken = taken
    return opened
  }

  /** It has this port or this path, whether that was of use here or not. */
  has(settings: ListenerSettings): boolean {
    return this.handover.listeners.some(({ address, bound }) =>
      "path" in settings
        ? "path" in address && address.path === settings.path
        : settings.port !== 0 && settings.port === bound,
    )
  }

  /** The place that both may share for a while, or null when the settings ask for another. */
  adminPlace(admin: NonNullable<Settings["admin"]>): SharedPlace | null {
    const before = this.handover.admin
    if (before === null) return null
    if ("path" in admin || "path" in before) {
      const same = "path" in admin && "path" in before && admin.path === before.path
      return same ? { port: null } : null
    }
    const same = before.host === admin.host && [before.port, before.bound].includes(admin.port)
    return same ? { port: before.bound } : null
  }

  /** Says that all serves; resolves when the predecessor leaves. */
  async succeed(): Promise<void> {
    const taken = this.#isFirst ? (this.#taken[0] ?? 0) : this.#taken
    say({ type: "serves", version, taken })
    await this.#yours
    delete process.env[SUCCESSOR_ENV]
    if (process.connected) process.disconnect?.()
  }
}

/** The socket that was handed over is the one of this listener. */
function isFor({ name, address, bound, queue }: HandedListener, settings: ListenerSettings) {
  // Its address is for the service manager to say.
  if (queue === "held") return settings.name === name
  if ("path" in address) return "path" in settings && settings.path === address.path
  if ("path" in settings || settings.host !== address.host) return false
  return settings.port === address.port || settings.port === bound
}

function takeOver(handed: HandedListener, fds: readonly number[], count: number): OpenListener {
  const { address, bound: port, queue, sockets } = handed
  if (queue !== "own" || "path" in address) {
    const file = "path" in address && queue !== "held" ? new SocketFile(address.path) : null
    const shared = spread(fds.slice(0, sockets), count)
    return { port, fds: shared, listening: null, queue, sockets, file }
  }
  const inherited = spread(fds, Math.min(fds.length, count))
  const lacking = count - inherited.length
  const more = lacking > 0 ? openMore(address.host, port ?? address.port, lacking).fds : []
  const listening = inOrder(inherited, handed.places)
  return { port, fds: [...inherited, ...more], listening, queue, sockets: count, file: null }
}

/** What version 1 leaves is for the listener at that address, or for the first one. */
function present(found: FirstHandover, listeners: readonly ListenerSettings[]): Handover {
  const held = heldCount()
  const queue = held > 0 ? "held" : SHARES_ONE ? "shared" : "own"
  return fromFirstFormat(found, listeners[0]?.name ?? DEFAULT_NAME, queue, held)
}

/** By place, or null when others are before them: those are about to leave, and what moves then is not known here. */
function inOrder(fds: readonly number[], places: readonly number[] | null): number[] | null {
  const order = fds.map((_, place) => fds[places?.indexOf(place) ?? -1] ?? -1)
  return order.includes(-1) ? null : order
}

/** Lets the predecessor know why this process ends before it served; does nothing when there is none. */
export async function tellPredecessor(error: unknown): Promise<void> {
  if (!isSuccessor()) return
  const code = error instanceof BunlbError ? error.code : "BUNLB_E_RUNTIME"
  const message = error instanceof Error ? error.message : String(error)
  say({ type: "failed", code, message })
  // What is said right before the end might not leave: the other one hangs up, or is late.
  await Promise.race([new Promise((resolve) => process.on("disconnect", resolve)), Bun.sleep(500)])
}

function isSuccessor(): boolean {
  return process.env[SUCCESSOR_ENV] !== undefined && process.send !== undefined
}

function say(message: FromSuccessor): void {
  try {
    process.send?.(message)
  } catch {
    // It is gone, and `disconnect` says so.
  }
}
