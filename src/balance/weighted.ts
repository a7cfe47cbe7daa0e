/**
 * Smooth weighted round-robin: a backend of weight w is picked w times in every cycle and is never
 * a whole pick ahead of its share, so that a heavy backend receives no burst that a light one could
 * have taken. The cycle begins at a random slot, for the reason that `RoundRobin` gives.
 *
 * Cost: a pick is two array reads. After a change of health, weight or membership the cycle is laid out anew, with one
 * comparison for each slot and each *distinct* weight: by the first pick if it is short, else by the first picks, a
 * piece each (at most some 0.1 ms, with 1,024 backends for a few dozen picks). Until it is complete these are
 * random by weight.
 * Source: nginx, "smooth weighted round-robin balancing", commit 52327e0627f4 (2012). It compares
 * all backends for each slot; those of equal weight take turns in order, so it is enough to compare
 * one of each weight.
 */
import { type Random, positionBy } from "./random.ts"
import type { Candidate, Strategy } from "./strategy.ts"

/**
 * Slots that a cycle may have before weights are made coarser, which bounds memory and the time of
 * an update. A coarse cycle can be longer by one slot for each backend, for every backend keeps at
 * least one.
 */
export const CYCLE_LIMIT = 16_384

/** Comparisons that one pick makes for the cycle. */
const PIECE = 16_384

export class WeightedRoundRobin implements Strategy {
  #eligible: readonly Candidate[] = []
  /** Null until the next pick: when many backends change at once only the last change is laid out. */
  #cycle: Cycle | null = null
  /** -1: the next cycle begins at a random slot. */
  #next = -1
  readonly #random: Random

  /** `random` chooses where the cycle begins: 0, the default, is its first slot. */
  constructor(random: Random = () => 0) {
    this.#random = random
  }

  /** Called on every change of health, weight or membership; never per request. */
  update(eligible: readonly Candidate[]): void {
    this.#eligible = eligible
    this.#cycle = null
  }

  pick(): Candidate | null {
    const cycle = this.#cycle ?? this.#begin()
    if (cycle.slots === 0) return null
    if (!cycle.complete && !cycle.layOut(PIECE)) {
      return this.#eligible[cycle.positionBy(this.#random)] ?? null
    }
    const candidate = this.#eligible[cycle.positions[this.#next] ?? 0]
    this.#next = this.#next + 1 === cycle.slots ? 0 : this.#next + 1
    return candidate ?? null
  }

  #begin(): Cycle {
    const cycle = new Cycle(reduceWeights(this.#eligible.map((candidate) => candidate.weight)))
    if (cycle.slots === 0) this.#next = -1
    else if (this.#next === -1) this.#next = positionBy(this.#random, cycle.slots)
    else this.#next %= cycle.slots
    this.#cycle = cycle
    return cycle
  }
}

/**
 * The shortest weights of the same proportions. Where those would still need more than
 * `CYCLE_LIMIT` slots they are scaled and rounded: no backend's share of the traffic is then off by
 * more than about one pick in a cycle.
 */
export function reduceWeights(weights: readonly number[]): number[] {
  const exact = divideByCommon(weights)
  const slots = sum(exact)
  if (slots <= CYCLE_LIMIT) return exact
  return divideByCommon(
    exact.map((weight) => Math.max(1, Math.round((weight * CYCLE_LIMIT) / slots))),
  )
}

/**
 * Backends of one weight. They are picked in turn, so only the one whose turn it is needs
 * comparing.
 */
interface Peers {
  readonly weight: number
  /** Ascending positions in the list of backends. */
  readonly members: number[]
  turn: number
  /** What nginx calls the current weight, of the member whose turn it is. */
  current: number
}

/** The positions to pick, slot by slot. */
export function layOutCycle(weights: readonly number[]): number[] {
  const cycle = new Cycle(weights)
  cycle.layOut(Infinity)
  return [...cycle.positions]
}

/** A cycle that is laid out a piece at a time. */
class Cycle {
  readonly slots: number
  readonly positions: Uint16Array
  readonly #weights: readonly number[]
  readonly #groups: readonly Peers[]
  #laid = 0

  constructor(weights: readonly number[]) {
    this.slots = sum(weights)
    this.positions = new Uint16Array(this.slots)
    this.#weights = weights
    this.#groups = groupByWeight(weights)
  }

  get complete(): boolean {
    return this.#laid === this.slots
  }

  /** Makes about so many comparisons. Returns whether the cycle is complete. */
  layOut(comparisons: number): boolean {
    const groups = this.#groups
    const slots = Math.max(1, Math.floor(comparisons / groups.length))
    const end = Math.min(this.slots, this.#laid + slots)
    while (this.#laid < end) {
      const chosen = chooseGroup(groups)
      if (chosen === null) break
      this.positions[this.#laid++] = positionOf(chosen)
      chosen.turn++
      if (chosen.turn < chosen.members.length) continue
      // All members have paid for one pick, so the group stands where each of them stands.
      chosen.turn = 0
      chosen.current -= this.slots
    }
    return this.complete
  }

  /** A position that chance takes as often as its weight says. */
  positionBy(random: Random): number {
    const weights = this.#weights
    let left = positionBy(random, this.slots)
    let position = 0
    for (let weight = weights[0] ?? 0; left >= weight; weight = weights[++position] ?? Infinity) {
      left -= weight
    }
    return position
  }
}

/**
 * Each turn adds its weight to every group; the group with the highest balance is chosen, and the
 * first in the list among equals. Null when there is no group.
 */
function chooseGroup(groups: readonly Peers[]): Peers | null {
  let chosen: Peers | null = null
  for (const group of groups) {
    group.current += group.weight
    if (chosen === null || isBefore(group, chosen)) chosen = group
  }
  return chosen
}

function isBefore(group: Peers, other: Peers): boolean {
  if (group.current !== other.current) return group.current > other.current
  return positionOf(group) < positionOf(other)
}

/** The position of the member whose turn it is. */
function positionOf({ members, turn }: Peers): number {
  return members[turn] ?? 0
}

function groupByWeight(weights: readonly number[]): Peers[] {
  const groups = new Map<number, Peers>()
  weights.forEach((weight, position) => {
    const group = groups.get(weight)
    if (group) group.members.push(position)
    else groups.set(weight, { weight, members: [position], turn: 0, current: 0 })
  })
  return [...groups.values()]
}

function divideByCommon(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  return weights.map((weight) => weight / divisor)
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
