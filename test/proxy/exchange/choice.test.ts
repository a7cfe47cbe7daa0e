/** Which backend a request gets first while some requests avoid a backend, or a backend waits for trials. */
import { describe, expect, test } from "bun:test"
import { Roster } from "../../../src/balance/roster.ts"
import { NO_TOKEN } from "../../../src/balance/strategy.ts"
import { WeightedRoundRobin } from "../../../src/balance/weighted.ts"
import { HealthBoard } from "../../../src/health/board.ts"
import { NO_RESPONSE } from "../../../src/health/request-breaker.ts"
import { chooseBackend } from "../../../src/proxy/exchange/choice.ts"

/** Backends a, b, c... of these weights, and what a worker does when their health changes. */
function pool(weights: readonly number[], whenAllUnhealthy: "try" | "fail") {
  const clock = { time: 0, now: () => clock.time }
  const candidates = weights.map((weight, index) => {
    return { index, name: "abcdef"[index] ?? "x", weight, backup: false, token: index }
  })
  const roster = new Roster(candidates, new WeightedRoundRobin(), whenAllUnhealthy)
  const settings = { failures: 3, successes: 2, backoff: 1 }
  const board = new HealthBoard(weights.length, settings, clock, clock, {
    changed: (index, healthy) => {
      roster.setHealthy(index, healthy, board.serving.has(index))
      if (roster.allUnhealthy) board.expectReturn(roster.anyEligible)
    },
    avoidance: () => {},
    suspected: () => {},
  })
  const request = (client: number, path: number, index = 0) => ({
    ...{ client, path, ticket: board.ticket(index), sentAt: clock.time },
    ...{ token: NO_TOKEN, idempotent: true, done: true, binds: false },
  })
  const fail = (index: number, client: number, path: number): void =>
    board.failed(index, NO_RESPONSE, "closed before a response", request(client, path, index))
  const choose = (client: number, path: number): string =>
    chooseBackend({ board, roster }, request(client, path))?.name ?? "none"
  return { board, roster, clock, request, fail, choose }
}

describe("requests that avoid a backend", () => {
  test.each([
    ["of a large weight", [100, 1, 1], "bc"],
    ["of the same weight", [1, 1, 1], "bc"],
    ["beside one of a small weight", [50, 1], "b"],
  ] as const)("%s never get it, and those of others do", (_what, weights, left) => {
    const { fail, choose } = pool(weights, "try")
    for (let path = 1; path <= 3; path++) fail(0, 7, path)
    const chosen = new Set(Array.from({ length: 300 }, () => choose(7, 9)))
    expect([...chosen].sort().join("")).toBe(left)
    expect(new Set(Array.from({ length: 100 }, () => choose(8, 9))).has("a")).toBe(true)
  })

  test("go where they always went when they fail everywhere", () => {
    const { fail, choose } = pool([1, 1], "try")
    for (const index of [0, 1]) for (let path = 1; path <= 3; path++) fail(index, 7, path)
    expect(Array.from({ length: 4 }, () => choose(7, 9)).sort()).toEqual(["a", "a", "b", "b"])
  })
})

describe("when requests took all backends out while probes are well, and none is tried", () => {
  const takeOut = (fail: (index: number, client: number, path: number) => void): void => {
    for (const index of [0, 1]) for (let who = 1; who <= 3; who++) fail(index, who, who)
  }

  test("probes bring them back, for no request can", () => {
    const { board, fail, choose } = pool([1, 1], "fail")
    takeOut(fail)
    expect(choose(8, 8)).toBe("none")
    for (let probe = 0; probe < 2; probe++) board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(true)
    expect(choose(8, 8)).not.toBe("none")
  })

  test("with `try` it is answers that do", () => {
    const { board, roster, fail, choose } = pool([1, 1], "try")
    takeOut(fail)
    expect(choose(8, 8)).not.toBe("none")
    for (let probe = 0; probe < 2; probe++) board.probeSucceeded(0)
    expect(roster.allUnhealthy).toBe(true)
  })

  test("one that stays out while another is well still needs trials", () => {
    const { board, fail } = pool([1, 1], "fail")
    for (let who = 1; who <= 3; who++) fail(0, who, who)
    for (let probe = 0; probe < 4; probe++) board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(false)
  })
})

describe("trials", () => {
  test("follow each other at once when the first one was answered", () => {
    const { board, clock, fail, request } = pool([1, 1], "try")
    for (let i = 0; i < 3; i++) fail(0, 7, 7)
    clock.time = 10_000
    expect(board.nextTrial(request(7, 7), 0, true)).toBe(0)
    board.beginTrial(0)
    expect(board.nextTrial(request(7, 7), 0, true)).toBe(-1)
    board.answered(0, request(7, 7))
    expect(board.nextTrial(request(7, 7), 0, true)).toBe(0)
  })

  test.each(["response", "connection"] as const)(
    "are not looked for with each request where only probes are against all: %s",
    (reach) => {
      const { board, clock, request, choose } = pool([1, 1, 1, 1], "try")
      for (let index = 0; index < 4; index++) {
        for (let i = 0; i < 3; i++) board.probeFailed(index, "status 404", reach)
      }
      clock.time = 300
      choose(1, 1)
      for (let index = 0; index < 4; index++) board.answered(index, request(1, 1, index))
      expect(board.nextTrial(request(1, 1), 0, false)).toBe(-1)
    },
  )
})
