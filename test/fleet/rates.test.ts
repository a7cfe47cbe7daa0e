/** Rates from counters: by the workers' own clocks, over restarts, and latencies from buckets. */
import { expect, test } from "bun:test"
import { Journal } from "../../src/fleet/journal.ts"
import { Recorder } from "../../src/fleet/live.ts"
import { RateMeter } from "../../src/fleet/rates.ts"
import { BackendFigures } from "../../src/observe/figures.ts"
import type { Samples, WorkerReport } from "../../src/observe/snapshot.ts"

interface Worker {
  readonly figures: BackendFigures
  report(uptime: number, more?: Partial<WorkerReport>): WorkerReport
}

function worker(index = 0, name = "a:80"): Worker {
  const figures = new BackendFigures()
  const report = (uptime: number, more: Partial<WorkerReport> = {}): WorkerReport => {
    const samples: Samples = { bunlb_bytes_total: { 'direction="to_client"': 100 * uptime } }
    figures.collect(samples, name, 0)
    return {
      ...{ index, pid: 10 + index, uptime, clients: 3, inFlight: 2, draining: false },
      ...{ backends: [], samples, ...more },
    }
  }
  return { figures, report }
}

function answer({ figures }: Worker, times: number, status = 200, ms = 3): void {
  for (let i = 0; i < times; i++) figures.answered(status, ms)
}

test("requests over the time between two reports, however they come", () => {
  const meter = new RateMeter()
  const a = worker()
  meter.look([a.report(1000)])
  answer(a, 50)
  meter.look([a.report(1500)])
  expect(meter.whole()).toMatchObject({ requests: 100, sent: 100_000 })
  const late = a.report(1500)
  for (let i = 0; i < 3; i++) meter.look([late])
  expect(meter.whole().requests).toBe(100)
  meter.look([late])
  expect(meter.whole()).toMatchObject({ requests: 0, p50: null })
  answer(a, 60)
  meter.look([a.report(3500)])
  expect(meter.whole().requests).toBe(30)
})

test("a successor begins at zero, and who is gone does nothing", () => {
  const meter = new RateMeter()
  const [old, young, other] = [worker(), worker(), worker(1)]
  answer(old, 5000)
  meter.look([old.report(10_000), other.report(10_000)])
  answer(other, 10)
  meter.look([young.report(0, { pid: 77 }), other.report(11_000)])
  expect(meter.whole().requests).toBe(10)
  answer(young, 40)
  meter.look([young.report(1000, { pid: 77 }), other.report(12_000)])
  expect(meter.whole().requests).toBe(40)
  meter.look([])
  expect(meter.whole().requests).toBe(0)
})

test("classes, reuse and failures, of the backend that they belong to", () => {
  const meter = new RateMeter()
  const [a, b] = [worker(0, 'a"}:80'), worker(1, "b:80")]
  // As a worker writes it: a name is not escaped there.
  for (const status of [200, 204, 301, 404, 500, 503, 101]) answer(b, 2, status)
  answer(a, 8)
  b.figures.reuses = 9
  b.figures.dials = 1
  const backends = [{ name: "b:80", failures: 4 }] as unknown as WorkerReport["backends"]
  meter.look([a.report(1000), b.report(1000, { backends })])
  expect(meter.backend("b:80")).toMatchObject({
    ...{ requests: 14, classes: [2, 4, 2, 2, 4], reuse: 0.9, failures: 4 },
  })
  expect(meter.whole().classes).toEqual([2, 12, 2, 2, 4])
  expect(meter.backend("c:80")).toMatchObject({ requests: 0, p50: null, reuse: null })
})

test("percentiles lie within the bucket that holds them", () => {
  const meter = new RateMeter()
  const a = worker()
  meter.look([a.report(1000)])
  answer(a, 90, 200, 3)
  answer(a, 9, 200, 70)
  answer(a, 1, 200, 400_000)
  meter.look([a.report(2000)])
  const { p50, p99 } = meter.whole()
  expect(p50).toBeGreaterThan(2.5)
  expect(p50).toBeLessThan(5)
  expect(p99).toBeGreaterThan(50)
  expect(p99).toBeLessThanOrEqual(100)
  meter.look([a.report(3000)])
  answer(a, 1, 200, 400_000)
  meter.look([a.report(4000)])
  expect(meter.whole().p50).toBe(60_000)
})

test("a backend's figures are those of some seconds", () => {
  const meter = new RateMeter()
  const a = worker()
  meter.look([a.report(1000)])
  answer(a, 100)
  meter.look([a.report(2000)])
  const first = meter.backend("a:80").requests
  meter.look([a.report(3000)])
  const second = meter.backend("a:80").requests
  expect(meter.whole().requests).toBe(0)
  expect(second).toBeGreaterThan(0)
  expect(second).toBeLessThan(first)
  for (let i = 4; i < 60; i++) meter.look([a.report(i * 1000)])
  expect(meter.backend("a:80").requests).toBe(0)
})

test("a quarter of an hour is kept, and no more", () => {
  const recorder = new Recorder()
  const a = worker()
  for (let second = 1; second <= 1000; second++) {
    answer(a, 2, 404)
    recorder.record([a.report(second * 1000)], second)
  }
  const { moments } = recorder.past()
  expect(moments).toHaveLength(900)
  expect(moments[0]?.[0]).toBe(101)
  expect(moments.at(-1)).toEqual([1000, 0, 0, 2, 0, 3.75, expect.any(Number), 3, 2])
})

test("the journal keeps the last 200 entries", () => {
  const journal = new Journal()
  for (let i = 1; i <= 500; i++) journal.add("note", `entry ${i}`, i)
  expect(journal.entries).toHaveLength(200)
  expect(journal.entries[0]).toEqual({ id: 301, at: 301, kind: "note", text: "entry 301" })
})
