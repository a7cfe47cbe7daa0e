/** The headline says what clients feel first: an outage, errors, too few backends, and then what may come of it. */
import { describe, expect, test } from "bun:test"
import { headline } from "../../../src/admin/dashboard/headline.ts"
import type { Moment } from "../../../src/master/figures/live.ts"
import type { BackendState } from "../../../src/master/figures/status.ts"

const NOW = 1_000_000

function moment(secondsAgo: number, success: number, failed: number, cut?: number): Moment {
  const at = NOW - secondsAgo * 1_000
  return cut === undefined
    ? [at, success, 0, 0, failed, 1, 2, 0, 0]
    : [at, success, 0, 0, failed, 1, 2, 0, 0, cut]
}

function say(states: readonly BackendState[], moments: readonly Moment[] = [], more = {}): string {
  const backends = states.map((state) => ({ state }))
  const status = { draining: false, backends, workers: [{ state: "serving" }], ...more }
  const { tone, text } = headline(status, moments, NOW)
  return `${tone}: ${text}`
}

describe("the headline", () => {
  test.each([
    [["up"], "good: backend up"],
    [["up", "up"], "good: all 2 backends up"],
    [["up", "degraded"], "warn: 1 of 2 backends degraded"],
    [["up", "draining"], "warn: 1 of 2 backends out by hand"],
    [["up", "down", "degraded"], "warn: 1 of 3 backends down"],
    [["up", "down", "down"], "bad: only 1 of 3 backends usable"],
    [["down", "down"], "bad: no usable backend: all are down"],
    [["down", "disabled"], "bad: no usable backend: some are out by hand"],
    [["draining", "disabled"], "bad: no usable backend: all are out by hand"],
    [[], "bad: no backend is known"],
  ] as const)("for %p", (states, text) => expect(say(states)).toBe(text))

  test("is about the workers and the drain before anything else", () => {
    expect(say(["down"], [], { draining: true })).toBe("warn: draining")
    expect(say(["up"], [], { workers: [{ state: "resting" }] })).toBe("bad: no worker serves")
  })

  test("tells of a pool whose clients have no backend", () => {
    const pool = (name: string, usable: number, ...listeners: readonly string[]) => {
      return { name, usable, listeners }
    }
    const say2 = (...pools: readonly ReturnType<typeof pool>[]) =>
      say(["up", "down"], [moment(3, 60, 40)], { pools })
    expect(say2(pool("web", 1, "a"), pool("api", 0, "b"))).toBe(
      "bad: pool api has no usable backend",
    )
    expect(say2(pool("web", 1, "a"), pool("api", 0, "b"), pool("x", 0, "c"))).toBe(
      "bad: 2 pools have no usable backend",
    )
    // One that no listener names has no clients.
    expect(say2(pool("web", 1, "a"), pool("api", 0))).toBe("bad: 40% of answers are 5xx")
    expect(say(["down"], [], { pools: [pool("web", 0, "a")] })).toBe(
      "bad: no usable backend: all are down",
    )
  })

  test("counts errors of the last ten seconds", () => {
    expect(say(["up"], [moment(11, 0, 100), moment(9, 100, 0)])).toBe("good: backend up")
    expect(say(["up"], [moment(3, 98, 2)])).toBe("warn: 2.0% of answers are 5xx")
    expect(say(["up"], [moment(3, 80, 20)])).toBe("bad: 20% of answers are 5xx")
  })

  test("counts answers that were cut short, which an older bunlb did not", () => {
    expect(say(["up"], [moment(3, 100, 0, 20)])).toBe("bad: 20% of answers are cut short")
    const both = [moment(3, 98, 2, 1), moment(2, 100, 0)]
    expect(say(["up"], both)).toBe("warn: 1.5% of answers are 5xx or cut short")
    expect(say(["up"], [moment(3, 1, 0, 9)])).toBe("bad: 100% of answers are cut short")
  })
})
