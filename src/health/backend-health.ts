/** What one worker knows of the health of one backend: its two records, why they are as they are, and what failed. */
import type { HealthSettings } from "../config/schema/settings.ts"
import { CircuitBreaker } from "./breaker.ts"
import { Relapse } from "./relapse.ts"
import { RequestBreaker } from "./request-breaker.ts"

/** How far a probe came that failed. `response`: the backend's answer is not what `health.expect` says. */
export type Reach = "nothing" | "connection" | "response"

/**
 * Which record makes a backend unhealthy. `page`: probes get a response, but not the expected one. `silent`: probes get
 * a connection, but no response. `probes`: probes get no connection. `requests`: requests failed, whatever probes say.
 */
export type Against = "page" | "silent" | "probes" | "requests"

const REACH_OF = { page: "response", silent: "connection", probes: "nothing" } as const

const AGAINST_OF = { response: "page", connection: "silent", nothing: "probes" } as const

export type Thresholds = Pick<HealthSettings, "failures" | "successes" | "backoff">

export class BackendHealth {
  readonly probes: CircuitBreaker
  readonly requests: RequestBreaker
  readonly relapse = new Relapse()
  readonly failures: Map<string, number>
  /** How far the last probe came that failed. */
  reach: Reach = "nothing"
  /** When probes took it out last. */
  probesOpenAt = -Infinity
  /** Changes each time that requests take it out or bring it back. */
  ticket: number
  since: number
  /** Why the backend is in, and why each of its records is bad. */
  goodReason = ""
  probesReason = ""
  avoidedReason = ""
  avoidanceTold = false
  avoidanceToldAt = -Infinity
  requestsReason = ""

  constructor(
    thresholds: Thresholds,
    since: number,
    before: BackendHealth | undefined,
    ticket: number,
  ) {
    this.probes = new CircuitBreaker(thresholds.failures, thresholds.successes)
    this.requests = new RequestBreaker(thresholds)
    this.failures = before?.failures ?? new Map<string, number>()
    this.since = since
    this.ticket = ticket
  }

  /** Which record makes it unhealthy, or null when it is healthy. */
  get against(): Against | null {
    if (this.requests.isOpen) return "requests"
    return this.probes.isOpen ? AGAINST_OF[this.reach] : null
  }

  /** Takes over what another worker found. */
  recall(against: Against, reason: string, now: number): void {
    if (against === "requests") {
      this.requests.open(now)
      this.requestsReason = reason
    } else {
      this.probes.open()
      this.probesReason = reason
      this.reach = REACH_OF[against]
    }
  }

  get isGood(): boolean {
    return !this.probes.isOpen && !this.requests.isOpen
  }

  get reason(): string {
    if (this.requests.isOpen) return this.requestsReason
    if (this.probes.isOpen) return this.probesReason
    return this.requests.isAvoiding ? this.avoidedReason : this.goodReason
  }
}

/**
 * While there are better ones, no request is spent on a backend that takes the connections of probes and fails them:
 * an answer to a request would change nothing. One that cannot even be connected to costs a dial.
 */
export function mayBeTried({ probes, reach }: BackendHealth, pagesCount: boolean): boolean {
  return !probes.isOpen || reach === "nothing" || !pagesCount
}
