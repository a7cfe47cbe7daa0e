import { describe, expect, test } from "bun:test"
import { RandomChoice } from "../../src/balance/random.ts"
import { rng } from "../support/until.ts"
import { NO_TOKEN, type Strategy } from "../../src/balance/strategy.ts"
import { countByName, equals, picks } from "./candidates.ts"

describe("random", () => {
  test("the number drawn names the backend, from the first to the last", () => {
    const drawn = [0, 0.3333, 0.3334, 0.9999]
    const strategy = new RandomChoice(() => drawn.shift() ?? 0)
    strategy.update(equals(3))
    expect(picks(strategy, 4).join("")).toBe("aabc")
  })

  test("all are about equally likely", () => {
    const strategy = new RandomChoice(rng(7).next)
    strategy.update(equals(4))
    for (const count of Object.values(countByName(picks(strategy, 40_000)))) {
      expect(Math.abs(count - 10_000)).toBeLessThan(400)
    }
  })

  test("picks nobody when nobody is eligible", () => {
    const strategy: Strategy = new RandomChoice(Math.random)
    expect(strategy.pick(NO_TOKEN)).toBeNull()
  })
})
