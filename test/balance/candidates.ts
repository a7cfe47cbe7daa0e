/** Candidates for the tests of this folder: named by letters, as the examples in the docs are. */
import type { Candidate } from "../../src/balance/strategy.ts"
import type { Strategy } from "../../src/balance/strategy.ts"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import { tokenOf } from "../../src/balance/token.ts"

/** `a`, `b`, `c` ... with these weights. */
export function withWeights(...weights: readonly number[]): Candidate[] {
  return weights.map((weight, index) => {
    const name = index < 26 ? String.fromCharCode(97 + index) : `backend-${index}`
    return { index, name, weight, backup: false, token: tokenOf(name, "") }
  })
}

/** `count` candidates of weight 1. */
export function equals(count: 2): [Candidate, Candidate]
export function equals(count: 3): [Candidate, Candidate, Candidate]
export function equals(count: 4): [Candidate, Candidate, Candidate, Candidate]
export function equals(count: number): Candidate[]
export function equals(count: number): Candidate[] {
  return withWeights(...Array.from({ length: count }, () => 1))
}

/** The names that `count` clients without a cookie get. */
export function picks(strategy: Pick<Strategy, "pick">, count: number): string[] {
  return Array.from({ length: count }, () => strategy.pick(NO_TOKEN)?.name ?? "nobody")
}

export function countByName(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
