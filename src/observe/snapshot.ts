/**
 * What one worker says of itself. Plain data that crosses the process boundary as JSON; the fleet adds the
 * samples of all workers up and shows the sum, never one worker's view.
 */

/**
 * Family name -> label set -> value. The label set is written as Prometheus has it without the braces
 * (`backend="a:80",code="200"`, empty for none). A histogram `x` is held as the families `x_bucket` (labels end
 * in `le="..."`), `x_sum` and `x_count`.
 */
export type Samples = Record<string, Record<string, number>>

export interface BackendReport {
  readonly name: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly healthy: boolean
  readonly draining: boolean
  /** Wall clock of the last change of health, milliseconds since 1970. */
  readonly since: number
  /** Why it is as it is: "3 failures, last: connect refused"; empty when it never changed. */
  readonly reason: string
  /** Requests in flight, and tunnels. */
  readonly active: number
  /** Connections waiting in the pool. */
  readonly idle: number
  readonly requests: number
  readonly failures: number
  /** Addresses that the name stands for now. */
  readonly addresses: readonly string[]
}

export interface WorkerReport {
  readonly index: number
  readonly pid: number
  /** Milliseconds since the worker began to serve. */
  readonly uptime: number
  readonly clients: number
  readonly inFlight: number
  readonly draining: boolean
  readonly backends: readonly BackendReport[]
  readonly samples: Samples
}

/** One change of a backend's health in one worker. */
export interface HealthChange {
  readonly worker: number
  readonly backend: string
  readonly healthy: boolean
  readonly reason: string
  /** Wall clock, milliseconds since 1970. */
  readonly at: number
}

/** A backend that was unhealthy before a worker began, so that the worker does not have to find out. */
export interface Ailing {
  readonly backend: string
  /** Wall clock, milliseconds since 1970. */
  readonly since: number
  readonly reason: string
}
