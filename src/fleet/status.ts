/**
 * The fleet in one look, as `/api/v1/status` and `bunlb status` show it. Plain JSON; the shape is an interface:
 * fields are added, never changed.
 */
import { isPrivateAdmin } from "../config/admin-address.ts"
import type { Duty, Mode, Settings, SocketKind } from "../config/settings.ts"
import { canBeDirect } from "../net/poller.ts"
import type { BackendReport, WorkerReport } from "../observe/snapshot.ts"
import type { Slot } from "./slot.ts"
import type { Discovered } from "./discovery.ts"

/** `degraded`: healthy for some workers and not for others. `disabled`: by an operator, and not probed. */
export type BackendState = "up" | "degraded" | "down" | "draining" | "disabled"

const states = ["up", "degraded", "down", "draining", "disabled"] as const
export const backendStates: readonly BackendState[] = states

/** Whether new requests may go to a backend in this state. */
export function isUsable(state: BackendState): boolean {
  return state === "up" || state === "degraded"
}

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
  /** The discovered backend in whose place it stands; absent for one that is named itself. */
  readonly of?: string
}

export interface FleetStatus {
  readonly version: string
  /** Of the master; older versions do not say it. */
  readonly pid?: number
  readonly mode: Mode
  /** What plain connections are made of; older versions do not say it. */
  readonly sockets?: SocketKind
  readonly port: number
  /** Milliseconds. */
  readonly uptime: number
  readonly draining: boolean
  readonly workers: readonly WorkerStatus[]
  readonly backends: readonly BackendStatus[]
  /** True when the admin listener takes orders, from those who have the token if there is one. */
  readonly control?: boolean
  /** What was changed by hand at run time and is not in the configuration; absent when nothing was. */
  readonly byHand?: readonly string[]
  /** What DNS says of the backends that stand for others; absent when there are none. */
  readonly discovered?: readonly Discovered[]
}

/** What a backend is by its settings, and what dead workers counted for it. */
export interface BackendPast {
  readonly name: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly requests: number
  readonly failures: number
  readonly duty?: Duty
  /** The duty is by hand and not by the configuration. */
  readonly byHand?: boolean
  readonly of?: string
}

/** Those of the settings, and those that have left and still have something under way. */
export function backendRows(
  backends: Settings["backends"],
  past: (backend: Settings["backends"][number]) => BackendPast,
  workers: readonly WorkerReport[],
  /** Reports of workers that only end what they have under way. */
  leaving: readonly WorkerReport[] = [],
): BackendStatus[] {
  const rows = backends.map((each) => withLeaving(mergeBackend(past(each), workers), leaving))
  const known = new Set(backends.map(({ name }) => name))
  for (const left of workers.flatMap((worker) => worker.backends)) {
    if (known.has(left.name)) continue
    known.add(left.name)
    const { name, tls, weight, backup } = left
    const row = mergeBackend({ name, tls, weight, backup, requests: 0, failures: 0 }, workers)
    rows.push({ ...row, state: "draining", reason: "removed" })
  }
  return rows
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
    state: stateOf(past, views, healthyWorkers),
    healthyWorkers,
    workers: views.length,
    since: told?.since ?? null,
    reason: views.length === 0 ? "no worker serves" : (reasonOfDuty(past) ?? told?.reason ?? ""),
    active: sum(views, (view) => view.active),
    idle: sum(views, (view) => view.idle),
    requests: past.requests + sum(views, (view) => view.requests),
    failures: past.failures + sum(views, (view) => view.failures),
    addresses: [...new Set(views.flatMap((view) => view.addresses))],
    ...(past.of === undefined ? {} : { of: past.of }),
  }
}

/** What is counted and what is under way counts, what it thinks of the backend does not. */
function withLeaving(row: BackendStatus, leaving: readonly WorkerReport[]): BackendStatus {
  const views = leaving.flatMap(({ backends }) => backends.filter(({ name }) => name === row.name))
  return {
    ...row,
    active: row.active + sum(views, (view) => view.active),
    idle: row.idle + sum(views, (view) => view.idle),
    requests: row.requests + sum(views, (view) => view.requests),
    failures: row.failures + sum(views, (view) => view.failures),
  }
}

/** The reason of a draining backend that is not yet without clients. */
export const LINGERING = "by hand; clients with its cookie still come"

function reasonOfDuty({ duty, byHand }: BackendPast): string | null {
  if (duty === "linger") return LINGERING
  if (duty === undefined) return null
  return byHand === false ? "by the configuration" : "by hand"
}

export function stateOf(
  { duty }: Pick<BackendPast, "duty">,
  views: readonly BackendReport[],
  healthyWorkers: number,
): BackendState {
  if (duty === "off") return "disabled"
  if (duty !== undefined) return "draining"
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

/** Direct only where they are wanted and possible. */
export function socketsInUse({ sockets }: Settings): SocketKind {
  return sockets === "direct" && canBeDirect() ? "direct" : "bun"
}

/** Nobody may change anything where everybody can come and nobody has to show a token. */
export function takesOrders({ admin, adminToken }: Settings): boolean {
  return admin !== null && (adminToken !== null || isPrivateAdmin(admin))
}

export function workerRow(slot: Slot): WorkerStatus {
  const { index, pid, state, uptime, restarts, lastReport } = slot
  const { clients = 0, inFlight = 0 } = lastReport ?? {}
  return { index, pid, state, uptime: Math.round(uptime), clients, inFlight, restarts }
}
