/**
 * Random: every eligible backend is as likely as any other at every pick, whatever was picked
 * before. Workers and instances that know nothing of each other do not fall into step, as they can
 * with a rotation.
 *
 * Cost: one random number a pick.
 */
import type { Candidate, Strategy } from "./strategy.ts"

/** A number from 0 up to, not including, 1. */
export type Random = () => number

/** A position in a list of `length`; 0 in an empty one. */
export function positionBy(random: Random, length: number): number {
  return Math.floor(random() * length)
}

export class RandomChoice implements Strategy {
  readonly #random: Random
  #eligible: readonly Candidate[] = []

  constructor(random: Random) {
    this.#random = random
  }

  update(eligible: readonly Candidate[]): void {
    this.#eligible = eligible
  }

  pick(): Candidate | null {
    const count = this.#eligible.length
    return count === 0 ? null : (this.#eligible[positionBy(this.#random, count)] ?? null)
  }
}
