/**
 * Slow start: the share of a backend that has come back grows with time, so that its cold caches and connection pools
 * do not get the full load at once. The rest goes to other backends. Sticky clients keep their backend, and a backend
 * that is alone gets everything.
 *
 * Cost: one compare for a pick while no backend warms up; otherwise a random number for each pick of one that does.
 */
import type { Clock } from "../core/clock.ts"
import type { Random } from "./random.ts"

/** Even at first some requests come, or nothing would warm up. */
const LEAST_SHARE = 0.1

export class SlowStart {
  readonly #clock: Clock
  readonly #random: Random
  #duration = 0
  /** When each warming backend came back, by index. */
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

  /** Whether any backend is warming up. */
  get active(): boolean {
    return this.#began.size > 0
  }

  isWarm(index: number): boolean {
    return !this.#began.has(index)
  }

  /** Whether this request goes to another backend instead. */
  passesOver(index: number): boolean {
    const began = this.#began.get(index)
    if (began === undefined) return false
    const share = (this.#clock.now() - began) / this.#duration
    if (share >= 1) this.#began.delete(index)
    return this.#random() >= Math.max(share, LEAST_SHARE)
  }
}
