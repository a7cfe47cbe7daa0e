/**
 * Slow start: a backend that has come back gets a share of its turns that grows with time to all of them, so that cold
 * caches and pools are not met by its full load at once. What it does not get goes to the others; sticky clients are
 * not kept from theirs, and with nobody else it gets everything.
 *
 * Cost: while nobody warms up, one compare a pick; else a random number for those who do.
 */
import type { Clock } from "../core/clock.ts"
import type { Random } from "./random.ts"

/** Even at first some requests come, or nothing would warm up. */
const LEAST_SHARE = 0.1

export class SlowStart {
  readonly #clock: Clock
  readonly #random: Random
  #duration = 0
  /** When those who warm up came back, by their index. */
  readonly #began = new Map<number, number>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** How long a backend warms up; 0 for not at all. */
  configure(durationMs: number): void {
    this.#duration = durationMs
    if (durationMs === 0) this.#began.clear()
  }

  begin(index: number): void {
    if (this.#duration > 0) this.#began.set(index, this.#clock.now())
  }

  end(index: number): void {
    this.#began.delete(index)
  }

  /** Whether anybody warms up. */
  get active(): boolean {
    return this.#began.size > 0
  }

  isWarm(index: number): boolean {
    return !this.#began.has(index)
  }

  /** Whether the request whose turn it is goes to somebody else. */
  passesOver(index: number): boolean {
    const began = this.#began.get(index)
    if (began === undefined) return false
    const share = (this.#clock.now() - began) / this.#duration
    if (share >= 1) this.#began.delete(index)
    return this.#random() >= Math.max(share, LEAST_SHARE)
  }
}
