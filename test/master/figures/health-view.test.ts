/** Many workers' health of a backend as one story. */
import { describe, expect, test } from "bun:test"
import type { Settings } from "../../../src/config/schema/settings.ts"
import { HealthView, healthLine } from "../../../src/master/figures/health-view.ts"
import { WrongPageWatch, wrongPageHint } from "../../../src/master/figures/wrong-page.ts"
import { present } from "../../support/present.ts"
import { testBackend, testSettings } from "../settings.ts"

const sick = (worker: number, at: number, backend = "a:80") => ({
  ...{ worker, backend, at, healthy: false, reason: "3 failures, last: connect refused" },
})
const well = (worker: number, at: number, backend = "a:80") => ({
  ...{ worker, backend, at, healthy: true, reason: "2 successes" },
})

test("unhealthy when the first worker says so, healthy when the last one does", () => {
  const view = new HealthView()
  expect(view.apply(sick(0, 1_000))?.outageMs).toBeNull()
  expect(view.apply(sick(1, 2_000))).toBeNull()
  expect(view.apply(well(0, 3_000))).toBeNull()
  expect(view.apply(well(1, 13_000))?.outageMs).toBe(12_000)
  expect(view.apply(sick(1, 14_000))?.outageMs).toBeNull()
})

test("a backend that was never unhealthy does not become healthy, nor twice unhealthy for one worker", () => {
  const view = new HealthView()
  expect(view.apply(well(0, 0))).toBeNull()
  expect(view.apply(sick(0, 1))).not.toBeNull()
  expect(view.apply(sick(0, 2))).toBeNull()
  expect(view.apply(well(1, 3))).toBeNull()
})

test("a dead worker's opinion dies with it", () => {
  const view = new HealthView()
  view.apply(sick(0, 1_000))
  view.apply(sick(0, 1_000, "b:80"))
  view.apply(sick(1, 1_000, "b:80"))
  expect(view.forget(0, 5_000).map(({ backend, healthy }) => ({ backend, healthy }))).toEqual([
    { backend: "a:80", healthy: true },
  ])
  expect(view.isUpFor("b:80", [1])).toBeFalse()
})

test("a backend is up for a fleet when one worker that serves finds it so", () => {
  const view = new HealthView()
  expect(view.isUpFor("a:80", [])).toBeFalse()
  expect(view.isUpFor("a:80", [0, 1])).toBeTrue()
  view.apply(sick(0, 0))
  expect(view.isUpFor("a:80", [0, 1])).toBeTrue()
  expect(view.isUpFor("a:80", [0])).toBeFalse()
})

const poolOf = ({ pools }: Settings) => present(pools[0])

describe("the warning of a wrong health page", () => {
  const page = { against: "page", reason: "3 probes failed, last: status 404" } as const
  const silent = {
    against: "silent",
    reason: "3 probes failed, last: no answer within 2s",
  } as const
  const settings = testSettings({ backends: [testBackend("a:80"), testBackend("b:80")] })
  const line = (count: number, reason: string): string =>
    `no backend is healthy: ${count} of 2 take connections but do not answer GET / as expected ` +
    `(${reason}): requests are shared among them. ` +
    "If they are well, change health.path, health.expect or health.timeout"

  test.each([
    ["each has the wrong status", page, page, line(2, page.reason)],
    ["no page answers", silent, silent, line(2, silent.reason)],
    ["one page answers and one does not", silent, page, line(2, silent.reason)],
    ["the other one cannot be reached", { against: "probes" }, page, line(1, page.reason)],
    ["requests are against the other one", { against: "requests" }, page, line(1, page.reason)],
    ["none can be reached", { against: "probes" }, { against: "probes" }, null],
    ["an older version does not say why", {}, {}, null],
  ] as const)("when %s", (_what, first, second, expected) => {
    const view = new HealthView()
    view.apply({ ...sick(0, 0), ...first })
    expect(new WrongPageWatch().look(view, settings.pools)).toEqual([])
    view.apply({ ...sick(0, 0, "b:80"), ...second })
    const lines = expected === null ? [] : [expected]
    expect(new WrongPageWatch().look(view, settings.pools)).toEqual(lines)
    expect(wrongPageHint(view, poolOf(settings)) === "").toBe(expected === null)
  })

  test("comes once, and again after it was no longer true", () => {
    const view = new HealthView()
    const watch = new WrongPageWatch()
    for (const name of ["a:80", "b:80"]) view.apply({ ...sick(0, 0, name), ...page })
    expect(watch.look(view, settings.pools)).toHaveLength(1)
    expect(watch.look(view, settings.pools)).toEqual([])
    view.apply(well(0, 5, "b:80"))
    expect(watch.look(view, settings.pools)).toEqual([])
    view.apply({ ...sick(0, 6, "b:80"), ...page })
    const failing = testSettings({ whenAllUnhealthy: "fail" })
    expect(watch.look(view, failing.pools)).toEqual([expect.stringContaining("clients get 503")])
  })

  test("leaves out backends that are drained or disabled by hand", () => {
    const view = new HealthView()
    const backends = [testBackend("a:80"), testBackend("b:80", { duty: "off" })]
    view.apply({ ...sick(0, 0), ...page })
    expect(wrongPageHint(view, poolOf(testSettings({ backends })))).toContain("1 of 1")
    expect(wrongPageHint(new HealthView(), poolOf(testSettings({ backends })))).toBe("")
    expect(wrongPageHint(view, poolOf(testSettings({ backends: [] })))).toBe("")
  })
})

test("what one worker found goes when it finds the backend well, whoever else does not", () => {
  const view = new HealthView()
  view.apply({ ...sick(0, 1), against: "requests" })
  view.apply({ ...sick(1, 2), against: "page", reason: "3 probes failed, last: status 404" })
  expect(view.ailing()).toMatchObject([{ against: "requests", reason: sick(0, 0).reason }])
  view.apply(well(0, 3))
  expect(view.ailing()).toMatchObject([
    { since: 1, against: "page", reason: "3 probes failed, last: status 404" },
  ])
})

test("what one that follows is told names the record that is against a backend", () => {
  const view = new HealthView()
  view.apply({ ...sick(0, 7), against: "probes" })
  const { reason } = sick(0, 7)
  expect(view.ailing()).toEqual([{ backend: "a:80", since: 7, reason, against: "probes" }])
})

test("the line names backend, state, length of the outage and reason", () => {
  expect(healthLine({ ...sick(0, 0), outageMs: null })).toBe(
    "backend a:80 is unhealthy: 3 failures, last: connect refused",
  )
  expect(healthLine({ ...well(0, 0), outageMs: 12_300 })).toBe(
    "backend a:80 is healthy again after 12 s: 2 successes",
  )
  expect(healthLine({ ...well(0, 0), outageMs: 20 })).toContain("after 1 s")
})
