/** The share of a backend that has come back grows with time, and nobody is left without one. */
import { describe, expect, test } from "bun:test"
import { Roster } from "../../src/balance/roster.ts"
import { RoundRobin } from "../../src/balance/round-robin.ts"
import { SlowStart } from "../../src/balance/slow-start.ts"
import { Sticky } from "../../src/balance/sticky.ts"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import { rng } from "../support/until.ts"
import { countByName, equals, picks } from "./candidates.ts"

function warming(duration = 1000) {
  const clock = { time: 0, now: () => clock.time }
  const chance = rng(37)
  const random = (): number => chance.between(0, 999_999) / 1_000_000
  const slowStart = new SlowStart(clock, random)
  slowStart.configure(duration)
  const candidates = equals(4)
  const roster = new Roster(candidates, new RoundRobin(), "try", slowStart)
  const restart = (...indexes: number[]): void => {
    for (const index of indexes) roster.setHealthy(index, false)
    for (const index of indexes) roster.setHealthy(index, true)
  }
  return { clock, slowStart, roster, restart, candidates }
}

describe("a backend that has come back", () => {
  test("gets a tenth of its share at first, then more and more, and at the end all of it", () => {
    const { clock, roster, restart, slowStart } = warming()
    restart(1)
    const shares = [0, 100, 250, 500, 750, 1000].map((time) => {
      clock.time = time
      return (countByName(picks(roster, 4000))["b"] ?? 0) / 1000
    })
    const expected = [0.1, 0.1, 0.25, 0.5, 0.75, 1]
    for (const [at, share] of shares.entries()) expect(share).toBeCloseTo(expected[at] ?? -1, 1)
    expect(shares.at(-1)).toBe(1)
    expect(slowStart.active).toBe(false)
  })

  test("leaves the rest to the others in equal parts", () => {
    const { roster, restart } = warming()
    restart(0)
    const { a = 0, b = 0, c = 0, d = 0 } = countByName(picks(roster, 4000))
    expect(a).toBeWithin(70, 130)
    for (const count of [b, c, d]) expect(count).toBeWithin(1280, 1325)
  })

  test("gets everything when there is nobody else, or nobody warm", () => {
    const { roster, restart } = warming()
    restart(0, 1, 2, 3)
    expect(countByName(picks(roster, 400))).toEqual({ a: 100, b: 100, c: 100, d: 100 })
    for (const index of [1, 2, 3]) roster.setHealthy(index, false)
    expect(countByName(picks(roster, 10))).toEqual({ a: 10 })
  })

  test("is not kept from the clients whose cookie names it", () => {
    const { candidates, slowStart } = warming()
    const roster = new Roster(candidates, new Sticky(new RoundRobin()), "try", slowStart)
    roster.setHealthy(2, false)
    roster.setHealthy(2, true)
    const token = candidates[2]?.token ?? NO_TOKEN
    for (let i = 0; i < 50; i++) expect(roster.pick(token)?.index).toBe(2)
  })
})

test("who fails again, or was never away, does not warm up", () => {
  const { roster, restart, slowStart } = warming()
  expect(slowStart.active).toBe(false)
  restart(1)
  expect([slowStart.active, slowStart.isWarm(1), slowStart.isWarm(0)]).toEqual([true, false, true])
  roster.setHealthy(1, false)
  expect(slowStart.active).toBe(false)
  restart(1)
  roster.admit(1)
  expect(slowStart.active).toBe(false)
})

test("without a duration nothing is changed, and one that is taken away ends it", () => {
  const { roster, restart, slowStart } = warming(0)
  restart(1)
  expect(countByName(picks(roster, 400))).toEqual({ a: 100, b: 100, c: 100, d: 100 })
  slowStart.configure(1000)
  restart(1)
  expect(slowStart.active).toBe(true)
  slowStart.configure(0)
  expect(slowStart.active).toBe(false)
})
