/**
 * The fleet in one look, as `/api/v1/status` and `bunlb status` show it. Plain JSON; the shape is an interface:
 * fields are added, never changed.
 */
import type { Mode } from "../config/settings.ts"
import type { BackendReport, WorkerReport } from "../observe/snapshot.ts"

/** `degraded`: healthy for some workers and not for others. */
export type BackendState = "up" | "degraded" | "down" | "draining"

export interface WorkerStatus {
  readonly index: number
  /** Null while no process sits there. */
  readonly pid: number | null
  readonly state: string
  /** Milliseconds. */
  readonly uptime: number
  readonly clients: number
  readonly inFlight: number
  readonly restarts: number
}

export interface BackendStatus {
  readonly name: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly state: BackendState
  readonly healthyWorkers: number
  /** Workers that were asked. */
  readonly workers: number
  /** Milliseconds since 1970 of the last change of health that a worker saw; null before the first. */
  readonly since: number | null
  readonly reason: string
  readonly active: number
  readonly idle: number
  /** Over all workers, the dead ones too. */
  readonly requests: number
  readonly failures: number
  readonly addresses: readonly string[]
}

export interface FleetStatus {
  readonly version: string
  readonly mode: Mode
  readonly port: number
  /** Milliseconds. */
  readonly uptime: number
  readonly draining: boolean
  readonly workers: readonly WorkerStatus[]
  readonly backends: readonly BackendStatus[]
}

/** What a backend is by its settings, and what dead workers counted for it. */
export interface BackendPast {
  readonly name: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly requests: number
  readonly failures: number
}

/** One backend as all living workers see it; nobody's view is a view of "down". */
export function mergeBackend(past: BackendPast, workers: readonly WorkerReport[]): BackendStatus {
  const views = workers
    .flatMap((worker) => worker.backends)
    .filter((backend) => backend.name === past.name)
  const healthyWorkers = views.filter((view) => view.healthy).length
  const told = lastTold(views, healthyWorkers === views.length)
  return {
    name: past.name,
    tls: past.tls,
    weight: past.weight,
    backup: past.backup,
    state: stateOf(views, healthyWorkers),
    healthyWorkers,
    workers: views.length,
    since: told?.since ?? null,
    reason: views.length === 0 ? "no worker serves" : (told?.reason ?? ""),
    active: sum(views, (view) => view.active),
    idle: sum(views, (view) => view.idle),
    requests: past.requests + sum(views, (view) => view.requests),
    failures: past.failures + sum(views, (view) => view.failures),
    addresses: [...new Set(views.flatMap((view) => view.addresses))],
  }
}

function stateOf(views: readonly BackendReport[], healthyWorkers: number): BackendState {
  if (views.some((view) => view.draining)) return "draining"
  if (healthyWorkers === 0) return "down"
  return healthyWorkers === views.length ? "up" : "degraded"
}

/** The latest change among those who find it as it is told: who sees trouble explains trouble. */
function lastTold(views: readonly BackendReport[], allHealthy: boolean): BackendReport | undefined {
  return views
    .filter((view) => view.healthy === allHealthy && view.reason !== "")
    .sort((a, b) => b.since - a.since)[0]
}

function sum(views: readonly BackendReport[], figure: (view: BackendReport) => number): number {
  return views.reduce((total, view) => total + figure(view), 0)
}
