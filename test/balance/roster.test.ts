import { describe, expect, test } from "bun:test"
import { Roster } from "../../src/balance/roster.ts"
import { RoundRobin } from "../../src/balance/round-robin.ts"
import { Sticky } from "../../src/balance/sticky.ts"
import { NO_TOKEN, type Candidate } from "../../src/balance/strategy.ts"
import { WeightedRoundRobin } from "../../src/balance/weighted.ts"
import { HealthBitmap } from "../../src/health/bitmap.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"
import { countByName, equals, picks } from "./candidates.ts"

/** `count` backends, the last `backups` of them for emergencies. */
function backends(count: number, backups = 0): Candidate[] {
  return equals(count).map((candidate, at) => ({ ...candidate, backup: at >= count - backups }))
}

function rosterOf(candidates: readonly Candidate[], whenAllUnhealthy: "try" | "fail" = "try") {
  return new Roster(candidates, new RoundRobin(), whenAllUnhealthy)
}

function tried(size: number, ...indexes: readonly number[]): HealthBitmap {
  const bitmap = new HealthBitmap(size)
  for (const index of indexes) bitmap.set(index)
  return bitmap
}

describe("eligible are", () => {
  test("at first all primaries", () => {
    const roster = rosterOf(backends(3, 1))
    expect(picks(roster, 4).join("")).toBe("abab")
    expect([0, 1, 2].map((index) => roster.isEligible(index))).toEqual([true, true, false])
    expect(roster.panicking).toBe(false)
  })

  test("not the unhealthy, not the draining, and both again afterwards", () => {
    const roster = rosterOf(backends(3))
    roster.setHealthy(0, false)
    roster.setDraining(1, true)
    expect(picks(roster, 2).join("")).toBe("cc")
    expect(roster.isDraining(1)).toBe(true)
    roster.setHealthy(0, true)
    roster.setDraining(1, false)
    expect(countByName(picks(roster, 6))).toEqual({ a: 2, b: 2, c: 2 })
  })

  test("healthy backups only while no primary is", () => {
    const roster = rosterOf(backends(4, 2))
    roster.setHealthy(0, false)
    expect(picks(roster, 2).join("")).toBe("bb")
    roster.setDraining(1, true)
    expect(countByName(picks(roster, 4))).toEqual({ c: 2, d: 2 })
    expect(roster.panicking).toBe(false)
    roster.setHealthy(0, true)
    expect(picks(roster, 2).join("")).toBe("aa")
  })

  test("with nobody healthy and `try`: primaries that do not drain, and it is called a panic", () => {
    const roster = rosterOf(backends(4, 1))
    for (const index of [0, 1, 2, 3]) roster.setHealthy(index, false)
    roster.setDraining(0, true)
    expect(roster.panicking).toBe(true)
    expect(countByName(picks(roster, 4))).toEqual({ b: 2, c: 2 })
    roster.setDraining(1, true)
    roster.setDraining(2, true)
    expect(picks(roster, 1)).toEqual(["d"])
    roster.setHealthy(3, true)
    expect(roster.panicking).toBe(false)
  })

  test("with nobody healthy and `fail`: nobody", () => {
    const roster = rosterOf(backends(2), "fail")
    roster.setHealthy(0, false)
    roster.setHealthy(1, false)
    expect(roster.pick(NO_TOKEN)).toBeNull()
    expect(roster.anyEligible).toBe(false)
    expect(roster.panicking).toBe(false)
    roster.setHealthy(1, true)
    expect(roster.anyEligible).toBe(true)
  })

  test("none when all drain, even with `try`", () => {
    const roster = rosterOf(backends(2))
    roster.setDraining(0, true)
    roster.setDraining(1, true)
    expect(roster.pick(NO_TOKEN)).toBeNull()
    expect(roster.panicking).toBe(false)
  })

  test("worked out again only when they change", () => {
    let updates = 0
    const strategy = { update: () => void updates++, pick: () => null }
    const roster = new Roster(backends(3, 1), strategy, "try")
    expect(updates).toBe(1)
    roster.setHealthy(0, true)
    roster.setHealthy(2, false)
    roster.setDraining(2, true)
    roster.pick(NO_TOKEN)
    expect(updates).toBe(1)
    roster.setDraining(0, true)
    roster.setHealthy(0, false)
    roster.pick(NO_TOKEN)
    expect(updates).toBe(2)
  })

  test("worked out once for all that fail before the next pick", () => {
    let updates = 0
    const strategy = { update: () => void updates++, pick: () => null }
    const looks: readonly ((roster: Roster) => unknown)[] = [
      (roster) => roster.pick(NO_TOKEN),
      (roster) => roster.pickOther(NO_TOKEN, new HealthBitmap(1_000)),
      (roster) => roster.standing(999),
      (roster) => roster.panicking,
      (roster) => roster.isEligible(999),
      (roster) => roster.anyEligible,
    ]
    for (const look of looks) {
      const roster = new Roster(backends(1_000, 0), strategy, "try")
      updates = 0
      for (let index = 0; index < 900; index++) roster.setHealthy(index, false)
      expect(updates).toBe(0)
      look(roster)
      expect(updates).toBe(1)
      look(roster)
      expect(updates).toBe(1)
    }
  })
})

describe("another one after a failure", () => {
  test("is eligible and untried, and the untried share evenly", () => {
    const roster = rosterOf(backends(3))
    const names = Array.from({ length: 6 }, () => {
      return roster.pickOther(NO_TOKEN, tried(3, 0))?.name ?? "nobody"
    })
    expect(countByName(names)).toEqual({ b: 3, c: 3 })
    expect(roster.pickOther(NO_TOKEN, tried(3, 0, 2))?.name).toBe("b")
  })

  test("is the sticky one if that is untried", () => {
    const candidates = backends(3)
    const { token } = present(candidates[2])
    const roster = new Roster(candidates, new Sticky(new RoundRobin()), "try")
    for (let time = 0; time < 4; time++) {
      expect(roster.pickOther(token, tried(3, 0))?.name).toBe("c")
    }
    expect(roster.pickOther(token, tried(3, 0, 2))?.name).toBe("b")
  })

  test("is a healthy backup when all primaries are tried, else nobody with `fail`", () => {
    const roster = rosterOf(backends(4, 2), "fail")
    roster.setHealthy(2, false)
    expect(roster.pickOther(NO_TOKEN, tried(4, 0, 1))?.name).toBe("d")
    expect(roster.pickOther(NO_TOKEN, tried(4, 0, 1, 3))).toBeNull()
    roster.setDraining(3, true)
    expect(roster.pickOther(NO_TOKEN, tried(4, 0, 1))).toBeNull()
  })
})

describe("with `try`, when all healthy backends have been tried", () => {
  test("one that only probes are against is next, then one that requests are against, never a draining one", () => {
    const roster = rosterOf(backends(5))
    roster.setHealthy(1, false, false)
    roster.setHealthy(2, false, true)
    roster.setHealthy(3, false, true)
    roster.setDraining(3, true)
    roster.setDraining(4, true)
    expect(picks(roster, 3).join("")).toBe("aaa")
    expect(roster.pickOther(NO_TOKEN, tried(5, 0))?.name).toBe("c")
    expect(roster.pickOther(NO_TOKEN, tried(5, 0, 2))?.name).toBe("b")
    expect(roster.pickOther(NO_TOKEN, tried(5, 0, 1, 2))).toBeNull()
  })

  test("no more than 8 are tried", () => {
    const roster = rosterOf(backends(12))
    for (let index = 1; index < 12; index++) roster.setHealthy(index, false)
    expect(roster.pickOther(NO_TOKEN, tried(12, 0, 1, 2, 3, 4, 5, 6))).not.toBeNull()
    expect(roster.pickOther(NO_TOKEN, tried(12, 0, 1, 2, 3, 4, 5, 6, 7))).toBeNull()
  })
})

describe("with `try` and no healthy backend", () => {
  test("those that only probes are against share evenly, the others get nothing", () => {
    const roster = rosterOf(backends(4))
    for (const index of [0, 1, 2]) roster.setHealthy(index, false, true)
    roster.setHealthy(3, false, false)
    expect(roster.panicking).toBe(true)
    expect(countByName(picks(roster, 9))).toEqual({ a: 3, b: 3, c: 3 })
    roster.setHealthy(0, false, false)
    expect(countByName(picks(roster, 8))).toEqual({ b: 4, c: 4 })
    roster.setHealthy(1, false, false)
    roster.setHealthy(2, false, false)
    expect(countByName(picks(roster, 8))).toEqual({ a: 2, b: 2, c: 2, d: 2 })
    roster.setHealthy(3, true)
    expect(picks(roster, 3).join("")).toBe("ddd")
  })

  test("weights are kept", () => {
    const candidates = backends(2).map((each, at) => ({ ...each, weight: at + 1 }))
    const roster = new Roster(candidates, new WeightedRoundRobin(), "try")
    for (const index of [0, 1]) roster.setHealthy(index, false, true)
    expect(countByName(picks(roster, 9))).toEqual({ a: 3, b: 6 })
  })
})

test("a trial may go to a backend that stands by, not to one that drains or to an idle backup", () => {
  const roster = rosterOf(backends(3, 1))
  roster.setHealthy(0, false)
  expect(roster.standing(0)?.name).toBe("a")
  expect(roster.standing(2)).toBeNull()
  roster.setDraining(0, true)
  expect(roster.standing(0)).toBeNull()
  expect(roster.standing(7)).toBeNull()
})

test("for all flags: who is picked may serve, and somebody is picked whenever somebody may", () => {
  const random = rng(41)
  const size = 40
  const candidates = backends(size, 5)
  const roster = rosterOf(candidates)
  const healthy = candidates.map(() => true)
  const draining = candidates.map(() => false)
  for (let round = 0; round < 3000; round++) {
    const index = random.between(0, size - 1)
    // Phases in which nearly everything is down, and others in which nearly everything is up.
    const likely = Math.floor(round / 500) % 2 === 0 ? 0.9 : 0.02
    if (random.next() < 0.8) roster.setHealthy(index, (healthy[index] = random.next() < likely))
    else roster.setDraining(index, (draining[index] = random.next() < 0.3))
    const able = candidates.filter((_, at) => healthy[at] && !draining[at])
    const staying = candidates.filter((_, at) => !draining[at])
    const base = able.length > 0 ? able : staying
    const primaries = base.filter(({ backup }) => !backup)
    const allowed = primaries.length > 0 ? primaries : base
    expect(roster.panicking).toBe(able.length === 0 && staying.length > 0)
    expect(candidates.filter((_, at) => roster.isEligible(at))).toEqual(allowed)
    const picked = roster.pick(NO_TOKEN)
    expect(picked === null ? allowed.length === 0 : allowed.includes(picked)).toBe(true)
  }
})
