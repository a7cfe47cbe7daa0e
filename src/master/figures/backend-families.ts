/** The figures of a backend as the families of `observe/families.ts` name them. */
import type { Against } from "../../health/backend-health.ts"
import {
  ACTIVE,
  BUCKETS,
  BUCKET_COUNT,
  DIALING,
  DIALS,
  DURATION_SUM,
  FAILED_DIALS,
  IDLE,
  PROBES_FAILED,
  PROBES_OK,
  REQUESTS,
  REUSES,
  TO_HEALTHY,
  TO_UNHEALTHY,
} from "../../observe/backend-series.ts"
import { DURATION_BOUNDS } from "../../observe/histogram.ts"
import { label } from "../../observe/prometheus.ts"
import type { BackendTotals } from "./backend-table.ts"
import { backendStates, isUsable, type BackendState } from "./status.ts"

/** One backend at the time of a scrape. */
export interface BackendMoment {
  readonly totals: BackendTotals
  /** Null for one that is not in the settings. */
  readonly state: BackendState | null
  readonly weight: number
  /** What some worker has against it. */
  readonly against?: Against
  /** Of the workers that serve, at least one finds it healthy. */
  readonly healthy: boolean
}

type Put = (sample: string, labels: string, value: number) => void
type Write = (backend: BackendMoment, put: Put) => void

/** The gauges of one that has left are gone with it. */
function isThere({ totals, state }: BackendMoment): boolean {
  return state !== null || totals.views.length > 0
}

const bounds = DURATION_BOUNDS.map((bound) => `le="${bound / 1000}"`)

/** What of each family belongs to one backend; the families that are not here are of no backend. */
export const backendFamilies: ReadonlyMap<string, Write> = new Map<string, Write>([
  ["bunlb_requests_total", writeRequests],
  ["bunlb_request_duration_seconds", writeDurations],
  [
    "bunlb_backend_up",
    (backend, put) => {
      if (!isThere(backend)) return
      put("bunlb_backend_up", backend.totals.label, backend.healthy ? 1 : 0)
    },
  ],
  [
    "bunlb_backend_usable",
    ({ totals, state }, put) => {
      if (state !== null) put("bunlb_backend_usable", totals.label, isUsable(state) ? 1 : 0)
    },
  ],
  [
    "bunlb_backend_state",
    ({ totals, state }, put) => {
      if (state === null) return
      for (const each of backendStates) {
        const labels = `${totals.label},${label("state", each)}`
        put("bunlb_backend_state", labels, each === state ? 1 : 0)
      }
    },
  ],
  [
    "bunlb_backend_against",
    ({ totals, against }, put) => {
      if (against === undefined) return
      put("bunlb_backend_against", `${totals.label},${label("record", against)}`, 1)
    },
  ],
  [
    "bunlb_backend_weight",
    ({ totals, state, weight }, put) => {
      if (state !== null) put("bunlb_backend_weight", totals.label, weight)
    },
  ],
  [
    "bunlb_backend_connections",
    (backend, put) => {
      if (!isThere(backend)) return
      const { label: own, numbers } = backend.totals
      put("bunlb_backend_connections", `${own},state="active"`, numbers[ACTIVE] ?? 0)
      put("bunlb_backend_connections", `${own},state="dialing"`, numbers[DIALING] ?? 0)
      put("bunlb_backend_connections", `${own},state="idle"`, numbers[IDLE] ?? 0)
    },
  ],
  [
    "bunlb_pool_reuses_total",
    ({ totals }, put) => put("bunlb_pool_reuses_total", totals.label, totals.numbers[REUSES] ?? 0),
  ],
  [
    "bunlb_dials_total",
    pair("bunlb_dials_total", "result", ["failed", FAILED_DIALS], ["ok", DIALS]),
  ],
  [
    "bunlb_backend_failures_total",
    ({ totals }, put) => {
      for (const [reason, count] of [...totals.failures].sort()) {
        const labels = `${totals.label},${label("reason", reason)}`
        put("bunlb_backend_failures_total", labels, count)
      }
    },
  ],
  [
    "bunlb_breaker_transitions_total",
    pair(
      ...(["bunlb_breaker_transitions_total", "to"] as const),
      ...([
        ["healthy", TO_HEALTHY],
        ["unhealthy", TO_UNHEALTHY],
      ] as const),
    ),
  ],
  [
    "bunlb_probes_total",
    pair("bunlb_probes_total", "result", ["failed", PROBES_FAILED], ["ok", PROBES_OK]),
  ],
])

type Side = readonly [value: string, column: number]

function pair(sample: string, name: string, first: Side, second: Side): Write {
  return ({ totals }, put) => {
    for (const [value, column] of [first, second]) {
      put(sample, `${totals.label},${label(name, value)}`, totals.numbers[column] ?? 0)
    }
  }
}

function writeRequests({ totals }: BackendMoment, put: Put): void {
  const codes = [...totals.codes].sort(([a], [b]) => a - b)
  for (const [code, count] of codes) {
    put("bunlb_requests_total", `${totals.label},code="${code}"`, count)
  }
}

function writeDurations({ totals }: BackendMoment, put: Put): void {
  const { label: own, numbers } = totals
  if (numbers[REQUESTS] === 0) return
  let total = 0
  for (const [i, bound] of bounds.entries()) {
    total += numbers[BUCKETS + i] ?? 0
    put("bunlb_request_duration_seconds_bucket", `${own},${bound}`, total)
  }
  total += numbers[BUCKETS + BUCKET_COUNT - 1] ?? 0
  put("bunlb_request_duration_seconds_bucket", `${own},le="+Inf"`, total)
  put("bunlb_request_duration_seconds_sum", own, (numbers[DURATION_SUM] ?? 0) / 1000)
  put("bunlb_request_duration_seconds_count", own, total)
}
