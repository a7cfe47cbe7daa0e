/** Rates from counters: by the workers' own clocks, over restarts, and latencies from buckets. */
import { expect, test } from "bun:test"
import { Journal } from "../../../src/master/figures/journal.ts"
import { Recorder } from "../../../src/master/figures/live.ts"
import { BackendTable } from "../../../src/master/figures/backend-table.ts"
import { RateMeter, ratesOf, type Rates } from "../../../src/master/figures/rates.ts"
import type { Samples, WorkerReport } from "../../../src/observe/snapshot.ts"
import { ToldBackend } from "../series.ts"

/** One worker with one backend. */
class Worker {
  readonly told: ToldBackend
  readonly #fleet: Fleet
  readonly #index: number

  constructor(fleet: Fleet, index = 0, name = "a:80") {
    this.#fleet = fleet
    this.#index = index
    this.told = new ToldBackend(name)
  }

  get figures() {
    return this.told.figures
  }

  /** Tells the table everything, and then this. */
  report(uptime: number, more: Partial<WorkerReport> = {}): WorkerReport {
    this.#fleet.table.apply(this.#index, this.told.chunk())
    this.#fleet.table.settle(this.#index)
    const samples: Samples = { bunlb_bytes_total: { 'direction="to_client"': 100 * uptime } }
    return {
      ...{
        index: this.#index,
        pid: 10 + this.#index,
        uptime,
        clients: 3,
        inFlight: 2,
        listeners: [],
      },
      ...{ draining: false, samples, ...more },
    }
  }
}

class Fleet {
  readonly table = new BackendTable()
  readonly #meter = new RateMeter()

  worker(index = 0, name = "a:80"): Worker {
    return new Worker(this, index, name)
  }

  look(reports: readonly WorkerReport[]): void {
    this.#meter.look(reports, this.table)
  }

  whole(): Rates {
    return this.#meter.whole()
  }

  backend(name: string): Rates {
    return ratesOf(this.table.get(name))
  }
}

function answer({ figures }: Worker, times: number, status = 200, ms = 3): void {
  for (let i = 0; i < times; i++) figures.answered(status, ms)
}

test("requests over the time between two reports, however they come", () => {
  const fleet = new Fleet()
  const a = fleet.worker()
  fleet.look([a.report(1000)])
  answer(a, 50)
  fleet.look([a.report(1500)])
  expect(fleet.whole()).toMatchObject({ requests: 100, sent: 100_000 })
  const late = a.report(1500)
  for (let i = 0; i < 3; i++) fleet.look([late])
  expect(fleet.whole().requests).toBe(100)
  fleet.look([late])
  expect(fleet.whole()).toMatchObject({ requests: 0, p50: null })
  answer(a, 60)
  fleet.look([a.report(3500)])
  expect(fleet.whole().requests).toBe(30)
})

test("a successor begins at zero, and who is gone does nothing", () => {
  const fleet = new Fleet()
  const [old, young, other] = [fleet.worker(), fleet.worker(), fleet.worker(1)]
  answer(old, 5000)
  fleet.look([old.report(10_000), other.report(10_000)])
  answer(other, 10)
  fleet.table.retire(0)
  fleet.look([young.report(0, { pid: 77 }), other.report(11_000)])
  expect(fleet.whole().requests).toBe(10)
  answer(young, 40)
  fleet.look([young.report(1000, { pid: 77 }), other.report(12_000)])
  expect(fleet.whole().requests).toBe(40)
  fleet.look([])
  expect(fleet.whole().requests).toBe(0)
})

test("classes, reuse and failures, of the backend that they belong to", () => {
  const fleet = new Fleet()
  const [a, b] = [fleet.worker(0, 'a"}:80'), fleet.worker(1, "b:80")]
  for (const status of [200, 204, 301, 404, 500, 503, 101]) answer(b, 2, status)
  answer(a, 8)
  b.figures.reuses = 9
  b.figures.dials = 1
  b.told.failures = 4
  fleet.look([a.report(1000), b.report(1000)])
  expect(fleet.backend("b:80")).toMatchObject({
    ...{ requests: 14, classes: [2, 4, 2, 2, 4], reuse: 0.9, failures: 4 },
  })
  expect(fleet.whole().classes).toEqual([2, 12, 2, 2, 4])
  expect(fleet.backend("c:80")).toMatchObject({ requests: 0, p50: null, reuse: null })
})

test("percentiles lie within the bucket that holds them", () => {
  const fleet = new Fleet()
  const a = fleet.worker()
  fleet.look([a.report(1000)])
  answer(a, 90, 200, 3)
  answer(a, 9, 200, 70)
  answer(a, 1, 200, 400_000)
  fleet.look([a.report(2000)])
  const { p50, p99 } = fleet.whole()
  expect(p50).toBeGreaterThan(2.5)
  expect(p50).toBeLessThan(5)
  expect(p99).toBeGreaterThan(50)
  expect(p99).toBeLessThanOrEqual(100)
  fleet.look([a.report(3000)])
  answer(a, 1, 200, 400_000)
  fleet.look([a.report(4000)])
  expect(fleet.whole().p50).toBe(60_000)
})

test("a backend's figures are those of some seconds", () => {
  const fleet = new Fleet()
  const a = fleet.worker()
  fleet.look([a.report(1000)])
  answer(a, 100)
  fleet.look([a.report(2000)])
  const first = fleet.backend("a:80").requests
  fleet.look([a.report(3000)])
  const second = fleet.backend("a:80").requests
  expect(fleet.whole().requests).toBe(0)
  expect(second).toBeGreaterThan(0)
  expect(second).toBeLessThan(first)
  for (let i = 4; i < 60; i++) fleet.look([a.report(i * 1000)])
  expect(fleet.backend("a:80").requests).toBe(0)
})

test("a quarter of an hour is kept, and no more", () => {
  const recorder = new Recorder()
  const fleet = new Fleet()
  const a = fleet.worker()
  for (let second = 1; second <= 1000; second++) {
    answer(a, 2, 404)
    recorder.record([a.report(second * 1000)], fleet.table, second)
  }
  const { moments } = recorder.past()
  expect(moments).toHaveLength(900)
  expect(moments[0]?.[0]).toBe(101)
  expect(moments.at(-1)).toEqual([1000, 0, 0, 2, 0, 3.75, expect.any(Number), 3, 2, 0])
})

test("the journal keeps the last 200 entries", () => {
  const journal = new Journal()
  for (let i = 1; i <= 500; i++) journal.add("note", `entry ${i}`, i)
  expect(journal.entries).toHaveLength(200)
  expect(journal.entries[0]).toEqual({ id: 301, at: 301, kind: "note", text: "entry 301" })
})

test("two workers' requests at one backend add up, and a late worker makes no spike of it", () => {
  const fleet = new Fleet()
  const [a, b] = [fleet.worker(0), fleet.worker(1)]
  for (let second = 1; second <= 20; second++) {
    answer(a, 10)
    answer(b, 30)
    fleet.look([a.report(second * 1000), b.report(second * 1000)])
  }
  expect(fleet.backend("a:80").requests).toBeCloseTo(40)
  answer(a, 15)
  answer(b, 45)
  fleet.look([a.report(21_500), b.report(21_500)])
  expect(fleet.backend("a:80").requests).toBeCloseTo(40)
})

test("responses that are cut short are counted whatever their status, and kept with the moment", () => {
  const fleet = new Fleet()
  const [worker, recorder] = [fleet.worker(), new Recorder()]
  const samples = (cut: number): Samples => ({ bunlb_truncated_responses_total: { "": cut } })
  recorder.record([worker.report(1_000, { samples: samples(7) })], fleet.table, 1)
  answer(worker, 50)
  recorder.record([worker.report(2_000, { samples: samples(17) })], fleet.table, 2)
  expect(recorder.past().moments.at(-1)).toEqual([2, 50, 0, 0, 0, 3.75, 4.975, 3, 2, 10])
})
