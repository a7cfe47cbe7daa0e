/** Many workers' health of a backend as one story. */
import { expect, test } from "bun:test"
import { HealthView, healthLine } from "../../src/fleet/health-view.ts"
import { WrongPageWatch, wrongPage } from "../../src/fleet/wrong-page.ts"
import { testBackend, testSettings } from "./settings.ts"

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

test("the wrong page is told of when nothing else is against any backend, once until that ends", () => {
  const view = new HealthView()
  const watch = new WrongPageWatch()
  const settings = testSettings({ backends: [testBackend("a:80"), testBackend("b:80")] })
  const page = { against: "page", reason: "3 probes failed, last: status 404" } as const
  view.apply({ ...sick(0, 0), ...page })
  expect(watch.look(view, settings)).toBeNull()
  view.apply({ ...sick(0, 0, "b:80"), against: "requests" })
  expect(watch.look(view, settings)).toBeNull()
  // The requests are well again, the page is not.
  view.apply({ ...sick(0, 0, "b:80"), ...page })
  expect(watch.look(view, settings)).toBe(
    "every backend answers GET / otherwise than expected (3 probes failed, last: status 404): " +
      "requests are shared among all of them. " +
      "If the backends are well, change health.path or health.expect",
  )
  expect(watch.look(view, settings)).toBeNull()
  view.apply(well(0, 5, "b:80"))
  expect(watch.look(view, settings)).toBeNull()
  view.apply({ ...sick(0, 6, "b:80"), ...page })
  expect(watch.look(view, { ...settings, whenAllUnhealthy: "fail" })).toContain("clients get 503")
})

test("backends that are drained or disabled by hand do not count for the wrong page", () => {
  const view = new HealthView()
  const backends = [testBackend("a:80"), testBackend("b:80", { duty: "off" })]
  view.apply({ ...sick(0, 0), against: "page" })
  expect(wrongPage(view, testSettings({ backends }))).not.toBeNull()
  expect(wrongPage(new HealthView(), testSettings({ backends }))).toBeNull()
  expect(wrongPage(view, testSettings({ backends: [] }))).toBeNull()
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
