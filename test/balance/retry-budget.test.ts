import { describe, expect, test } from "bun:test"
import { RetryBudget } from "../../src/balance/retry-budget.ts"
import { rng } from "../support/until.ts"

function deposit(budget: RetryBudget, requests: number): void {
  for (let request = 0; request < requests; request++) budget.deposit()
}

/** How many of `wanted` retries are allowed. */
function withdraw(budget: RetryBudget, wanted: number, now: number): number {
  let allowed = 0
  for (let retry = 0; retry < wanted; retry++) if (budget.withdraw(now)) allowed++
  return allowed
}

describe("the retry budget", () => {
  test("allows a percentage of the requests", () => {
    const budget = new RetryBudget(20, 0)
    deposit(budget, 1000)
    expect(withdraw(budget, 1000, 500)).toBe(200)
    deposit(budget, 4)
    expect(withdraw(budget, 10, 600)).toBe(0)
    deposit(budget, 1)
    expect(withdraw(budget, 10, 600)).toBe(1)
  })

  test("allows the floor when there is no traffic to speak of, and again ten seconds later", () => {
    const budget = new RetryBudget(20, 10)
    deposit(budget, 3)
    expect(withdraw(budget, 500, 1000)).toBe(100)
    expect(withdraw(budget, 500, 10_999)).toBe(0)
    expect(withdraw(budget, 500, 11_000)).toBe(100)
  })

  test("takes whichever is more, not both", () => {
    const budget = new RetryBudget(20, 10)
    deposit(budget, 1000)
    expect(withdraw(budget, 1000, 0)).toBe(200)
  })

  test("forgets requests after ten seconds", () => {
    const budget = new RetryBudget(20, 0)
    deposit(budget, 100)
    expect(withdraw(budget, 1, 1000)).toBe(1)
    expect(withdraw(budget, 1, 10_000)).toBe(1)
    expect(withdraw(budget, 1, 11_000)).toBe(0)
  })

  test("an hour of good traffic saves up no more than ten seconds' worth", () => {
    const budget = new RetryBudget(20, 0)
    budget.withdraw(1)
    deposit(budget, 360_000)
    expect(withdraw(budget, 100_000, 3_600_000)).toBe(200)
  })

  test("with nothing allowed, nothing is", () => {
    const budget = new RetryBudget(0, 0)
    deposit(budget, 100)
    expect(withdraw(budget, 5, 1000)).toBe(0)
  })

  test("a clock far from zero, or one that stands still, changes nothing", () => {
    const budget = new RetryBudget(50, 0)
    deposit(budget, 10)
    // All ten came in since second 0, so hardly any in the last ten seconds.
    expect(withdraw(budget, 10, 1e12)).toBe(0)
    deposit(budget, 10)
    expect(withdraw(budget, 10, 1e12)).toBe(5)
    expect(withdraw(budget, 10, 1e12 - 5000)).toBe(0)
  })

  test("for all traffic: no retry is made beyond the larger of share and floor of its last ten seconds", () => {
    const random = rng(51)
    for (let round = 0; round < 20; round++) {
      const percent = random.between(0, 60)
      const floor = random.between(0, 8)
      const budget = new RetryBudget(percent, floor)
      const requests: number[] = []
      const retries: number[] = []
      let busy = 0
      for (let second = 0; second < 60; second++) {
        if (second % 7 === 0) busy = random.between(0, 400)
        deposit(budget, busy)
        requests.push(busy)
        const made = withdraw(budget, random.between(1, 300), second * 1000 + 999)
        retries.push(made)
        const recently = (list: readonly number[]): number => {
          return list.slice(-10).reduce((sum, count) => sum + count, 0)
        }
        const most = Math.max(floor * 10, (recently(requests) * percent) / 100)
        if (made > 0) expect(recently(retries)).toBeLessThanOrEqual(most)
      }
    }
  })
})
