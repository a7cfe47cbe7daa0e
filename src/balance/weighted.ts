/**
 * Smooth weighted round-robin: a backend of weight w is picked w times in every cycle and is never
 * a whole pick ahead of its share, so that a heavy backend receives no burst that a light one could
 * have taken. The cycle begins at a random slot, for the reason that `RoundRobin` gives.
 *
 * Cost: the whole cycle is laid out at the first pick after health, weight or membership has
 * changed; any other pick is one array read. Laying out takes one comparison for each slot and each
 * *distinct* weight: at most some 3 ms for 1,024 backends.
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

export class WeightedRoundRobin implements Strategy {
  #eligible: readonly Candidate[] = []
  /** Null until the next pick: when many backends change at once only the last change is laid out. */
  #cycle: readonly Candidate[] | null = []
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

  #layOut(): readonly Candidate[] {
    const eligible = this.#eligible
    const weights = reduceWeights(eligible.map((candidate) => candidate.weight))
    const cycle = layOutCycle(weights).map((position) => eligible[position])
    if (cycle.length === 0) this.#next = -1
    else if (this.#next === -1) this.#next = positionBy(this.#random, cycle.length)
    else this.#next %= cycle.length
    this.#cycle = cycle
    return cycle
  }

  pick(): Candidate | null {
    const cycle = this.#cycle ?? this.#layOut()
    if (cycle.length === 0) return null
    const candidate = cycle[this.#next]
    this.#next = this.#next + 1 === cycle.length ? 0 : this.#next + 1
    return candidate
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
  const slots = sum(weights)
  const groups = groupByWeight(weights)
  const cycle: number[] = []
  for (let slot = 0; slot < slots; slot++) {
    const chosen = chooseGroup(groups)
    cycle.push(chosen.members[chosen.turn])
    chosen.turn++
    if (chosen.turn < chosen.members.length) continue
    // All members have paid for one pick, so the group stands where each of them stands.
    chosen.turn = 0
    chosen.current -= slots
  }
  return cycle
}

/**
 * Every group earns its weight; the richest is chosen, and among equals the one that is first in
 * the list.
 */
function chooseGroup(groups: readonly Peers[]): Peers {
  let chosen = groups[0]
  for (let at = 0; at < groups.length; at++) {
    const group = groups[at]
    group.current += group.weight
    if (group.current < chosen.current || group === chosen) continue
    if (group.current > chosen.current || positionOf(group) < positionOf(chosen)) chosen = group
  }
  return chosen
}

function positionOf(group: Peers): number {
  return group.members[group.turn]
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
