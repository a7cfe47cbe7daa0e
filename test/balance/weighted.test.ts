import { describe, expect, test } from "bun:test"
import {
  CYCLE_LIMIT,
  layOutCycle,
  reduceWeights,
  WeightedRoundRobin,
} from "../../src/balance/weighted.ts"
import { NO_TOKEN, type Strategy } from "../../src/balance/strategy.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"
import { picks, withWeights } from "./candidates.ts"

function weighted(...weights: readonly number[]): Strategy {
  const strategy = new WeightedRoundRobin()
  strategy.update(withWeights(...weights))
  return strategy
}

/** nginx's algorithm as it is written there: all backends compared for each pick. */
function layOutAsNginx(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const current = weights.map(() => 0)
  return Array.from({ length: total }, () => {
    weights.forEach((weight, at) => (current[at] = (current[at] ?? 0) + weight))
    const best = current.indexOf(Math.max(...current))
    current[best] = (current[best] ?? 0) - total
    return best
  })
}

function randomWeights(random: ReturnType<typeof rng>): number[] {
  const most = random.pick([2, 7, 100])
  return Array.from({ length: random.between(1, 24) }, () => random.between(1, most))
}

describe("weighted", () => {
  test("5/1/1 gives a a b a c a a, again and again", () => {
    expect(picks(weighted(5, 1, 1), 14).join("")).toBe("aabacaaaabacaa")
  })

  test("equal weights are the plain rotation, whatever they are", () => {
    expect(picks(weighted(300, 300, 300), 9).join("")).toBe("abcabcabc")
  })

  test("begins where chance says, and anew after nobody was eligible", () => {
    let chance = 0.5
    const strategy: Strategy = new WeightedRoundRobin(() => chance)
    strategy.update(withWeights(5, 1, 1))
    expect(picks(strategy, 7).join("")).toBe("acaaaab")
    strategy.update([])
    expect(strategy.pick(NO_TOKEN)).toBeNull()
    chance = 0.99
    strategy.update(withWeights(5, 1, 1))
    expect(picks(strategy, 3).join("")).toBe("aaa")
  })

  test("picks nobody when nobody is eligible", () => {
    const strategy: Strategy = new WeightedRoundRobin()
    expect(strategy.pick(NO_TOKEN)).toBeNull()
    expect(weighted().pick(NO_TOKEN)).toBeNull()
  })

  test("an update keeps the place in the cycle, so that flapping does not favour its start", () => {
    const candidates = withWeights(1, 1, 1)
    const strategy = new WeightedRoundRobin()
    strategy.update(candidates)
    expect(picks(strategy, 2).join("")).toBe("ab")
    strategy.update(candidates)
    expect(picks(strategy, 1).join("")).toBe("c")
    strategy.update(candidates.slice(0, 1))
    expect(picks(strategy, 2).join("")).toBe("aa")
  })

  test("for all weights: the slots are nginx's, each backend has its weight in every cycle", () => {
    const random = rng(11)
    for (let round = 0; round < 150; round++) {
      const weights = randomWeights(random)
      const cycle = layOutCycle(weights)
      expect(cycle).toEqual(layOutAsNginx(weights))
      const counts = weights.map((_, at) => cycle.filter((position) => position === at).length)
      expect(counts).toEqual(weights)
    }
  })

  test("for all weights: nobody is ever a whole pick ahead of its share", () => {
    const random = rng(12)
    for (let round = 0; round < 100; round++) {
      const weights = randomWeights(random)
      const cycle = layOutCycle(weights)
      const picked = weights.map(() => 0)
      cycle.forEach((position, slot) => {
        const count = (picked[position] ?? 0) + 1
        picked[position] = count
        const share = ((slot + 1) * present(weights[position])) / cycle.length
        expect(count).toBeLessThan(share + 1)
      })
    }
  })

  test("a long cycle is laid out a piece a pick, and meanwhile picks are random by weight", () => {
    const random = rng(14)
    const weights = Array.from({ length: 1024 }, () => random.between(1, 1000))
    const candidates = withWeights(...weights)
    const strategy = new WeightedRoundRobin(() => random.next())
    const laidOut = layOutCycle(reduceWeights(weights))
    strategy.update(candidates)
    const first = Array.from({ length: 200 }, () => strategy.pick()?.index ?? -1)
    for (const index of first) expect(candidates[index]).toBeDefined()
    const twoCycles = (): number[] =>
      Array.from({ length: 2 * laidOut.length }, () => strategy.pick()?.index ?? -1)
    const [one, other] = [twoCycles(), twoCycles()]
    // From then on it is the cycle, from some slot on.
    expect(one).toEqual(other)
    const counts = (picked: readonly number[]): number[] => {
      const found = weights.map(() => 0)
      for (const index of picked) found[index] = (found[index] ?? 0) + 1
      return found
    }
    expect(counts(one)).toEqual(counts([...laidOut, ...laidOut]))
  })

  test("random picks meanwhile keep the shares, and never take one that is no longer eligible", () => {
    const random = rng(15)
    const weights = Array.from({ length: 1024 }, (_, at) => (at < 512 ? 1 + (at % 40) : 2000 - at))
    const candidates = withWeights(...weights)
    const strategy = new WeightedRoundRobin(() => random.next())
    let heavy = 0
    for (let round = 0; round < 2000; round++) {
      // A change before every pick: no cycle is ever complete.
      const without = round % 1024
      strategy.update(candidates.filter(({ index }) => index !== without))
      const picked = strategy.pick()
      expect(picked?.index).not.toBe(without)
      if ((picked?.index ?? 0) >= 512) heavy++
    }
    expect(heavy / 2000).toBeGreaterThan(0.9)
  })

  test("weights are reduced exactly while the cycle is short enough", () => {
    expect(reduceWeights([1000, 500, 250])).toEqual([4, 2, 1])
    expect(reduceWeights([7])).toEqual([1])
    expect(reduceWeights([])).toEqual([])
    const longest = [CYCLE_LIMIT - 1, 1]
    expect(reduceWeights(longest)).toEqual(longest)
  })

  test("beyond the limit shares are kept to about one pick in a cycle", () => {
    const random = rng(13)
    for (let round = 0; round < 30; round++) {
      const weights = Array.from({ length: random.between(40, 1024) }, () => {
        return random.between(1, 1000)
      })
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const coarse = reduceWeights(weights)
      const slots = coarse.reduce((sum, weight) => sum + weight, 0)
      expect(slots).toBeLessThanOrEqual(CYCLE_LIMIT + weights.length)
      expect(Math.min(...coarse)).toBeGreaterThanOrEqual(1)
      weights.forEach((weight, at) => {
        const error = Math.abs(present(coarse[at]) / slots - weight / total)
        expect(error).toBeLessThan(1.5 / CYCLE_LIMIT)
      })
    }
  })

  test("an update of 1,024 backends of all weights takes far less than 50 ms", () => {
    const candidates = withWeights(...Array.from({ length: 1024 }, (_, at) => (at % 1000) + 1))
    const strategy = new WeightedRoundRobin()
    const times = Array.from({ length: 7 }, () => {
      const began = performance.now()
      strategy.update(candidates)
      strategy.pick()
      return performance.now() - began
    })
    // The best of several: the machine may be busy with something else.
    expect(Math.min(...times)).toBeLessThan(25)
  })

  test("when 1,024 backends fail at once the worker does not stand still", () => {
    const candidates = withWeights(...Array.from({ length: 1024 }, (_, at) => (at % 1000) + 1))
    const strategy = new WeightedRoundRobin()
    const began = performance.now()
    for (let left = 1024; left > 0; left--) strategy.update(candidates.slice(0, left))
    expect(strategy.pick()?.name).toBe(present(candidates[0]).name)
    // One layout for each would take some 5 s.
    expect(performance.now() - began).toBeLessThan(500)
  })
})
