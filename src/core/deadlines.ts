/**
 * Deadlines of all connections of a worker. A deadline is a number in the connection; one sweep, ten times a
 * second, looks at all of them (10,000 in about 10 us). No timer is made, moved or cleared per request.
 *
 * Accuracy: a deadline is acted on up to one sweep late, never early.
 */
export interface Deadlined {
  /** Milliseconds of the worker's clock; `Infinity` while another party's deadline stands for this one. */
  deadlineAt: number
  /** Where the owner stands in the list; -1 when it does not. Kept by `Deadlines`. */
  deadlineSlot: number
  expired(now: number): void
}

/** Milliseconds between sweeps. */
export const SWEEP_MS = 100

export class Deadlines {
  readonly #entries: Deadlined[] = []

  get size(): number {
    return this.#entries.length
  }

  add(entry: Deadlined): void {
    if (entry.deadlineSlot >= 0) return
    entry.deadlineSlot = this.#entries.length
    this.#entries.push(entry)
  }

  remove(entry: Deadlined): void {
    const slot = entry.deadlineSlot
    if (slot < 0) return
    entry.deadlineSlot = -1
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return
    this.#entries[slot] = last
    last.deadlineSlot = slot
  }

  /** Calls `expired` of everyone whose time has come. Backwards, because they leave the list meanwhile. */
  sweep(now: number): void {
    for (let slot = this.#entries.length - 1; slot >= 0; slot--) {
      const entry = this.#entries[slot]
      if (entry !== undefined && entry.deadlineAt <= now) entry.expired(now)
    }
  }
}
