/** Figures of many workers as one, the dead included. */
import { expect, test } from "bun:test"
import { fleetSamples } from "../../../src/master/figures/figures.ts"
import { RetiredCounters } from "../../../src/master/figures/retired-counters.ts"
import { addLive, addRetired } from "../../../src/master/figures/merge.ts"
import type { Death } from "../../../src/master/supervise/death.ts"
import type { Samples, WorkerReport } from "../../../src/observe/snapshot.ts"

function report(index: number, samples: Samples): WorkerReport {
  const figures = { uptime: 0, clients: 0, inFlight: 0, listeners: [], draining: false }
  return { index, pid: 100 + index, ...figures, samples }
}

function death(of: WorkerReport | null, more: Partial<Death> = {}): Death {
  const end = { reason: "killed", story: "", pid: 1, livedMs: 0, cpuSeconds: 1.5 } as const
  return { ...end, expected: false, report: of, restartInMs: 0, ...more }
}

const busy = (requests: number, clients: number): Samples => ({
  bunlb_requests_total: { 'backend="",code="200"': requests },
  bunlb_request_duration_seconds_bucket: { 'backend="",le="+Inf"': requests },
  bunlb_client_connections: { "": clients },
  bunlb_worker_connections: { "": clients },
})

test("counters, histograms and gauges add up, workers stay apart", () => {
  const total: Samples = {}
  addLive(total, report(0, busy(10, 3)))
  addLive(total, report(1, busy(5, 0)))
  expect(total).toEqual({
    bunlb_requests_total: { 'backend="",code="200"': 15 },
    bunlb_request_duration_seconds_bucket: { 'backend="",le="+Inf"': 15 },
    bunlb_client_connections: { "": 3 },
    bunlb_worker_connections: { 'worker="0"': 3, 'worker="1"': 0 },
  })
})

test("the dead keep their counters and lose their gauges", () => {
  const total: Samples = {}
  addRetired(total, report(0, busy(10, 3)))
  addLive(total, report(0, busy(1, 2)))
  expect(total["bunlb_requests_total"]).toEqual({ 'backend="",code="200"': 11 })
  expect(total["bunlb_client_connections"]).toEqual({ "": 2 })
  expect(total["bunlb_worker_connections"]).toEqual({ 'worker="0"': 2 })
})

test("what is not a family, or is the fleet's own, is not taken from a worker", () => {
  const total: Samples = {}
  addLive(total, report(0, { bunlb_nonsense: { "": 1 }, bunlb_workers: { "": 9 } }))
  expect(total).toEqual({})
})

test("no counter of the fleet falls over any number of deaths", () => {
  const retired = new RetiredCounters()
  const facts = { retired, serving: 1, discovered: [] }
  let before = 0
  for (let life = 1; life <= 20; life++) {
    const last = report(0, busy(life * 7, 1))
    for (const reports of [[last], []]) {
      const samples = fleetSamples({ ...facts, reports })
      const now = samples["bunlb_requests_total"]?.['backend="",code="200"'] ?? 0
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
      if (reports.length > 0) retired.addDeath(0, death(last))
    }
  }
  expect(before).toBe(7 * 210)
  expect(retired.restarts()).toMatchObject({ 'reason="killed"': 20, 'reason="hung"': 0 })
})

test("a death that is not followed by a start is no restart, and one without a report is counted", () => {
  const retired = new RetiredCounters()
  retired.addDeath(0, death(null, { reason: "exited", restartInMs: null }))
  retired.addDeath(0, death(null, { reason: "hung" }))
  expect(retired.restarts()).toMatchObject({ 'reason="exited"': 0, 'reason="hung"': 1 })
  expect(retired.cpuSeconds(0)).toBe(3)
})
