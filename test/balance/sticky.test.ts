import { describe, expect, test } from "bun:test"
import { createStrategy } from "../../src/balance/create.ts"
import { RoundRobin } from "../../src/balance/round-robin.ts"
import { Sticky } from "../../src/balance/sticky.ts"
import { NO_TOKEN, type Candidate } from "../../src/balance/strategy.ts"
import { rng } from "../support/until.ts"
import { equals, picks, withWeights } from "./candidates.ts"

function sticky(candidates: readonly Candidate[]): Sticky {
  const strategy = new Sticky(new RoundRobin())
  strategy.update(candidates)
  return strategy
}

describe("sticky", () => {
  test("a client with a token stays, new clients rotate", () => {
    const [a, b, c] = equals(3)
    const strategy = sticky([a, b, c])
    expect(picks(strategy, 2).join("")).toBe("ab")
    for (let round = 0; round < 5; round++) expect(strategy.pick(b.token)).toBe(b)
    expect(picks(strategy, 2).join("")).toBe("ca")
  })

  test("a client whose backend is not eligible moves, and may come back", () => {
    const [a, b] = equals(2)
    const strategy = sticky([a, b])
    strategy.update([b])
    expect(strategy.pick(a.token)).toBe(b)
    strategy.update([a, b])
    expect(strategy.pick(a.token)).toBe(a)
  })

  test("tokens that no backend made are placed like new clients", () => {
    const strategy = sticky(equals(2))
    const picked = [0, 2 ** 48 - 1, 12345].map((token) => strategy.pick(token)?.name)
    expect(picked).toEqual(["a", "b", "a"])
  })

  test("picks nobody when nobody is eligible", () => {
    expect(new Sticky(new RoundRobin()).pick(5)).toBeNull()
    expect(sticky([]).pick(NO_TOKEN)).toBeNull()
  })

  test("new clients are placed by weight in the strategy that settings name", () => {
    const strategy = createStrategy("sticky", () => 0)
    strategy.update(withWeights(5, 1, 1))
    expect(picks(strategy, 7).join("")).toBe("aabacaa")
  })

  test("for all sets of tokens: each finds its own backend, strangers find none", () => {
    const random = rng(21)
    for (let round = 0; round < 40; round++) {
      // Few low bits, so that tokens crowd into the same slots.
      const spread = random.pick([1, 16, 2 ** 20])
      const tokens = new Set<number>()
      const size = random.between(1, 1024)
      while (tokens.size < size) tokens.add(random.between(0, 2 ** 27) * (2 ** 20 / spread))
      const candidates = [...tokens].map((token, index) => {
        return { index, name: `backend-${index}`, weight: 1, backup: false, token }
      })
      const strategy = new Sticky({ update: () => {}, pick: () => null })
      strategy.update(candidates)
      for (const candidate of candidates) expect(strategy.pick(candidate.token)).toBe(candidate)
      for (let at = 0; at < 50; at++) {
        const stranger = random.between(0, 2 ** 47)
        if (!tokens.has(stranger)) expect(strategy.pick(stranger)).toBeNull()
      }
    }
  })
})
