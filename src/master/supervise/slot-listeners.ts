/** The listening descriptors of one slot, on which its workers accept, one after the other. */
import type { Listening } from "./listening.ts"
import type { GivenListener } from "./protocol.ts"

export interface SlotListener {
  readonly listening: Listening
  readonly fd: number
  /** Nobody is accepted before `accept`. */
  waits: boolean
  /** Its clients are being let go: the next worker does not get it. */
  leaves: boolean
}

export class SlotListeners {
  #all: readonly SlotListener[] = []
  /** With what the present worker was started. */
  #started: readonly SlotListener[] = []
  /** While another process may accept at the same descriptors, their queues are not touched. */
  shared = false

  /** Owns the descriptor from now on. */
  add(listening: Listening, fd: number, waits: boolean): SlotListener {
    listening.group.hold(fd)
    const listener = { listening, fd, waits, leaves: false }
    this.#all = [...this.#all, listener]
    return listener
  }

  get(listening: Listening): SlotListener | null {
    return this.#all.find((each) => each.listening === listening) ?? null
  }

  fdOf(listening: Listening): number {
    return this.get(listening)?.fd ?? -1
  }

  get #staying(): readonly SlotListener[] {
    return this.#all.filter(({ leaves }) => !leaves)
  }

  /** For a worker that is started now. */
  start(): number[] {
    this.open()
    this.#started = this.#staying
    return this.#started.map(({ fd }) => fd)
  }

  /** What that worker is told of them, in the same order. */
  get toldAtStart(): (GivenListener | null)[] {
    const staying = this.#staying
    return this.#started.map((each) => (staying.includes(each) ? givenOf(each) : null))
  }

  /** Those that have come since it was started. */
  get sinceStart(): readonly SlotListener[] {
    return this.#staying.filter((each) => !this.#started.includes(each))
  }

  /** Connections queue up at those that do not wait. */
  open(): void {
    for (const { listening, fd, waits } of this.#staying) if (!waits) listening.group.open(fd)
  }

  /** The waiting is over. */
  accept(): void {
    for (const listener of this.#staying) listener.waits = false
    this.open()
  }

  /** For a pause that clients would feel, others take over this slot's share of the connections. */
  close(): void {
    if (this.shared) return
    for (const { listening, fd } of this.#staying) listening.group.close(fd)
  }

  /** Closes the descriptor of one of them, or of all. `succeeded`: another process goes on with these. */
  release(id: number | null = null, succeeded: readonly number[] = []): void {
    for (const { listening, fd } of this.#all) {
      if (id !== null && listening.id !== id) continue
      listening.group.release(fd, succeeded.includes(listening.id))
    }
    this.#all = id === null ? [] : this.#all.filter(({ listening }) => listening.id !== id)
  }

  /** Closes those that another process goes on with. */
  releaseSucceeded(succeeded: readonly number[]): void {
    for (const id of succeeded) this.release(id, succeeded)
  }
}

export function givenOf({ listening, waits }: SlotListener): GivenListener {
  const { id, settings, queue } = listening
  return { id, settings, queue, waits }
}
