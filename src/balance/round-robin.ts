/**
 * Round-robin: every eligible backend is picked once before any is picked again, in configured
 * order, whatever its weight. 3 backends and 9 picks are exactly 3/3/3.
 *
 * Cost: a pick is one array read and one compare; an update is linear in the number of backends.
 */
import type { Candidate, Strategy } from "./strategy.ts"

export class RoundRobin implements Strategy {
  #eligible: readonly Candidate[] = []
  #next = 0

  /**
   * Goes on with the backend whose turn it was, or with the one after it when it has left: were the
   * rotation begun anew, a backend that flaps would make the first of the list serve more than its
   * share.
   */
  update(eligible: readonly Candidate[]): void {
    const due = this.#eligible.length > 0 ? this.#eligible[this.#next].index : 0
    const next = eligible.findIndex((candidate) => candidate.index >= due)
    this.#eligible = eligible
    this.#next = next === -1 ? 0 : next
  }

  pick(): Candidate | null {
    const eligible = this.#eligible
    if (eligible.length === 0) return null
    const candidate = eligible[this.#next]
    this.#next = this.#next + 1 === eligible.length ? 0 : this.#next + 1
    return candidate
  }
}
