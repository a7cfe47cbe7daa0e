/** A backend as many workers see it. */
import { expect, test } from "bun:test"
import { parseStat, readProcess } from "../../../src/master/figures/process-figures.ts"
import { BackendTable } from "../../../src/master/figures/backend-table.ts"
import { Slices } from "../../../src/core/slices.ts"
import { backendRows, mergeBackend } from "../../../src/master/figures/status.ts"
import { onLinux } from "../../support/left-out.ts"
import type { BackendFacts } from "../../../src/observe/backend-series.ts"
import { ToldBackend, factsAlone, factsOf } from "../series.ts"

const plan = { name: "a:80", pool: "default", tls: false, weight: 1, backup: false }

/** Each with one request in flight, 2 idle connections, 3 requests and 4 failures. */
function merged(...views: Partial<BackendFacts>[]) {
  const table = new BackendTable()
  views.forEach((view, worker) => {
    const [other, own] = [new ToldBackend("b:80", 0), new ToldBackend("a:80", 1)]
    table.apply(worker, other.chunk())
    Object.assign(own.figures, { active: 1 })
    own.failures = 4
    for (let i = 0; i < 3; i++) own.figures.answered(200, 1)
    table.apply(worker, own.chunk({ addresses: ["10.0.0.1"], ...view }))
  })
  return mergeBackend(plan, table.get("a:80"), new Set(views.keys()))
}

test("figures add up, addresses are a set", () => {
  expect(merged({}, { addresses: ["10.0.0.1", "10.0.0.2"] })).toEqual({
    ...{ name: "a:80", pool: "default", tls: false, weight: 1, backup: false, state: "up" },
    ...{ healthyWorkers: 2, workers: 2, since: null, reason: "", active: 2, idle: 0 },
    ...{ requests: 6, failures: 8, addresses: ["10.0.0.1", "10.0.0.2"] },
  })
})

test("up, degraded, down and draining", () => {
  const well = { since: 50, reason: "2 successes" }
  const sick = { healthy: false, since: 20, reason: "3 failures, last: timeout" }
  const state = (...views: Partial<BackendFacts>[]) => {
    const { state, since, reason } = merged(...views)
    return { state, since, reason }
  }
  expect(state(well, {})).toEqual({ state: "up", ...well })
  expect(state(well, sick)).toEqual({ state: "degraded", since: 20, reason: sick.reason })
  expect(state(sick, { ...sick, since: 30 })).toMatchObject({ state: "down", since: 30 })
  expect(state({ draining: true }, sick)).toMatchObject({ state: "draining" })
  expect(merged()).toMatchObject({ state: "down", reason: "no worker serves" })
})

test("the opinion of a worker that leaves does not count, what it has under way does", async () => {
  const table = new BackendTable()
  const [stays, leaves] = [new ToldBackend("a:80"), new ToldBackend("a:80")]
  Object.assign(leaves.figures, { active: 5 })
  table.apply(1, stays.chunk())
  table.apply(2, leaves.chunk({ healthy: false, reason: "1 failure, last: timeout", since: 9 }))
  const workers = new Set([1])
  expect(mergeBackend(plan, table.get("a:80"), workers)).toMatchObject({ state: "up", active: 5 })
  table.apply(1, factsAlone(factsOf(1, "left:80", { draining: true })))
  table.apply(2, factsAlone(factsOf(1, "long-gone:80", { draining: true })))
  const rows = await backendRows([plan], table, workers, new Slices(true))
  expect(rows.map(({ name, state, reason }) => [name, state, reason])).toEqual([
    ["a:80", "up", ""],
    ["left:80", "draining", "removed"],
  ])
})

test("a process's name in /proc may hold anything", () => {
  const stat = `12 (a) R ) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 4200 0`
  expect(parseStat(stat)).toEqual({ cpuTicks: 200, startTicks: 4200 })
})

onLinux("what the kernel tells of a process", "there is no /proc")(
  "this process is found in /proc, one that is not there is not",
  () => {
    const figures = readProcess(process.pid)
    expect(figures?.residentBytes).toBeGreaterThan(1024 * 1024)
    expect(figures?.openFds).toBeGreaterThan(3)
    expect(Math.abs((figures?.startTime ?? 0) - Date.now() / 1000)).toBeLessThan(3_600)
    expect(readProcess(2 ** 22 + 1)).toBeNull()
  },
)
