/**
 * The places of the workers, and where they listen. Other settings may ask for another port, for more or fewer workers:
 * what that needs is got ready beside what runs, and only when all of it stands does it take over. Who is no longer
 * needed drains like a bunlb that ends, in its own time.
 */
import type { Settings } from "../../config/schema/settings.ts"
import { heldCount, takeHanded } from "../../net/linux/activation.ts"
import { libc } from "../../net/linux/libc.ts"
import { openListeners, openMore, SHARES_ONE, type Listeners } from "../../net/listeners.ts"
import { ReuseportGroup } from "../../net/reuseport-group.ts"
import { BunlbError } from "../../core/errors.ts"
import type { KnownUnhealthy, WorkerReport } from "../../observe/snapshot.ts"
import { Slot, type SlotOptions } from "./slot.ts"

type Parts = Pick<SlotOptions, "limits" | "clock" | "openLink" | "events">

/** What slots that are made together have in common; `from`: the index of the first. */
type Common = Pick<SlotOptions, "settings" | "hold" | "ailing" | "group"> & {
  readonly from: number
}

interface ListeningPlace {
  readonly port: number
  readonly group: ReuseportGroup
}

interface Leaver {
  readonly slot: Slot
  /** Others accept at its descriptor. */
  readonly succeeded: boolean
}

/** What is got ready, and not yet in force. */
export interface Move {
  /** Resolves when new workers are ready to accept. Throws `BunlbError`, with nothing left of it, when one is not. */
  start(): Promise<void>
  /** The new workers are those that count. */
  take(): void
  /** They accept, and the others leave; resolves with what is cut of those, when they are gone. */
  finish(): Promise<number>
  /** Leaves nothing of it. */
  cancel(): Promise<void>
}

export class WorkerSet {
  port: number
  readonly #parts: Parts
  /** The sockets of all slots at the present port. */
  #group: ReuseportGroup
  /** By index. */
  #slots: readonly Slot[]
  /** Getting ready, or draining. */
  readonly #others = new Set<Slot>()
  /** By which they were made. */
  #settings: Settings
  #made = 0

  /** `hold`: they accept nobody before `accept`. */
  constructor(
    parts: Parts,
    { port, fds, listening }: Listeners,
    settings: Settings,
    hold: boolean,
    ailing: readonly KnownUnhealthy[],
  ) {
    this.#group = new ReuseportGroup(listening, heldCount() > 0 ? "held" : undefined)
    this.#parts = parts
    this.#settings = settings
    this.port = port
    this.#slots = this.#make(fds, { from: 0, settings, hold, ailing, group: this.#group })
  }

  /** Those that count, by index. */
  get slots(): readonly Slot[] {
    return this.#slots
  }

  get serving(): readonly Slot[] {
    return this.#slots.filter(({ state }) => state === "serving")
  }

  /**
   * Asks those that serve whether they live: null, or why not. Unwell when none answers at once, or when half of them
   * or more have been silent for longer than a busy one ever is.
   */
  async pulse(): Promise<string | null> {
    const { pulseMs, quietMs } = this.#parts.limits
    const { serving } = this
    const answers = serving.map(async (slot) => {
      if (!(await slot.answers(pulseMs))) throw new Error("silent")
    })
    const someone = await Promise.any(answers).then(
      () => true,
      () => serving.length === 0,
    )
    if (!someone) return "no worker answers"
    const quiet = serving.filter((slot) => slot.live && slot.silence > quietMs).length
    if (quiet * 2 < serving.length || quiet === 0) return null
    return `${quiet} of ${serving.length} worker${serving.length === 1 ? "" : "s"} hang`
  }

  /** Those that only end what they have under way. */
  get leaving(): readonly Slot[] {
    return [...this.#others].filter(({ state }) => state === "draining")
  }

  get all(): readonly Slot[] {
    return [...this.#slots, ...this.#others]
  }

  /** What `settings` need of sockets and workers. Throws `BunlbError`, with nothing changed, when a port is in use. */
  prepare(settings: Settings, ailing: readonly KnownUnhealthy[]): Move {
    const count = workersOf(settings)
    const [before, old] = [this.#settings, this.#slots]
    if (count < heldCount()) throw tooFew(heldCount())
    const moves = heldCount() === 0 && !this.#isHere(settings)
    const differ = settings.pin !== before.pin || settings.sockets !== before.sockets
    const renews = differ && settings.mode === "mp"
    const make = (fds: number[], from: number, group = this.#group) =>
      this.#make(fds, { from, settings, hold: true, ailing, group })
    if (moves) {
      const listeners = this.#listenAt(settings, count)
      const group = new ReuseportGroup(listeners.listening)
      const fresh = make(listeners.fds, 0, group)
      const leavers = old.map((slot) => ({ slot, succeeded: false }))
      return this.#move(settings, { port: listeners.port, group }, fresh, fresh, leavers)
    }
    if (renews) {
      const shared = old.slice(0, count).map((slot) => libc().dup(slot.listenFd))
      const fresh = make([...shared, ...this.#more(count - shared.length)], 0)
      const leavers = old.map((slot) => ({ slot, succeeded: slot.index < count }))
      return this.#move(settings, this.#place, fresh, fresh, leavers)
    }
    const fresh = make(this.#more(count - old.length), old.length)
    const leavers = old.slice(count).map((slot) => ({ slot, succeeded: false }))
    return this.#move(settings, this.#place, fresh, [...old.slice(0, count), ...fresh], leavers)
  }

  #move(
    settings: Settings,
    { port, group }: ListeningPlace,
    fresh: readonly Slot[],
    next: readonly Slot[],
    leavers: readonly Leaver[],
  ): Move {
    const before = this.#group
    const cancel = async (): Promise<void> => {
      await Promise.all(fresh.map((slot) => slot.stop()))
      for (const slot of fresh) this.#others.delete(slot)
    }
    return {
      cancel,
      start: async () => {
        for (const slot of fresh) this.#others.add(slot)
        try {
          await Promise.all(fresh.map((slot) => slot.start()))
        } catch (error) {
          await cancel()
          throw error
        }
      },
      take: () => {
        for (const { slot } of leavers) this.#others.add(slot)
        this.#settings = settings
        this.port = port
        this.#group = group
        this.#slots = next
        for (const slot of fresh) this.#others.delete(slot)
      },
      finish: async () => {
        for (const slot of fresh) slot.accept()
        const closing = leavers.filter(({ succeeded }) => !succeeded)
        before.leave(closing.map(({ slot }) => slot.listenFd))
        const cuts = leavers.map((leaver) => this.#dismiss(leaver, settings.timeouts.drain))
        return (await Promise.all(cuts)).reduce((sum, cut) => sum + cut, 0)
      },
    }
  }

  async #dismiss({ slot, succeeded }: Leaver, limitMs: number): Promise<number> {
    this.#others.add(slot)
    const overdue = setTimeout(() => void slot.stop(), limitMs + this.#parts.limits.lastWordsMs)
    await slot.drain(limitMs, succeeded)
    clearTimeout(overdue)
    this.#others.delete(slot)
    return slot.cut
  }

  #make(fds: readonly number[], { from, ...common }: Common): Slot[] {
    return fds.map((listenFd, i) => {
      const [index, id] = [from + i, this.#made++]
      common.group.hold(listenFd)
      return new Slot({ index, id, listenFd, ...common, ...this.#parts })
    })
  }

  get #place(): ListeningPlace {
    return { port: this.port, group: this.#group }
  }

  /** For one that follows: the places of the listening sockets in their group, or null. */
  get places(): readonly number[] | null {
    return this.#group.placesOf(this.#slots.map((slot) => slot.listenFd))
  }

  /** New connections go to the first `count` alone, from now on those of another process. */
  leaveTo(count: number): void {
    this.#group.leave(this.#slots.slice(count).map((slot) => slot.listenFd))
  }

  #isHere({ host, port }: Settings): boolean {
    return host === this.#settings.host && (port === this.#settings.port || port === this.port)
  }

  #listenAt({ host, port }: Settings, count: number): Listeners {
    return port === this.port ? openMore(host, port, count) : openListeners(host, port, count)
  }

  /** Descriptors for `count` more workers, at the same port. */
  #more(count: number): number[] {
    if (count <= 0) return []
    const from = this.#slots.length
    const shared = SHARES_ONE ? from : heldCount()
    if (shared === 0) return openMore(this.#settings.host, this.port, count).fds
    return Array.from({ length: count }, (_, i) =>
      libc().dup(this.#slots[(from + i) % shared]?.listenFd ?? -1),
    )
  }
}

/** Where listening sockets come from when another process has left some. */
interface InheritedListeners {
  listen(settings: Settings, count: number): Listeners
}

/** Sockets of the predecessor, of the service manager, or of our own. */
export function listenFor(settings: Settings, predecessor: InheritedListeners | null): Listeners {
  const count = workersOf(settings)
  if (predecessor !== null) return predecessor.listen(settings, count)
  return takeHanded(count) ?? openListeners(settings.host, settings.port, count)
}

function workersOf({ mode, workers }: Settings): number {
  return mode === "sp" ? 1 : workers
}

/** What they last said of themselves. */
export function reportsOf(slots: readonly Slot[]): WorkerReport[] {
  return slots.map((slot) => slot.lastReport).filter((report) => report !== null)
}

function tooFew(held: number): BunlbError {
  const message = `workers: the service manager has handed over ${held} sockets: one worker each at least`
  return new BunlbError("BUNLB_E_CONFIG", `config: ${message}`)
}
