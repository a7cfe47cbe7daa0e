/** The figures of backends over workers that come, die and go, and backends that do the same. */
import { expect, test } from "bun:test"
import type { Settings } from "../../../src/config/schema/settings.ts"
import { BackendTable } from "../../../src/master/figures/backend-table.ts"
import { exposeFleet } from "../../../src/master/figures/exposition.ts"
import { backendMoments } from "../../../src/master/figures/figures.ts"
import { Slices } from "../../../src/core/slices.ts"
import { ACTIVE, REQUESTS } from "../../../src/observe/backend-series.ts"
import type { Samples } from "../../../src/observe/snapshot.ts"
import { ToldBackend, factsAlone, factsOf } from "../series.ts"
import { testBackend, testSettings } from "../settings.ts"

const none = { reasons: [], facts: [], cells: new Float64Array(0), gone: [] }

/** The lines of a scrape that begin with `name`. */
async function scrape(
  table: BackendTable,
  settings: Settings,
  workers: readonly number[],
  name: string,
): Promise<string[]> {
  table.keep(new Set(settings.backends.map((backend) => backend.name)))
  const samples: Samples = {}
  const slices = new Slices(false)
  const moments = await backendMoments(samples, settings, table, new Set(workers), slices)
  const text = await new Blob(await exposeFleet(samples, moments, slices)).text()
  return text.split("\n").filter((line) => line.startsWith(name))
}

test("no counter falls over any number of deaths, and gauges do", async () => {
  const table = new BackendTable()
  const settings = testSettings({ backends: [testBackend("a:80")] })
  let before = 0
  for (let life = 1; life <= 20; life++) {
    const told = new ToldBackend("a:80")
    Object.assign(told.figures, { active: 3 })
    for (let i = 0; i < life * 7; i++) told.figures.answered(200, 4)
    told.failures = life
    table.apply(life, told.chunk())
    const totals = table.get("a:80")
    expect(totals?.numbers[ACTIVE]).toBe(3)
    table.retire(life)
    expect(totals?.numbers[ACTIVE]).toBe(0)
    expect(totals?.numbers[REQUESTS]).toBeGreaterThan(before)
    before = totals?.numbers[REQUESTS] ?? 0
  }
  expect(await scrape(table, settings, [], "bunlb_requests_total")).toEqual([
    'bunlb_requests_total{backend="a:80",code="200"} 1470',
  ])
  expect(await scrape(table, settings, [], "bunlb_backend_failures_total")).toEqual([
    'bunlb_backend_failures_total{backend="a:80",reason="timeout"} 210',
  ])
  const durations = await scrape(table, settings, [], "bunlb_request_duration_seconds")
  expect(durations).toHaveLength(17 + 2)
  expect(durations[2]).toEndWith('le="0.0025"} 0')
  expect(durations[3]).toEndWith('le="0.005"} 1470')
  expect(durations.at(-1)).toEndWith('_count{backend="a:80"} 1470')
  expect(await scrape(table, settings, [], "bunlb_backend_up")).toEqual([
    'bunlb_backend_up{backend="a:80"} 0',
  ])
})

test("what was counted for a backend that has left stays, what it held does not", async () => {
  const table = new BackendTable()
  const settings = testSettings({ backends: [testBackend("b:80")] })
  const told = new ToldBackend("a:80", 4)
  Object.assign(told.figures, { active: 3 })
  told.figures.answered(503, 1)
  table.apply(1, told.chunk())
  table.apply(1, { ...none, gone: [4] })
  const lines = await scrape(table, settings, [1], "bunlb_")
  const ofA = lines.filter((line) => line.includes('"a:80"'))
  expect(ofA).toContain('bunlb_requests_total{backend="a:80",code="503"} 1')
  expect(ofA.filter((line) => /_(up|usable|state|weight|connections)\{/.test(line))).toEqual([])
  // The number of its row may be another's now.
  table.apply(1, { ...none, facts: [factsOf(4, "c:80")], cells: new Float64Array([4, 200, 9]) })
  expect(table.get("c:80")?.codes.get(200)).toBe(9)
  expect(table.get("a:80")?.codes.get(200)).toBeUndefined()
})

test("of those that have left the last 64 are known, and all that have come back", () => {
  const table = new BackendTable()
  table.keep(new Set(["h0:80"]))
  for (let i = 0; i < 70; i++) {
    const told = new ToldBackend(`h${i}:80`, i)
    told.figures.answered(200, 1)
    table.apply(1, told.chunk())
    table.apply(1, { ...none, gone: [i] })
  }
  expect(table.all).toHaveLength(65)
  expect(table.get("h0:80")?.numbers[REQUESTS]).toBe(1)
  expect(table.get("h5:80")).toBeUndefined()
  expect(table.get("h6:80")?.numbers[REQUESTS]).toBe(1)
})

const duties = { none: undefined, linger: "linger", drain: "drain", off: "off" } as const

test.each([
  ["none", [true, true], "up", 1],
  ["none", [true, false], "degraded", 1],
  ["none", [false, false], "down", 0],
  ["none", [], "down", 0],
  ["linger", [true, true], "draining", 0],
  ["drain", [true, true], "draining", 0],
  ["off", [true, true], "disabled", 0],
  ["off", [false, false], "disabled", 0],
] as const)(
  "a backend with duty %s and workers' views %p is %s",
  async (word, views, state, usable) => {
    const duty = duties[word]
    const a = { ...testBackend("a:80"), weight: 7, ...(duty === undefined ? {} : { duty }) }
    const settings = testSettings({ backends: [a] })
    const table = new BackendTable()
    views.forEach((healthy, worker) => {
      table.apply(worker, factsAlone(factsOf(0, "a:80", { healthy })))
    })
    const lines = (name: string) => scrape(table, settings, [...views.keys()], name)
    const own = 'backend="a:80"'
    expect(await lines("bunlb_backend_usable")).toEqual([`bunlb_backend_usable{${own}} ${usable}`])
    expect(await lines("bunlb_backend_weight")).toEqual([`bunlb_backend_weight{${own}} 7`])
    expect(await lines("bunlb_backends")).toEqual([
      "bunlb_backends 1",
      `bunlb_backends_usable ${usable}`,
    ])
    const states = ["up", "degraded", "down", "draining", "disabled"]
    expect(await lines("bunlb_backend_state")).toEqual(
      states.map((each) => `bunlb_backend_state{${own},state="${each}"} ${each === state ? 1 : 0}`),
    )
  },
)

test.each([
  [[null, null], []],
  [[null, "page"], ["page"]],
  [["page", "requests"], ["requests"]],
  [["silent", "probes"], ["probes"]],
] as const)("what workers have against a backend, %p, is a metric: %p", async (found, told) => {
  const settings = testSettings({ backends: [testBackend("a:80")] })
  const table = new BackendTable()
  found.forEach((against, worker) => {
    table.apply(worker, factsAlone(factsOf(0, "a:80", { healthy: against === null, against })))
  })
  expect(await scrape(table, settings, [0, 1], "bunlb_backend_against")).toEqual(
    told.map((record) => `bunlb_backend_against{backend="a:80",record="${record}"} 1`),
  )
})
