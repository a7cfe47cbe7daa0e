/** A backend as many workers see it. */
import { expect, test } from "bun:test"
import { parseStat, readProcess } from "../../src/fleet/process-figures.ts"
import { mergeBackend } from "../../src/fleet/status.ts"
import { onLinux } from "../support/left-out.ts"
import type { BackendReport, WorkerReport } from "../../src/observe/snapshot.ts"

const past = { name: "a:80", tls: false, weight: 1, backup: false, requests: 100, failures: 1 }

function workers(...views: Partial<BackendReport>[]): WorkerReport[] {
  return views.map((view, index) => {
    const backend = {
      ...{ name: "a:80", tls: false, weight: 1, backup: false, healthy: true, draining: false },
      ...{ since: 0, reason: "", active: 1, idle: 2, requests: 3, failures: 4 },
      ...{ addresses: ["10.0.0.1"], ...view },
    }
    const other = { ...backend, name: "b:80" }
    const figures = { uptime: 0, clients: 0, inFlight: 0, draining: false, samples: {} }
    return { index, pid: index, ...figures, backends: [other, backend] }
  })
}

test("figures add up over the living and the dead, addresses are a set", () => {
  expect(mergeBackend(past, workers({}, { addresses: ["10.0.0.1", "10.0.0.2"] }))).toEqual({
    ...{ name: "a:80", tls: false, weight: 1, backup: false, state: "up" },
    ...{ healthyWorkers: 2, workers: 2, since: null, reason: "", active: 2, idle: 4 },
    ...{ requests: 106, failures: 9, addresses: ["10.0.0.1", "10.0.0.2"] },
  })
})

test("up, degraded, down and draining", () => {
  const well = { since: 50, reason: "2 successes" }
  const sick = { healthy: false, since: 20, reason: "3 failures, last: timeout" }
  const state = (...views: Partial<BackendReport>[]) => {
    const { state, since, reason } = mergeBackend(past, workers(...views))
    return { state, since, reason }
  }
  expect(state(well, {})).toEqual({ state: "up", ...well })
  expect(state(well, sick)).toEqual({ state: "degraded", since: 20, reason: sick.reason })
  expect(state(sick, { ...sick, since: 30 })).toMatchObject({ state: "down", since: 30 })
  expect(state({ draining: true }, sick)).toMatchObject({ state: "draining" })
  expect(mergeBackend(past, [])).toMatchObject({ state: "down", reason: "no worker serves" })
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
