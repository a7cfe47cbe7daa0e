/**
 * The places of the workers, and where they listen. Other settings may ask for another port, for more or fewer workers:
 * what that needs is got ready beside what runs, and only when all of it stands does it take over. Who is no longer
 * needed drains like a bunlb that ends, in its own time.
 */
import type { Settings } from "../../config/schema/settings.ts"
import { libc } from "../../net/linux/libc.ts"
import { closeListeners } from "../../net/listeners.ts"
import { BunlbError } from "../../core/errors.ts"
import type { KnownUnhealthy, WorkerReport } from "../../observe/snapshot.ts"
import { closeAll, planListeners, workersOf } from "./listener-plan.ts"
import type { ListenerPlan, Opened } from "./listener-plan.ts"
import type { Listening } from "./listening.ts"
import type { SlotOptions } from "./slot-options.ts"
import { Slot } from "./slot.ts"

type Parts = Pick<SlotOptions, "limits" | "clock" | "openLink" | "events">

/** What slots that are made together have in common. */
type Common = Pick<SlotOptions, "settings" | "waits" | "ailing">

interface Leaver {
  readonly slot: Slot
  /** Listeners at whose descriptors of this slot others accept. */
  readonly succeeded: readonly number[]
}

/** Who does what when other settings are in force. */
interface Cast {
  readonly settings: Settings
  readonly plan: ListenerPlan
  /** They go on, with other listeners if that is asked for. */
  readonly staying: readonly Slot[]
  readonly fresh: readonly Slot[]
  readonly leavers: readonly Leaver[]
}

/** Elsewhere a running worker cannot be given one more descriptor. */
const CAN_GIVE = process.platform === "linux"

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
  readonly #parts: Parts
  /** Those that count, in the order of the settings. */
  #listeners: readonly Listening[]
  /** By index. */
  #slots: readonly Slot[]
  /** Getting ready, or draining. */
  readonly #others = new Set<Slot>()
  /** By which they were made. */
  #settings: Settings
  #made = 0

  /** `waits`: they accept nobody before `accept`. */
  constructor(
    parts: Parts,
    opened: readonly Opened[],
    settings: Settings,
    waits: boolean,
    ailing: readonly KnownUnhealthy[],
  ) {
    this.#parts = parts
    this.#settings = settings
    this.#listeners = opened.map(({ listening }) => listening)
    const count = workersOf(settings)
    this.#slots = this.#make(0, count, opened, { settings, waits, ailing })
  }

  /** Those that count, in the order of the settings. */
  get listeners(): readonly Listening[] {
    return this.#listeners
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
    for (const { heldSockets } of this.#listeners)
      if (count < heldSockets) throw tooFew(heldSockets)
    const plan = planListeners(this.#listeners, settings.listeners, count)
    const differ = settings.pin !== before.pin || settings.sockets !== before.sockets
    const mustGive = plan.fresh.length > 0 && !CAN_GIVE && settings.mode === "mp"
    const renews = (differ && settings.mode === "mp") || mustGive
    const staying = renews ? [] : old.slice(0, count)
    const goesOn = plan.kept.map(({ id }) => id)
    try {
      const fresh = this.#make(staying.length, count, this.#openFor(plan, renews, count), {
        ...{ settings, waits: true, ailing },
      })
      const leavers = old.slice(staying.length).map((slot) => ({
        ...{ slot, succeeded: slot.index < count ? goesOn : [] },
      }))
      return this.#move({ settings, plan, staying, fresh, leavers })
    } catch (error) {
      closeAll(plan.fresh)
      throw error
    }
  }

  /** Descriptors of all listeners for the workers that are started, by index; of those that stay, nothing. */
  #openFor({ kept, fresh }: ListenerPlan, renews: boolean, count: number): Opened[] {
    const from = this.#slots.length
    const shared = renews ? this.#slots.slice(0, count) : []
    const more = Math.max(0, count - from)
    const opened = kept.map((listening) => {
      const old = renews
        ? shared.map((slot) => libc().dup(slot.fdOf(listening)))
        : this.#slots.slice(0, count).map(() => -1)
      return { listening, fds: [...old, ...listening.more(more, from)] }
    })
    return [...opened, ...fresh]
  }

  #move({ settings, plan, staying, fresh, leavers }: Cast): Move {
    let begun = false
    const cancel = async (): Promise<void> => {
      if (!begun) for (const { fds } of plan.fresh) closeListeners(fds.slice(0, staying.length))
      const given = plan.fresh.flatMap(({ listening }) =>
        staying.map((slot) => slot.leave(listening, 0)),
      )
      await Promise.all([...given, ...fresh.map((slot) => slot.stop())])
      for (const { listening } of plan.fresh) listening.leave()
      for (const slot of fresh) this.#others.delete(slot)
    }
    return {
      cancel,
      start: async () => {
        begun = true
        for (const slot of fresh) this.#others.add(slot)
        try {
          await Promise.all([...fresh.map((slot) => slot.start()), this.#give(staying, plan)])
        } catch (error) {
          await cancel()
          throw error
        }
      },
      take: () => {
        for (const { slot } of leavers) this.#others.add(slot)
        this.#settings = settings
        plan.next.forEach((listening, i) => {
          listening.configure(settings.listeners[i] ?? listening.settings)
        })
        this.#listeners = plan.next
        this.#slots = [...staying, ...fresh]
        for (const slot of fresh) this.#others.delete(slot)
      },
      finish: async () => {
        for (const { listening } of plan.fresh) listening.publish()
        for (const slot of this.#slots) slot.accept()
        const limitMs = settings.timeouts.drain
        for (const listening of plan.gone) listening.leave()
        for (const listening of plan.kept) leaveQueues(listening, leavers)
        const cuts = leavers.map((leaver) => this.#dismiss(leaver, limitMs))
        const left = plan.gone.flatMap((gone) => staying.map((slot) => slot.leave(gone, limitMs)))
        return (await Promise.all([...cuts, ...left])).reduce((sum, cut) => sum + cut, 0)
      },
    }
  }

  /** Workers that go on get what they need for the listeners that come. */
  async #give(staying: readonly Slot[], { fresh }: ListenerPlan): Promise<void> {
    const answers = fresh.flatMap(({ listening, fds }) =>
      staying.map(async (slot) => {
        const fault = await slot.listen(listening, fds[slot.index] ?? -1)
        if (fault === null) return
        const { name } = listening.settings
        const message = `worker ${slot.index} cannot take the listener ${name}: ${fault}`
        throw new BunlbError("BUNLB_E_RUNTIME", message)
      }),
    )
    await Promise.all(answers)
  }

  async #dismiss({ slot, succeeded }: Leaver, limitMs: number): Promise<number> {
    this.#others.add(slot)
    const overdue = setTimeout(() => void slot.stop(), limitMs + this.#parts.limits.lastWordsMs)
    await slot.drain(limitMs, succeeded)
    clearTimeout(overdue)
    this.#others.delete(slot)
    return slot.cut
  }

  /** Slots of the indices `from` to `to`. */
  #make(from: number, to: number, opened: readonly Opened[], common: Common): Slot[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, i) => {
      const [index, id] = [from + i, this.#made++]
      const listeners = opened.map(({ listening, fds }) => [listening, fds[index] ?? -1] as const)
      return new Slot({ index, id, listeners, ...common, ...this.#parts })
    })
  }

  /** For one that follows: the listening descriptors of a listener, by worker. */
  fdsOf(listening: Listening): number[] {
    return this.#slots.map((slot) => slot.fdOf(listening))
  }

  /** From now on new connections go to the sockets that another process has taken, so many of each listener. */
  leaveTo(taken: readonly number[]): void {
    this.#listeners.forEach((listening, i) => {
      const fds = this.#slots.slice(taken[i] ?? 0).map((slot) => slot.fdOf(listening))
      if ((taken[i] ?? 0) > 0) listening.group.leave(fds)
    })
  }

  /** The listeners at whose descriptors of a slot another process accepts, when it has taken so many of each. */
  succeeded({ index }: Slot, taken: readonly number[]): number[] {
    return this.#listeners.filter((_, i) => index < (taken[i] ?? 0)).map(({ id }) => id)
  }

  /** Nobody comes any more by a path; `taken` as in `leaveTo`. */
  leave(taken: readonly number[]): void {
    this.#listeners.forEach((listening, i) => listening.leave((taken[i] ?? 0) > 0))
  }
}

/** No new connection goes to those that leave without others at their descriptors. */
function leaveQueues(listening: Listening, leavers: readonly Leaver[]): void {
  const closing = leavers.filter(({ succeeded }) => !succeeded.includes(listening.id))
  listening.group.leave(closing.map(({ slot }) => slot.fdOf(listening)))
}

/** What they last said of themselves. */
export function reportsOf(slots: readonly Slot[]): WorkerReport[] {
  return slots.map((slot) => slot.lastReport).filter((report) => report !== null)
}

function tooFew(held: number): BunlbError {
  const message = `workers: the service manager has handed over ${held} sockets: one worker each at least`
  return new BunlbError("BUNLB_E_CONFIG", `config: ${message}`)
}
