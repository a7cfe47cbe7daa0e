/**
 * The fleet in one look, as `/api/v1/status` and `bunlb status` show it. Plain JSON; the shape is an interface:
 * fields are added, never changed.
 */
import { DEFAULT_NAME, type PoolBackend, backendLabel } from "../../config/schema/pools.ts"
import { isPrivateAdmin } from "../../config/schema/admin-address.ts"
import type { Against } from "../../health/backend-health.ts"
import type {
  Duty,
  Mode,
  Settings,
  SocketKind,
  StrategyName,
} from "../../config/schema/settings.ts"
import { canBeDirect } from "../../net/linux/poller.ts"
import type { BackendFacts } from "../../observe/backend-series.ts"
import { ACTIVE, FAILURES, IDLE, REQUESTS, TUNNELS } from "../../observe/backend-series.ts"
import type { BackendTable, BackendTotals, View } from "./backend-table.ts"
import type { Slices } from "../../core/slices.ts"
import { formatListen } from "../../config/schema/listen-address.ts"
import { addressOf } from "../../config/schema/pools.ts"
import type { WorkerReport } from "../../observe/snapshot.ts"
import type { Listening } from "../supervise/listening.ts"
import type { Slot } from "../supervise/slot.ts"
import type { Discovered } from "./discovered.ts"

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
  /** As people know it: `HOST:PORT` in the pool `default`, `POOL/HOST:PORT` in any other. */
  readonly name: string
  /** Older versions have one pool and do not say it. */
  readonly pool?: string
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
  /** What is against it where it is unhealthy; absent for a healthy one and in older versions. */
  readonly against?: Against
  readonly active: number
  readonly idle: number
  /** Over all workers, the dead ones too. */
  readonly requests: number
  readonly failures: number
  readonly addresses: readonly string[]
  /** The discovered backend in whose place it stands; absent for one that is named itself. */
  readonly of?: string
}

/** One pool; its backends are the rows that name it. */
export interface PoolStatus {
  readonly name: string
  readonly strategy: StrategyName
  /** The listeners whose requests it gets; none reaches it when there are none. */
  readonly listeners: readonly string[]
  /** Backends in effect. */
  readonly backends: number
  /** Of these, those that new requests may go to. */
  readonly usable: number
}

export interface ListenerStatus {
  readonly name: string
  /** As the settings have it: `127.0.0.1:8080`, `:80`, `unix:/run/bunlb.sock`. */
  readonly address: string
  /** The port that is really bound; null for a unix socket. */
  readonly port: number | null
  readonly pool: string
  /** Open connections of all workers. */
  readonly clients: number
}

export interface FleetStatus {
  readonly version: string
  /** Of the master; older versions do not say it. */
  readonly pid?: number
  readonly mode: Mode
  /** What plain connections are made of; older versions do not say it. */
  readonly sockets?: SocketKind
  /** That of the first listener which has one. */
  readonly port: number
  /** Older versions have one and do not say it. */
  readonly listeners?: readonly ListenerStatus[]
  /** Milliseconds. */
  readonly uptime: number
  readonly draining: boolean
  readonly workers: readonly WorkerStatus[]
  readonly backends: readonly BackendStatus[]
  /** Older versions have one and do not say it. */
  readonly pools?: readonly PoolStatus[]
  /** True when the admin listener takes orders, from those who have the token if there is one. */
  readonly control?: boolean
  /** What was changed by hand at run time and is not in the configuration; absent when nothing was. */
  readonly byHand?: readonly string[]
  /** What DNS says of the backends that stand for others; absent when there are none. */
  readonly discovered?: readonly Discovered[]
}

/** What a backend is by its settings. */
export interface BackendPlan {
  /** With its pool, unless that is the default one. */
  readonly name: string
  readonly pool: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly duty?: Duty
  /** The duty is by hand and not by the configuration. */
  readonly byHand?: boolean
  readonly of?: string
}

export function planOf({ pool, label, backend }: PoolBackend, byHand: boolean): BackendPlan {
  const { tls, weight, backup, duty, member } = backend
  return {
    ...{ name: label, pool, tls, weight, backup, byHand },
    ...(duty === undefined ? {} : { duty }),
    ...(member === undefined ? {} : { of: backendLabel(pool, member.of) }),
  }
}

/** What is said of each pool of the settings, `backends` being the rows of all of them. */
export function poolRows(
  { pools, listeners }: Settings,
  backends: readonly BackendStatus[],
): PoolStatus[] {
  const usable = new Map<string, number>()
  for (const { pool = DEFAULT_NAME, state } of backends) {
    if (isUsable(state)) usable.set(pool, (usable.get(pool) ?? 0) + 1)
  }
  return pools.map(({ name, strategy, backends: own }) => ({
    ...{ name, strategy },
    listeners: listeners.filter(({ pool }) => pool === name).map((listener) => listener.name),
    backends: own.length,
    usable: usable.get(name) ?? 0,
  }))
}

/** Those of the settings, and those that have left and still have something under way. */
export async function backendRows(
  plans: readonly BackendPlan[],
  table: BackendTable,
  /** Those whose opinion counts: the others only end what they have under way. */
  workers: ReadonlySet<number>,
  slices: Slices,
): Promise<BackendStatus[]> {
  const rows: BackendStatus[] = []
  for (const plan of plans) {
    rows.push(mergeBackend(plan, table.get(plan.name), workers))
    if (slices.isOver) await slices.rest()
  }
  const known = new Set(plans.map(({ name }) => name))
  for (const totals of table.all) {
    if (known.has(totals.name)) continue
    const left = totals.views.find(({ worker }) => workers.has(worker))
    if (left === undefined) continue
    const { name, tls, weight, backup } = left.facts
    const { pool } = totals
    const row = mergeBackend({ name, pool, tls, weight, backup }, totals, workers)
    rows.push({ ...row, state: "draining", reason: "removed" })
  }
  return rows
}

/** One backend as all living workers see it; nobody's view is a view of "down". */
export function mergeBackend(
  plan: BackendPlan,
  totals: BackendTotals | undefined,
  workers: ReadonlySet<number>,
): BackendStatus {
  const views = viewsOf(totals, workers)
  const healthyWorkers = countHealthy(views)
  const told = lastTold(views, healthyWorkers === views.length)
  const number = (column: number): number => totals?.numbers[column] ?? 0
  return {
    name: plan.name,
    pool: plan.pool,
    tls: plan.tls,
    weight: plan.weight,
    backup: plan.backup,
    state: stateOf(plan, views, healthyWorkers),
    healthyWorkers,
    workers: views.length,
    since: told?.since ?? null,
    reason: views.length === 0 ? "no worker serves" : (reasonOfDuty(plan) ?? told?.reason ?? ""),
    ...againstOf(views),
    active: number(ACTIVE) + number(TUNNELS),
    idle: number(IDLE),
    requests: number(REQUESTS),
    failures: number(FAILURES),
    addresses: [...new Set(views.flatMap(({ facts }) => facts.addresses))],
    ...(plan.of === undefined ? {} : { of: plan.of }),
  }
}

export function viewsOf(
  totals: BackendTotals | undefined,
  workers: ReadonlySet<number>,
): readonly View[] {
  return totals?.views.filter(({ worker }) => workers.has(worker)) ?? []
}

export function countHealthy(views: readonly View[]): number {
  return views.reduce((count, { facts }) => count + (facts.healthy ? 1 : 0), 0)
}

/** The reason of a draining backend that is not yet without clients. */
export const LINGERING = "by hand; clients with its cookie still come"

function reasonOfDuty({ duty, byHand }: BackendPlan): string | null {
  if (duty === "linger") return LINGERING
  if (duty === undefined) return null
  return byHand === false ? "by the configuration" : "by hand"
}

export function stateOf(
  { duty }: Pick<BackendPlan, "duty">,
  views: readonly View[],
  healthyWorkers: number,
): BackendState {
  if (duty === "off") return "disabled"
  if (duty !== undefined) return "draining"
  if (views.some(({ facts }) => facts.draining)) return "draining"
  if (healthyWorkers === 0) return "down"
  return healthyWorkers === views.length ? "up" : "degraded"
}

/** The latest change among those who find it as it is told: who sees trouble explains trouble. */
function lastTold(views: readonly View[], allHealthy: boolean): BackendFacts | null {
  let last: BackendFacts | null = null
  for (const { facts } of views) {
    if (facts.healthy !== allHealthy || facts.reason === "") continue
    if (last === null || facts.since > last.since) last = facts
  }
  return last
}

/** Requests weigh most: such a backend is the last to be tried. */
export function againstOf(views: readonly View[]): Pick<BackendStatus, "against"> {
  const found = new Set(views.map(({ facts }) => facts.against ?? null))
  for (const against of ["requests", "probes", "silent", "page"] as const) {
    if (found.has(against)) return { against }
  }
  return {}
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

export function listenerRow(
  { settings, port }: Listening,
  reports: readonly WorkerReport[],
): ListenerStatus {
  const { name, pool } = settings
  const own = reports.flatMap(({ listeners }) => listeners.filter((each) => each.name === name))
  const clients = own.reduce((sum, each) => sum + each.clients, 0)
  return { name, address: formatListen(addressOf(settings)), port, pool, clients }
}
