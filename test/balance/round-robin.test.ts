import { describe, expect, test } from "bun:test"
import { RoundRobin } from "../../src/balance/round-robin.ts"
import { NO_TOKEN, type Strategy } from "../../src/balance/strategy.ts"
import { equals, picks, withWeights } from "./candidates.ts"

function rotation(count: number): Strategy {
  const strategy: Strategy = new RoundRobin()
  strategy.update(equals(count))
  return strategy
}

describe("round-robin", () => {
  test("3 backends and 9 picks are 3/3/3 in configured order", () => {
    expect(picks(rotation(3), 9).join("")).toBe("abcabcabc")
  })

  test("looks at no weight", () => {
    const strategy: Strategy = new RoundRobin()
    strategy.update(withWeights(9, 1))
    expect(picks(strategy, 4).join("")).toBe("abab")
  })

  test("picks nobody when nobody is eligible, and goes on afterwards", () => {
    const strategy: Strategy = new RoundRobin()
    expect(strategy.pick(NO_TOKEN)).toBeNull()
    strategy.update(equals(1))
    expect(picks(strategy, 2).join("")).toBe("aa")
    strategy.update([])
    expect(strategy.pick(NO_TOKEN)).toBeNull()
    strategy.update(equals(2))
    expect(picks(strategy, 2).join("")).toBe("ab")
  })

  test("keeps its place when a backend leaves and comes back", () => {
    const all = equals(4)
    const [a, b, , d] = all
    const strategy = rotation(4)
    expect(picks(strategy, 2).join("")).toBe("ab")
    strategy.update([a, b, d])
    expect(picks(strategy, 2).join("")).toBe("da")
    strategy.update(all)
    expect(picks(strategy, 4).join("")).toBe("bcda")
  })

  test("a backend that flaps at every pick does not starve the others", () => {
    const [a, b, c] = equals(3)
    const strategy = rotation(3)
    const picked: string[] = []
    for (let round = 0; round < 30; round++) {
      strategy.update(round % 2 === 0 ? [b, c] : [a, b, c])
      picked.push(...picks(strategy, 1))
    }
    expect(picked.filter((name) => name === "b").length).toBeGreaterThanOrEqual(10)
    expect(picked.filter((name) => name === "c").length).toBeGreaterThanOrEqual(10)
  })

  test("begins where chance says, and anew after nobody was eligible", () => {
    let chance = 0.5
    const strategy: Strategy = new RoundRobin(() => chance)
    strategy.update(equals(4))
    expect(picks(strategy, 5).join("")).toBe("cdabc")
    strategy.update([])
    chance = 0.99
    strategy.update(equals(4))
    expect(picks(strategy, 2).join("")).toBe("da")
  })

  test("1,024 backends are each picked once a round", () => {
    expect(new Set(picks(rotation(1024), 1024)).size).toBe(1024)
  })
})
