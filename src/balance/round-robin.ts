/**
 * Round-robin: every eligible backend is picked once before any is picked again, in configured
 * order, whatever its weight. 3 backends and 9 picks are exactly 3/3/3. It begins at a random
 * backend: were it always the first, several workers with few requests each would all send them to
 * the same backends.
 *
 * Cost: a pick is one array read and one compare; an update is linear in the number of backends.
 */
import { type Random, positionBy } from "./random.ts"
import type { Candidate, Strategy } from "./strategy.ts"

export class RoundRobin implements Strategy {
  #eligible: readonly Candidate[] = []
  #next = 0
  readonly #random: Random

  /** `random` chooses where the rotation begins: 0, the default, is the first backend. */
  constructor(random: Random = () => 0) {
    this.#random = random
  }

  /**
   * Goes on with the backend whose turn it was, or with the one after it when it has left: were the
   * rotation begun anew, a backend that flaps would make the first of the list serve more than its
   * share.
   */
  update(eligible: readonly Candidate[]): void {
    const before = this.#eligible
    this.#eligible = eligible
    const due = before[this.#next]
    if (due === undefined) {
      this.#next = positionBy(this.#random, eligible.length)
      return
    }
    const next = eligible.findIndex((candidate) => candidate.index >= due.index)
    this.#next = next === -1 ? 0 : next
  }

  pick(): Candidate | null {
    const eligible = this.#eligible
    if (eligible.length === 0) return null
    const candidate = eligible[this.#next]
    this.#next = this.#next + 1 === eligible.length ? 0 : this.#next + 1
    return candidate ?? null
  }
}
