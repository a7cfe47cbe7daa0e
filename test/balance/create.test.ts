import { expect, test } from "bun:test"
import { createCandidate, createStrategy } from "../../src/balance/create.ts"
import { tokenOf } from "../../src/balance/token.ts"
import type { StrategyName } from "../../src/config/schema/settings.ts"
import { countByName, picks, withWeights } from "./candidates.ts"

test("every strategy that settings can name picks as it promises", () => {
  const expected: Record<StrategyName, Record<string, number>> = {
    round_robin: { a: 4, b: 4 },
    random: { b: 8 },
    weighted: { a: 6, b: 2 },
    sticky: { a: 6, b: 2 },
  }
  for (const name of Object.keys(expected) as StrategyName[]) {
    const strategy = createStrategy(name, () => 0.99)
    strategy.update(withWeights(3, 1))
    expect(countByName(picks(strategy, 8))).toEqual(expected[name])
  }
})

test.each(["round_robin", "weighted", "sticky"] as const)(
  "with %s, workers that serve few requests each do not all begin at the same backend",
  (name) => {
    const workers = Array.from({ length: 400 }, () => createStrategy(name))
    const picked = workers.flatMap((strategy) => {
      strategy.update(withWeights(1, 1, 1, 1, 1, 1, 1, 1))
      return picks(strategy, 2)
    })
    const shares = Object.values(countByName(picked))
    expect(shares).toHaveLength(8)
    // 100 each; chance stays far within these.
    expect(Math.min(...shares)).toBeGreaterThan(50)
    expect(Math.max(...shares)).toBeLessThan(150)
  },
)

test("a candidate carries what settings say of the backend, and its token", () => {
  const rest = { host: "h", port: 80, tls: false, ca: null }
  expect(
    [
      { ...rest, name: "a:80", weight: 1, backup: false },
      { ...rest, name: "b:80", weight: 7, backup: true },
    ].map((settings, index) => createCandidate(settings, index, "k")),
  ).toEqual([
    { index: 0, name: "a:80", weight: 1, backup: false, token: tokenOf("a:80", "k") },
    { index: 1, name: "b:80", weight: 7, backup: true, token: tokenOf("b:80", "k") },
  ])
})
