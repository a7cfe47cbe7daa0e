/** From settings to strategy and candidates: the one place that knows all strategies by name. */
import type { BackendSettings, StrategyName } from "../config/schema/settings.ts"
import { RandomChoice, type Random } from "./random.ts"
import { RoundRobin } from "./round-robin.ts"
import { Sticky } from "./sticky.ts"
import type { Candidate, Strategy } from "./strategy.ts"
import { tokenOf } from "./token.ts"
import { WeightedRoundRobin } from "./weighted.ts"

export function createStrategy(name: StrategyName, random: Random = Math.random): Strategy {
  switch (name) {
    case "round_robin":
      return new RoundRobin(random)
    case "random":
      return new RandomChoice(random)
    case "weighted":
      return new WeightedRoundRobin(random)
    case "sticky":
      // New clients are placed by weight; with equal weights that is the plain rotation.
      return new Sticky(new WeightedRoundRobin(random))
  }
}

/** `key`: what the tokens of sticky cookies are made with. */
export function createCandidate(
  { name, weight, backup }: BackendSettings,
  index: number,
  key: string,
): Candidate {
  return { index, name, weight, backup, token: tokenOf(name, key) }
}
