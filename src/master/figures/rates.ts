/**
 * Counters turned into rates. Of the whole, a worker's two latest reports are compared over the time between them by
 * its own clock, so that a report that comes early or late makes no spike, and a worker that starts again begins at
 * zero without a fall. Of a backend, the sums over all workers are compared over the usual one of those times.
 *
 * Cost: one pass over the numbers of the backends with traffic, about 0.1 us each.
 */
import {
  BUCKETS,
  BUCKET_COUNT,
  DIALS,
  FAILURES,
  GAUGES,
  REQUESTS,
  REUSES,
} from "../../observe/backend-series.ts"
import { DURATION_BOUNDS } from "../../observe/histogram.ts"
import type { Samples, WorkerReport } from "../../observe/snapshot.ts"
import { STATUS_CLASS, WIDTH, type BackendTable, type BackendTotals } from "./backend-table.ts"

/** Behind the columns of a backend: bytes and responses cut short, of the whole only. */
const FROM_CLIENT = WIDTH
const TO_CLIENT = WIDTH + 1
const CUT = WIDTH + 2
const ROW = WIDTH + 3
const CLASSES = 6

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
  /** Responses that ended early, whatever status they had; of the whole only. */
  readonly cut: number
}

interface Seen {
  readonly pid: number
  readonly uptime: number
  readonly counts: Row
  rates: Row
  /** Looks since then at which there was no newer report. */
  silent: number
}

/** What a look finds of one worker. */
interface Look {
  readonly rates: Row
  /** Seconds that its newer report covers; 0 when there is none. */
  readonly seconds: number
}

/** Reports closer together than this are not compared. */
const SHORTEST_MS = 50
/** A worker that has said nothing for so many looks is taken to do nothing. */
const SILENT_LOOKS = 3
/** Share of the latest look in what is shown of a backend: most of it comes from the last three. */
const FRESHNESS = 0.4
/** Slower than one request in 100 s is none. */
const FAINT = 0.01

const nothing: Row = new Float64Array(ROW)

export class RateMeter {
  readonly #seen = new Map<number, Seen>()
  #now: Row = nothing
  /** Looks in a row at which no worker had anything newer. */
  #silent = 0

  /** Call it about once a second with the latest reports of the living workers, and with the backends' figures. */
  look(reports: readonly WorkerReport[], table: BackendTable): void {
    const alive = new Set(reports.map(({ index }) => index))
    for (const index of this.#seen.keys()) if (!alive.has(index)) this.#seen.delete(index)
    const now = new Float64Array(ROW)
    const covered: number[] = []
    for (const report of reports) {
      const { rates, seconds } = this.#lookAt(report, table)
      for (let i = 0; i < ROW; i++) now[i] += rates[i]
      if (seconds > 0) covered.push(seconds)
    }
    this.#now = now
    const usual = covered.sort((a, b) => a - b)[covered.length >>> 1]
    this.#silent = usual === undefined ? this.#silent + 1 : 0
    // Nothing newer: what was true is shown for a while.
    if (usual === undefined && this.#silent <= SILENT_LOOKS && reports.length > 0) return
    for (const totals of table.all) blend(totals, usual ?? 1)
  }

  /** Of everything, over the last second. */
  whole(): Rates {
    return shown(this.#now)
  }

  #lookAt(report: WorkerReport, table: BackendTable): Look {
    const seen = this.#seen.get(report.index)
    const successor = seen === undefined || seen.pid !== report.pid
    const elapsed = report.uptime - (successor ? 0 : seen.uptime)
    if (!successor && elapsed < SHORTEST_MS) {
      if (++seen.silent > SILENT_LOOKS) seen.rates = nothing
      return { rates: seen.rates, seconds: 0 }
    }
    const counts = countsOf(report, table.sumsOf(report.index))
    const { index, pid, uptime } = report
    const late = elapsed >= SHORTEST_MS
    const seconds = late ? elapsed / 1000 : 0
    const rates = late ? difference(counts, successor ? nothing : seen.counts, seconds) : nothing
    this.#seen.set(index, { pid, uptime, counts, rates, silent: 0 })
    return { rates, seconds }
  }
}

/** Of one backend, over the last few seconds. */
export function ratesOf(totals: BackendTotals | undefined): Rates {
  return shown(totals?.rates ?? nothing)
}

/** Most backends of many do nothing, and cost nothing. */
function blend(totals: BackendTotals, seconds: number): void {
  const { numbers, seen, rates } = totals
  const busy =
    numbers[REQUESTS] !== seen[REQUESTS] ||
    numbers[DIALS] !== seen[DIALS] ||
    numbers[REUSES] !== seen[REUSES] ||
    numbers[FAILURES] !== seen[FAILURES]
  if (!busy && totals.looks === 0) return
  const share = totals.looks === 0 ? 1 : FRESHNESS
  let most = 0
  for (let i = GAUGES; i < WIDTH; i++) {
    rates[i] += (Math.max(0, numbers[i] - seen[i]) / seconds - rates[i]) * share
    most = Math.max(most, rates[i])
  }
  seen.set(numbers)
  totals.looks = most < FAINT / ROW ? 0 : totals.looks + 1
  if (totals.looks === 0) rates.fill(0)
}

/** The counters of one worker: of its backends, and of what bunlb answered by itself. */
function countsOf({ samples }: WorkerReport, sums: Row): Row {
  const counts = new Float64Array(ROW)
  counts.set(sums)
  for (const [code, value] of lastLabels(samples, "bunlb_requests_total", "code")) {
    counts[STATUS_CLASS + (Math.trunc(Number(code) / 100) % CLASSES)] += value
  }
  // Samples count all below a bound, columns only what lies between two.
  let below = 0
  for (const [le, value] of lastLabels(samples, "bunlb_request_duration_seconds_bucket", "le")) {
    counts[BUCKETS + (bucketOf.get(le) ?? DURATION_BOUNDS.length)] += value - below
    below = value
  }
  counts[FROM_CLIENT] = samples["bunlb_bytes_total"]?.['direction="from_client"'] ?? 0
  counts[TO_CLIENT] = samples["bunlb_bytes_total"]?.['direction="to_client"'] ?? 0
  counts[CUT] = samples["bunlb_truncated_responses_total"]?.[""] ?? 0
  return counts
}

/** The samples of a family whose last label is `last`: its value, and the sample's. */
function* lastLabels(
  samples: Samples,
  family: string,
  last: string,
): Generator<readonly [string, number]> {
  const mark = `,${last}="`
  for (const [labels, value] of Object.entries(samples[family] ?? {})) {
    const at = labels.lastIndexOf(mark)
    if (at !== -1) yield [labels.slice(at + mark.length, -1), value]
  }
}

/** A counter that has fallen began anew: it counts from zero. */
function difference(after: Row, before: Row, seconds: number): Row {
  return after.map((value, i) => (value < before[i] ? value : value - before[i]) / seconds)
}

function shown(row: Row): Rates {
  const classes = [...row.slice(STATUS_CLASS + 1, STATUS_CLASS + CLASSES)]
  const sent = row[REUSES] + row[DIALS]
  return {
    requests: round(classes.reduce((sum, each) => sum + each, 0)),
    classes: classes.map(round),
    p50: quantile(row, 0.5),
    p99: quantile(row, 0.99),
    reuse: sent < FAINT ? null : Math.round((row[REUSES] / sent) * 1000) / 1000,
    failures: round(row[FAILURES]),
    received: Math.round(row[FROM_CLIENT] ?? 0),
    sent: Math.round(row[TO_CLIENT] ?? 0),
    cut: round(row[CUT] ?? 0),
  }
}

function round(rate: number): number {
  return rate < FAINT ? 0 : Math.round(rate * 100) / 100
}

/** As Prometheus's histogram_quantile: straight within a bucket, and no more than the last bound. */
function quantile(row: Row, share: number): number | null {
  let total = 0
  for (let i = 0; i < BUCKET_COUNT; i++) total += row[BUCKETS + i]
  if (total < FAINT) return null
  const rank = total * share
  let below = 0
  let low = 0
  for (const [i, bound] of DURATION_BOUNDS.entries()) {
    const own = row[BUCKETS + i]
    if (below + own >= rank) {
      const within = own > 0 ? (rank - below) / own : 1
      return Math.round((low + (bound - low) * within) * 1000) / 1000
    }
    below += own
    low = bound
  }
  return low
}
