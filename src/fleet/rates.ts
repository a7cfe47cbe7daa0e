/**
 * Counters turned into rates. A worker's two latest reports are compared over the time between them by its own
 * clock, so that a report that comes early or late makes no spike, and a worker that starts again begins at zero
 * without a fall. Costs the workers nothing: it reads the heartbeats that they send anyway.
 */
import { DURATION_BOUNDS } from "../observe/histogram.ts"
import { label } from "../observe/prometheus.ts"
import type { Samples, WorkerReport } from "../observe/snapshot.ts"

/** What is counted, by its place in a row; the buckets of the durations follow, each with all below it. */
const STATUS_CLASS = 0
const REUSES = 6
const DIALS = 7
const FAILURES = 8
const FROM_CLIENT = 9
const TO_CLIENT = 10
const BUCKETS = 11
const ROW = BUCKETS + DURATION_BOUNDS.length + 1

type Row = Float64Array

const bucketOf = new Map<string, number>([
  ...DURATION_BOUNDS.map((bound, i): [string, number] => [String(bound / 1000), i]),
  ["+Inf", DURATION_BOUNDS.length],
])

/** Rates per second and latencies in milliseconds; a latency is null when there was no request. */
export interface Rates {
  readonly requests: number
  /** Answers by the first digit of their status: 1xx to 5xx. */
  readonly classes: readonly number[]
  readonly p50: number | null
  readonly p99: number | null
  /** Share of requests that went out on a pooled connection; null when there was none. */
  readonly reuse: number | null
  /** Failures that the breaker counts. */
  readonly failures: number
  /** Bytes; of the whole only. */
  readonly received: number
  readonly sent: number
}

interface Seen {
  readonly pid: number
  readonly uptime: number
  readonly counts: ReadonlyMap<string, Row>
  rates: ReadonlyMap<string, Row>
  /** Looks since then at which there was no newer report. */
  silent: number
}

/** Reports closer together than this are not compared. */
const SHORTEST_MS = 50
/** A worker that has said nothing for so many looks is taken to do nothing. */
const SILENT_LOOKS = 3
/** Share of the latest look in what is shown of a backend: most of it comes from the last three. */
const FRESHNESS = 0.4
/** Slower than one request in 100 s is none. */
const FAINT = 0.01
/** The name of what is counted for all backends together, and of what bunlb answered by itself. */
const WHOLE = "the whole"

export class RateMeter {
  readonly #seen = new Map<number, Seen>()
  #now = new Map<string, Row>()
  readonly #smooth = new Map<string, Row>()

  /** Call it about once a second with the latest reports of the living workers. */
  look(reports: readonly WorkerReport[]): void {
    const alive = new Set(reports.map(({ index }) => index))
    for (const index of this.#seen.keys()) if (!alive.has(index)) this.#seen.delete(index)
    const now = new Map<string, Row>()
    for (const report of reports) {
      for (const [name, row] of this.#ratesOf(report)) addTo(now, name, row)
    }
    this.#now = now
    for (const [name, row] of now) this.#blend(name, row)
    for (const name of this.#smooth.keys()) if (!now.has(name)) this.#smooth.delete(name)
  }

  /** Of everything, over the last second. */
  whole(): Rates {
    return shown(this.#now.get(WHOLE) ?? nothing)
  }

  /** Of one backend, over the last few seconds. */
  backend(name: string): Rates {
    return shown(this.#smooth.get(label("backend", name)) ?? nothing)
  }

  #ratesOf(report: WorkerReport): ReadonlyMap<string, Row> {
    const seen = this.#seen.get(report.index)
    const successor = seen === undefined || seen.pid !== report.pid
    const elapsed = report.uptime - (successor ? 0 : seen.uptime)
    if (!successor && elapsed < SHORTEST_MS) {
      if (++seen.silent > SILENT_LOOKS) seen.rates = new Map()
      return seen.rates
    }
    const counts = countsOf(report)
    const { index, pid, uptime } = report
    const rates =
      elapsed < SHORTEST_MS
        ? new Map<string, Row>()
        : difference(counts, successor ? new Map() : seen.counts, elapsed / 1000)
    this.#seen.set(index, { pid, uptime, counts, rates, silent: 0 })
    return rates
  }

  #blend(name: string, fresh: Row): void {
    const row = this.#smooth.get(name)
    if (row === undefined) return void this.#smooth.set(name, fresh.slice())
    for (let i = 0; i < ROW; i++) row[i] += (fresh[i] - row[i]) * FRESHNESS
  }
}

const nothing: Row = new Float64Array(ROW)

/** The counters of one worker, by the label of their backend and for the whole. */
function countsOf({ samples, backends }: WorkerReport): Map<string, Row> {
  const rows = new Map<string, Row>()
  const whole = rowOf(rows, WHOLE)
  const add = (backend: string, place: number, value: number): void => {
    rowOf(rows, backend)[place] += value
    whole[place] += value
  }
  for (const [backend, code, value] of split(samples, "bunlb_requests_total", "code")) {
    add(backend, STATUS_CLASS + (Math.trunc(Number(code) / 100) % REUSES), value)
  }
  for (const [backend, le, value] of split(
    samples,
    "bunlb_request_duration_seconds_bucket",
    "le",
  )) {
    add(backend, BUCKETS + (bucketOf.get(le) ?? DURATION_BOUNDS.length), value)
  }
  for (const [backend, result, value] of split(samples, "bunlb_dials_total", "result")) {
    if (result === "ok") add(backend, DIALS, value)
  }
  for (const [backend, value] of Object.entries(samples["bunlb_pool_reuses_total"] ?? {})) {
    add(backend, REUSES, value)
  }
  for (const { name, failures } of backends) add(label("backend", name), FAILURES, failures)
  whole[FROM_CLIENT] = samples["bunlb_bytes_total"]?.['direction="from_client"'] ?? 0
  whole[TO_CLIENT] = samples["bunlb_bytes_total"]?.['direction="to_client"'] ?? 0
  return rows
}

/** The samples of a family whose second and last label is `last`: first label, value of the last, value. */
function* split(
  samples: Samples,
  family: string,
  last: string,
): Generator<readonly [string, string, number]> {
  const mark = `,${last}="`
  for (const [labels, value] of Object.entries(samples[family] ?? {})) {
    const at = labels.lastIndexOf(mark)
    if (at !== -1) yield [labels.slice(0, at), labels.slice(at + mark.length, -1), value]
  }
}

function rowOf(rows: Map<string, Row>, name: string): Row {
  const row = rows.get(name) ?? new Float64Array(ROW)
  rows.set(name, row)
  return row
}

/** A counter that has fallen belongs to another backend of the same name: it counts from zero. */
function difference(
  after: ReadonlyMap<string, Row>,
  before: ReadonlyMap<string, Row>,
  seconds: number,
): Map<string, Row> {
  const rates = new Map<string, Row>()
  for (const [name, row] of after) {
    const old = before.get(name) ?? nothing
    rates.set(
      name,
      row.map((value, i) => (value < old[i] ? value : value - old[i]) / seconds),
    )
  }
  return rates
}

function addTo(rows: Map<string, Row>, name: string, row: Row): void {
  const sum = rowOf(rows, name)
  for (let i = 0; i < ROW; i++) sum[i] += row[i]
}

function shown(row: Row): Rates {
  const classes = [...row.slice(STATUS_CLASS + 1, REUSES)]
  const sent = row[REUSES] + row[DIALS]
  return {
    requests: round(classes.reduce((sum, each) => sum + each, 0)),
    classes: classes.map(round),
    p50: quantile(row, 0.5),
    p99: quantile(row, 0.99),
    reuse: sent < FAINT ? null : Math.round((row[REUSES] / sent) * 1000) / 1000,
    failures: round(row[FAILURES]),
    received: Math.round(row[FROM_CLIENT]),
    sent: Math.round(row[TO_CLIENT]),
  }
}

function round(rate: number): number {
  return rate < FAINT ? 0 : Math.round(rate * 100) / 100
}

/** As Prometheus's histogram_quantile: straight within a bucket, and no more than the last bound. */
function quantile(row: Row, share: number): number | null {
  const total = row[ROW - 1]
  if (total < FAINT) return null
  const rank = total * share
  let below = 0
  let low = 0
  for (const [i, bound] of DURATION_BOUNDS.entries()) {
    const upTo = row[BUCKETS + i]
    if (upTo >= rank) {
      const within = upTo > below ? (rank - below) / (upTo - below) : 1
      return Math.round((low + (bound - low) * within) * 1000) / 1000
    }
    below = upTo
    low = bound
  }
  return low
}
