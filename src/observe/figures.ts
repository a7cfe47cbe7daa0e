/**
 * The figures of one worker: plain numbers that the data path adds to, turned into samples when someone asks.
 */
import {
  ACTIVE,
  BUCKETS,
  DIALING,
  DIALS,
  DURATION_SUM,
  FAILED_DIALS,
  FIRST_STATUS,
  REQUESTS,
  REUSES,
  STATUSES,
  TUNNELS,
} from "./backend-series.ts"
import { Histogram } from "./histogram.ts"
import type { Samples } from "./snapshot.ts"

/** Statuses with the same first digit. */
const CLASS = 100

/** What happened to requests at one backend, or (without a backend) to those that bunlb answered itself. */
export class BackendFigures {
  /** By the first digit of the status, made when it is first seen: most backends answer with two or three of nine. */
  readonly #counts: (Float64Array | null)[] = Array<null>(STATUSES / CLASS).fill(null)
  readonly #durations = new Histogram()
  /** The status codes that have been sent so far. */
  readonly codes: number[] = []
  requests = 0
  active = 0
  tunnels = 0
  dialing = 0
  reuses = 0
  dials = 0
  failedDials = 0

  /** A response of `status` has been sent, `duration` milliseconds after its request was read. */
  answered(status: number, duration: number): void {
    this.requests++
    const at = status - FIRST_STATUS
    const counts = (this.#counts[Math.trunc(at / CLASS)] ??= new Float64Array(CLASS))
    const before = counts[at % CLASS] ?? 0
    counts[at % CLASS] = before + 1
    if (before === 0) this.codes.push(status)
    this.#durations.observe(duration)
  }

  /** Responses of `status`. */
  count(status: number): number {
    const at = status - FIRST_STATUS
    return this.#counts[Math.trunc(at / CLASS)]?.[at % CLASS] ?? 0
  }

  /** Writes what it knows into the row of a backend: see backend-series.ts. */
  copyTo(row: Float64Array): void {
    row[ACTIVE] = this.active
    row[DIALING] = this.dialing
    row[TUNNELS] = this.tunnels
    row[REUSES] = this.reuses
    row[DIALS] = this.dials
    row[FAILED_DIALS] = this.failedDials
    row[REQUESTS] = this.requests
    this.#durations.copyTo(row, DURATION_SUM, BUCKETS)
  }

  /** The answers alone, as samples without a backend. */
  collect(samples: Samples): void {
    const none = 'backend=""'
    for (const status of this.codes) {
      set(samples, "bunlb_requests_total", `${none},code="${status}"`, this.count(status))
    }
    if (this.requests === 0) return
    this.#durations.collect(samples, "bunlb_request_duration_seconds", none)
  }
}

export type RetryReason = "stale" | "closed" | "dial"

export class Figures {
  /** Answers of bunlb's own: refusals and requests that no backend could be found for. */
  readonly own = new BackendFigures()
  readonly #rejected: Float64Array
  readonly #reasons: readonly string[]
  fromClient = 0
  toClient = 0
  fromBackend = 0
  toBackend = 0
  clients = 0
  accepted = 0
  aborts = 0
  truncated = 0
  /** By why bunlb ended a response before its client had all of it. */
  readonly undelivered = { client_read: 0, stop: 0 }
  tunnels = 0
  panicPicks = 0
  failovers = 0
  budgetExhausted = 0
  /** Requests that were lost with a kept connection, and that may not be sent twice. */
  reuseLosses = 0
  accessLogDropped = 0
  readonly retries: Record<RetryReason, number> = { stale: 0, closed: 0, dial: 0 }

  /** `reasons`: the names of the refusals by their numbers. */
  constructor(reasons: readonly string[]) {
    this.#reasons = reasons
    this.#rejected = new Float64Array(reasons.length)
  }

  /** A request was refused with refusal number `refusal`. */
  rejected(refusal: number): void {
    this.#rejected[refusal] = (this.#rejected[refusal] ?? 0) + 1
  }

  collect(samples: Samples): void {
    this.own.collect(samples)
    for (const [i, reason] of this.#reasons.entries()) {
      const count = this.#rejected[i] ?? 0
      if (count > 0) set(samples, "bunlb_rejected_requests_total", `reason="${reason}"`, count)
    }
    set(samples, "bunlb_bytes_total", 'direction="from_client"', this.fromClient)
    set(samples, "bunlb_bytes_total", 'direction="to_client"', this.toClient)
    set(samples, "bunlb_bytes_total", 'direction="from_backend"', this.fromBackend)
    set(samples, "bunlb_bytes_total", 'direction="to_backend"', this.toBackend)
    set(samples, "bunlb_worker_connections", "", this.clients)
    set(samples, "bunlb_client_aborts_total", "", this.aborts)
    set(samples, "bunlb_truncated_responses_total", "", this.truncated)
    for (const [reason, count] of Object.entries(this.undelivered)) {
      set(samples, "bunlb_undelivered_responses_total", `reason="${reason}"`, count)
    }
    set(samples, "bunlb_tunnels", "", this.tunnels)
    set(samples, "bunlb_panic_picks_total", "", this.panicPicks)
    set(samples, "bunlb_failovers_total", "", this.failovers)
    set(samples, "bunlb_retry_budget_exhausted_total", "", this.budgetExhausted)
    set(samples, "bunlb_access_log_dropped_total", "", this.accessLogDropped)
    for (const [reason, count] of Object.entries(this.retries)) {
      set(samples, "bunlb_retries_total", `reason="${reason}"`, count)
    }
    set(samples, "bunlb_stale_retries_total", "", this.retries.stale)
    set(samples, "bunlb_reuse_losses_total", "", this.reuseLosses)
  }
}

/** Puts one sample into its family. */
function set(samples: Samples, family: string, labels: string, value: number): void {
  ;(samples[family] ??= {})[labels] = value
}
