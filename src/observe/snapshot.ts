/**
 * What one worker says of itself. Plain data that crosses the process boundary; the fleet adds the samples of all
 * workers up and shows the sum, never one worker's view.
 */

import type { Against } from "../health/backend-health.ts"

/**
 * Family name -> label set -> value. The label set is written as Prometheus has it without the braces
 * (`backend="a:80",code="200"`, empty for none). A histogram `x` is held as the families `x_bucket` (labels end
 * in `le="..."`), `x_sum` and `x_count`.
 */
export type Samples = Record<string, Record<string, number>>

/** What is said of one listener. */
export interface ListenerReport {
  readonly name: string
  /** Open connections. */
  readonly clients: number
}

/** What is said of a worker as a whole; its size does not depend on the number of backends. */
export interface WorkerReport {
  readonly index: number
  readonly pid: number
  /** Milliseconds since the worker began to serve. */
  readonly uptime: number
  readonly clients: number
  readonly listeners: readonly ListenerReport[]
  readonly inFlight: number
  readonly draining: boolean
  /** All figures but those of backends, which backend-series.ts carries. */
  readonly samples: Samples
}

/** One change of a backend's health in one worker. */
export interface HealthChange {
  readonly worker: number
  /** With the name of its pool, unless that is the default one. */
  readonly backend: string
  readonly healthy: boolean
  readonly reason: string
  /** Which record makes it unhealthy; null for a healthy one. */
  readonly against?: Against | null
  /** Wall clock, milliseconds since 1970. */
  readonly at: number
}

/** A backend that was unhealthy before a worker began, so that the worker does not have to find out. */
export interface KnownUnhealthy {
  /** With the name of its pool, unless that is the default one. */
  readonly backend: string
  /** Wall clock, milliseconds since 1970. */
  readonly since: number
  readonly reason: string
  /** As in `HealthChange`; older versions do not say it. */
  readonly against?: Against | null
}
