/** Figures of many workers as one, the dead included. */
import { expect, test } from "bun:test"
import { fleetSamples } from "../../src/fleet/figures.ts"
import { Ledger } from "../../src/fleet/ledger.ts"
import { addLive, addRetired } from "../../src/fleet/merge.ts"
import type { Death } from "../../src/fleet/slot.ts"
import { mergeBackend } from "../../src/fleet/status.ts"
import type { BackendReport, Samples, WorkerReport } from "../../src/observe/snapshot.ts"
import { testBackend, testSettings } from "./settings.ts"

function report(
  index: number,
  samples: Samples,
  backend: Partial<BackendReport> = {},
): WorkerReport {
  const a = {
    ...{ name: "a:80", tls: false, weight: 1, backup: false, healthy: true, draining: false },
    ...{ since: 0, reason: "", active: 0, idle: 0, requests: 0, failures: 0, addresses: [] },
    ...backend,
  }
  const figures = { uptime: 0, clients: 0, inFlight: 0, draining: false }
  return { index, pid: 100 + index, ...figures, backends: [a], samples }
}

function death(of: WorkerReport | null, more: Partial<Death> = {}): Death {
  const end = { reason: "killed", story: "", pid: 1, livedMs: 0, cpuSeconds: 1.5 } as const
  return { ...end, expected: false, report: of, restartInMs: 0, ...more }
}

const busy = (requests: number, clients: number): Samples => ({
  bunlb_requests_total: { 'backend="a:80",code="200"': requests },
  bunlb_request_duration_seconds_bucket: { 'backend="a:80",le="+Inf"': requests },
  bunlb_client_connections: { "": clients },
  bunlb_worker_connections: { "": clients },
  bunlb_backend_up: { 'backend="a:80"': clients > 0 ? 1 : 0 },
})

test("counters, histograms and gauges add up, health is the best view, workers stay apart", () => {
  const total: Samples = {}
  addLive(total, report(0, busy(10, 3)))
  addLive(total, report(1, busy(5, 0)))
  expect(total).toEqual({
    bunlb_requests_total: { 'backend="a:80",code="200"': 15 },
    bunlb_request_duration_seconds_bucket: { 'backend="a:80",le="+Inf"': 15 },
    bunlb_client_connections: { "": 3 },
    bunlb_worker_connections: { 'worker="0"': 3, 'worker="1"': 0 },
    bunlb_backend_up: { 'backend="a:80"': 1 },
  })
})

test("the dead keep their counters and lose their gauges", () => {
  const total: Samples = {}
  addRetired(total, report(0, busy(10, 3)))
  addLive(total, report(0, busy(1, 2)))
  expect(total["bunlb_requests_total"]).toEqual({ 'backend="a:80",code="200"': 11 })
  expect(total["bunlb_client_connections"]).toEqual({ "": 2 })
  expect(total["bunlb_worker_connections"]).toEqual({ 'worker="0"': 2 })
})

test("what is not a family, or is the fleet's own, is not taken from a worker", () => {
  const total: Samples = {}
  addLive(total, report(0, { bunlb_nonsense: { "": 1 }, bunlb_workers: { "": 9 } }))
  expect(total).toEqual({})
})

test("no counter of the fleet falls over any number of deaths", () => {
  const ledger = new Ledger()
  const settings = testSettings()
  const facts = { settings, ledger, serving: 1, processes: [], discovered: [] }
  let before = 0
  for (let life = 1; life <= 20; life++) {
    const last = report(0, busy(life * 7, 1), { requests: life * 7, failures: life })
    for (const reports of [[last], []]) {
      const samples = fleetSamples({ ...facts, reports })
      const now = samples["bunlb_requests_total"]?.['backend="a:80",code="200"'] ?? 0
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
      if (reports.length > 0) ledger.bury(0, death(last))
    }
  }
  expect(before).toBe(7 * 210)
  const past = ledger.past(testBackend("a:80"))
  expect(mergeBackend(past, [])).toMatchObject({ requests: 7 * 210, failures: 210 })
  expect(ledger.restarts()).toMatchObject({ 'reason="killed"': 20, 'reason="hung"': 0 })
})

test("what was counted for a backend that has left stays, what it held does not", () => {
  const ledger = new Ledger()
  const own = { 'backend="",code="503"': 2 }
  const counts = { ...busy(5, 1)["bunlb_requests_total"], ...own }
  ledger.bury(0, death(report(0, { ...busy(5, 1), bunlb_requests_total: counts })))
  ledger.keep(new Set(["a:80"]))
  expect(ledger.samples()["bunlb_requests_total"]).toEqual(counts)
  ledger.keep(new Set(["b:80"]))
  expect(ledger.samples()["bunlb_requests_total"]).toEqual(counts)
  expect(ledger.samples()["bunlb_backend_up"]).toEqual({})
})

test("those that left longest ago are forgotten first, and none that has come back", () => {
  const ledger = new Ledger()
  const name = (i: number): string => `h${i}:80`
  const labels = (i: number): string => `backend="${name(i)}",code="200"`
  for (let i = 0; i < 70; i++) {
    const samples = { bunlb_requests_total: { [labels(i)]: 1 } }
    ledger.bury(0, death(report(0, samples, { name: name(i), requests: 1 })))
    ledger.keep(new Set([name(0)]))
  }
  const known = Object.keys(ledger.samples()["bunlb_requests_total"] ?? {})
  expect(known).toEqual([0, ...Array.from({ length: 64 }, (_, i) => i + 6)].map(labels))
  expect(ledger.past(testBackend(name(0))).requests).toBe(1)
  expect(ledger.past(testBackend(name(1))).requests).toBe(0)
})

test("a death that is not followed by a start is no restart, and one without a report is counted", () => {
  const ledger = new Ledger()
  ledger.bury(0, death(null, { reason: "exited", restartInMs: null }))
  ledger.bury(0, death(null, { reason: "hung" }))
  expect(ledger.restarts()).toMatchObject({ 'reason="exited"': 0, 'reason="hung"': 1 })
  expect(ledger.cpuSeconds(0)).toBe(3)
})

test("a backend that no worker reports on is down", () => {
  const facts = {
    settings: testSettings(),
    ledger: new Ledger(),
    reports: [],
    processes: [],
    discovered: [],
  }
  const samples = fleetSamples({ ...facts, serving: 0 })
  expect(samples["bunlb_backend_up"]).toEqual({ 'backend="a:80"': 0, 'backend="b:80"': 0 })
  expect(samples["bunlb_workers"]).toEqual({ "": 0 })
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
] as const)("a backend with duty %s and workers' views %p is %s", (word, views, state, usable) => {
  const duty = duties[word]
  const a = { ...testBackend("a:80"), weight: 7, ...(duty === undefined ? {} : { duty }) }
  const samples = fleetSamples({
    ...{ settings: { ...testSettings(), backends: [a] }, ledger: new Ledger(), serving: 2 },
    reports: views.map((healthy, index) => report(index, {}, { healthy })),
    ...{ processes: [], discovered: [] },
  })
  const own = 'backend="a:80"'
  expect(samples["bunlb_backend_usable"]).toEqual({ [own]: usable })
  expect(samples["bunlb_backend_weight"]).toEqual({ [own]: 7 })
  expect(samples["bunlb_backends"]).toEqual({ "": 1 })
  expect(samples["bunlb_backends_usable"]).toEqual({ "": usable })
  const states = ["up", "degraded", "down", "draining", "disabled"]
  expect(samples["bunlb_backend_state"]).toEqual(
    Object.fromEntries(states.map((each) => [`${own},state="${each}"`, each === state ? 1 : 0])),
  )
})
