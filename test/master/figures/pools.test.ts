/** Several pools: one address in two of them is two backends, with a row, figures and a verdict of its own in each. */
import { expect, test } from "bun:test"
import { Slices } from "../../../src/core/slices.ts"
import { allBackends, splitLabel } from "../../../src/config/schema/pools.ts"
import { BackendTable } from "../../../src/master/figures/backend-table.ts"
import { exposeFleet } from "../../../src/master/figures/exposition.ts"
import { backendMoments } from "../../../src/master/figures/figures.ts"
import { HealthView, healthLine } from "../../../src/master/figures/health-view.ts"
import { healthOf, readinessOf } from "../../../src/master/figures/pool-health.ts"
import { backendRows, planOf, poolRows } from "../../../src/master/figures/status.ts"
import { WrongPageWatch } from "../../../src/master/figures/wrong-page.ts"
import type { Samples } from "../../../src/observe/snapshot.ts"
import { ToldBackend } from "../series.ts"
import { pooledSettings, testBackend } from "../settings.ts"

const settings = pooledSettings({
  default: { backends: [testBackend("a:80")] },
  api: {
    backends: [testBackend("a:80", { weight: 3 }), testBackend("b:80")],
    strategy: "weighted",
  },
})

const sick = { healthy: false, reason: "3 failures, last: timeout", since: 9 }
const page = { against: "page", reason: "3 probes failed, last: status 404" } as const

/** As two workers tell it, each row with so many requests. */
function tableOf(rows: Readonly<Record<string, [requests: number, healthy: boolean]>>) {
  const table = new BackendTable()
  table.keep(new Set(allBackends(settings).map(({ label }) => label)))
  for (const worker of [0, 1]) {
    Object.entries(rows).forEach(([name, [requests, healthy]], row) => {
      const told = new ToldBackend(name, row)
      for (let i = 0; i < requests; i++) told.figures.answered(200, 1)
      table.apply(worker, told.chunk(healthy ? {} : sick))
    })
  }
  return table
}

const table = tableOf({ "a:80": [5, true], "api/a:80": [1, false], "api/b:80": [0, true] })
const workers = new Set([0, 1])

test.each([
  ["10.0.0.1:80", null, "10.0.0.1:80"],
  ["api/10.0.0.1:80", "api", "10.0.0.1:80"],
  ["api/[::1]:80", "api", "[::1]:80"],
  ["dns+http://web:80", null, "dns+http://web:80"],
  ["api/dns+http://web:80", "api", "dns+http://web:80"],
  ["https://web:443", null, "https://web:443"],
  ["10.0.0.1:443,tls,ca=/etc/ca.pem", null, "10.0.0.1:443,tls,ca=/etc/ca.pem"],
  ["api/", "api", ""],
  ["", null, ""],
] as const)("%s is of pool %s", (label, pool, name) => {
  expect(splitLabel(label)).toEqual({ pool, name })
})

test("status has a row for each backend of each pool, and a line for each pool", async () => {
  const plans = allBackends(settings).map((each) => planOf(each, false))
  const rows = await backendRows(plans, table, workers, new Slices(true))
  expect(
    rows.map(({ name, pool, state, weight, requests }) => [name, pool, state, weight, requests]),
  )
    // The order is that of the settings.
    .toEqual([
      ["a:80", "default", "up", 1, 10],
      ["api/a:80", "api", "down", 3, 2],
      ["api/b:80", "api", "up", 1, 0],
    ])
  expect(poolRows(settings, rows)).toEqual([
    { name: "default", strategy: "round_robin", listeners: ["default"], backends: 1, usable: 1 },
    { name: "api", strategy: "weighted", listeners: ["api"], backends: 2, usable: 1 },
  ])
})

test("what has left a pool is told with its pool", async () => {
  const plans = allBackends(settings)
    .slice(0, 1)
    .map((each) => planOf(each, false))
  const rows = await backendRows(plans, table, workers, new Slices(true))
  expect(rows.map(({ name, pool, reason }) => [name, pool, reason])).toEqual([
    ["a:80", "default", ""],
    ["api/a:80", "api", "removed"],
    ["api/b:80", "api", "removed"],
  ])
})

test("series of the default pool are as without pools; others name theirs", async () => {
  const samples: Samples = {}
  const slices = new Slices(false)
  const moments = await backendMoments(samples, settings, table, workers, slices)
  const text = await new Blob(await exposeFleet(samples, moments, slices)).text()
  const lines = text.split("\n").filter((line) => !line.startsWith("#"))
  const those = (start: string) => lines.filter((line) => line.startsWith(start))
  expect(those("bunlb_backend_up")).toEqual([
    'bunlb_backend_up{backend="a:80"} 1',
    'bunlb_backend_up{backend="api/a:80",pool="api"} 0',
    'bunlb_backend_up{backend="api/b:80",pool="api"} 1',
  ])
  expect(those("bunlb_requests_total")).toEqual([
    'bunlb_requests_total{backend="a:80",code="200"} 10',
    'bunlb_requests_total{backend="api/a:80",pool="api",code="200"} 2',
  ])
  expect(those("bunlb_backend_weight")).toContain(
    'bunlb_backend_weight{backend="api/a:80",pool="api"} 3',
  )
  expect(those("bunlb_backends")).toEqual(["bunlb_backends 3", "bunlb_backends_usable 2"])
  expect(those("bunlb_pool_backends")).toEqual([
    'bunlb_pool_backends{pool="api"} 2',
    'bunlb_pool_backends{pool="default"} 1',
    'bunlb_pool_backends_usable{pool="api"} 1',
    'bunlb_pool_backends_usable{pool="default"} 1',
  ])
})

test("a fleet is unhealthy when a pool that a listener uses has no healthy backend, and says which", () => {
  const view = new HealthView()
  const change = { worker: 0, at: 0, healthy: false, reason: "3 failures, last: timeout" }
  expect(healthOf(settings, view, [0])).toEqual({ ok: true, reason: "ok" })
  view.apply({ ...change, backend: "api/a:80" })
  expect(healthOf(settings, view, [0]).ok).toBeTrue()
  const told = view.apply({ ...change, backend: "api/b:80", ...page })
  expect(told && healthLine(told)).toBe(`backend api/b:80 is unhealthy: ${page.reason}`)
  const { ok, reason } = healthOf(settings, view, [0])
  expect([ok, reason]).toEqual([
    false,
    "no backend is healthy in pool api: 1 of 2 take connections but do not answer GET / as " +
      `expected (${page.reason}); see health.path, health.expect or health.timeout`,
  ])
  const unused = { ...settings, listeners: settings.listeners.slice(0, 1) }
  expect(healthOf(unused, view, [0])).toEqual({ ok: true, reason: "ok" })
  view.apply({ ...change, backend: "a:80" })
  expect(healthOf(settings, view, [0]).reason).toStartWith(
    "no backend is healthy; no backend is healthy in pool api: ",
  )
})

test("requests are taken as soon as one pool has a backend", () => {
  const empty = { backends: [] }
  const some = { backends: [testBackend("a:80")] }
  const reason = "no backend is known yet"
  expect(readinessOf(pooledSettings({ api: empty, web: some })).ok).toBeTrue()
  expect(readinessOf(pooledSettings({ api: empty, web: empty }))).toEqual({ ok: false, reason })
  const only = `${reason} in pool api`
  expect(readinessOf(pooledSettings({ api: empty }))).toEqual({ ok: false, reason: only })
  expect(readinessOf(pooledSettings({ default: empty }))).toEqual({ ok: false, reason })
})

test("the warning of a wrong health page is of one pool, by its own path and fate", () => {
  const view = new HealthView()
  const watch = new WrongPageWatch()
  const { pools } = pooledSettings({
    default: { backends: [testBackend("a:80")] },
    api: { backends: [testBackend("a:80")], whenAllUnhealthy: "fail" },
  })
  view.apply({ worker: 0, at: 0, healthy: false, backend: "api/a:80", ...page })
  expect(watch.look(view, pools)).toEqual([
    "no backend is healthy in pool api: 1 of 1 take connections but do not answer GET / as " +
      `expected (${page.reason}): clients get 503. ` +
      "If they are well, change health.path, health.expect or health.timeout",
  ])
  view.apply({ worker: 0, at: 0, healthy: false, backend: "a:80", ...page })
  expect(watch.look(view, pools)).toEqual([expect.stringMatching(/^no backend is healthy: 1 of 1/)])
  expect(watch.look(view, pools)).toEqual([])
})
