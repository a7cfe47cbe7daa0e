/** The pick alone, in nanoseconds, for every strategy and more and more backends: does it grow with their number? */
import { createStrategy } from "../../src/balance/create.ts"
import type { Candidate } from "../../src/balance/strategy.ts"
import { tokenOf } from "../../src/balance/token.ts"
import type { StrategyName } from "../../src/config/schema/settings.ts"
import { medianOf } from "./median.ts"

const strategies: readonly StrategyName[] = ["round_robin", "random", "weighted", "sticky"]
const PICKS = 200_000
const ROUNDS = 9

export interface Picking {
  readonly strategy: StrategyName
  /** One for each count of backends. */
  readonly ns: readonly number[]
}

export function measurePicking(counts: readonly number[]): Picking[] {
  return strategies.map((strategy) => ({
    strategy,
    ns: counts.map((count) => nanosecondsOf(strategy, count)),
  }))
}

function nanosecondsOf(name: StrategyName, count: number): number {
  const candidates: Candidate[] = Array.from({ length: count }, (_, index) => {
    const backend = `10.0.${index >> 8}.${index & 255}:8080`
    const weight = 1 + (index % 5)
    return { index, name: backend, weight, backup: false, token: tokenOf(backend, "bench") }
  })
  const strategy = createStrategy(name)
  strategy.update(candidates)
  const tokens = candidates.map(({ token }) => token)
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begun = performance.now()
    let sum = 0
    for (let pick = 0; pick < PICKS; pick++) {
      sum += strategy.pick(tokens[pick % count] ?? 0)?.index ?? 0
    }
    // The sum is used, so that no compiler may leave the picks out.
    return sum < 0 ? 0 : ((performance.now() - begun) * 1e6) / PICKS
  })
  return medianOf(rounds)
}
