/**
 * The health of each backend as the fleet tells it: one change, one line, however many workers see it. Each worker
 * judges for itself; the fleet says "unhealthy" when the first one does, and "healthy again" when the last one
 * agrees, so that the story in the log is never more cheerful than what a request may meet.
 */
import { DEFAULT_NAME, backendLabel } from "../../config/schema/pools.ts"
import type { PoolSettings } from "../../config/schema/settings.ts"
import type { Against } from "../../health/backend-health.ts"
import type { KnownUnhealthy, HealthChange } from "../../observe/snapshot.ts"

/** How /health begins then. Another bunlb with the same backends could do no better. */
export const NO_BACKEND = "no backend is healthy"

/** Of the default pool without its name, as where there is no other. */
export function noBackendIn(pool: string): string {
  return NO_BACKEND + inPool(pool)
}

export function inPool(name: string): string {
  return name === DEFAULT_NAME ? "" : ` in pool ${name}`
}

/** One change of the fleet's view. */
export interface FleetHealthChange extends HealthChange {
  /** How long the backend had been unhealthy; null when it has just become so. */
  readonly outageMs: number | null
}

/** What one worker has against a backend. */
interface Finding {
  readonly reason: string
  readonly against: Against | null
}

interface Outage {
  readonly since: number
  /** By the workers that find the backend unhealthy, the latest to say so last. */
  readonly seenBy: Map<number, Finding>
}

/** Backends that take connections and answer probes otherwise than they should, where no backend is healthy. */
export interface WrongAnswers {
  readonly count: number
  /** Of so many backends. */
  readonly total: number
  /** Of the first of them. */
  readonly reason: string
}

export class HealthView {
  readonly #outages = new Map<string, Outage>()

  /** The change of the fleet's view that one worker's change makes, or null when it makes none. */
  apply(change: HealthChange): FleetHealthChange | null {
    const { worker, reason, against = null } = change
    const outage = this.#outages.get(change.backend)
    if (!change.healthy) {
      const finding = { reason, against }
      if (outage !== undefined) {
        outage.seenBy.delete(worker)
        outage.seenBy.set(worker, finding)
        return null
      }
      this.#outages.set(change.backend, { since: change.at, seenBy: new Map([[worker, finding]]) })
      return { ...change, outageMs: null }
    }
    if (outage === undefined || !outage.seenBy.delete(worker)) return null
    if (outage.seenBy.size > 0) return null
    this.#outages.delete(change.backend)
    return { ...change, outageMs: change.at - outage.since }
  }

  /** A worker is gone and its opinions with it: what only it found unhealthy counts as healthy again. */
  forget(worker: number, at: number, index = worker): FleetHealthChange[] {
    const reason = `worker ${index}, which found it unhealthy, is gone`
    return [...this.#outages.keys()]
      .map((backend) => this.apply({ worker, backend, healthy: true, reason, at }))
      .filter((change) => change !== null)
  }

  /** Backends that are not among `names`, as in `HealthChange`, have left: what was thought of them is forgotten. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#outages.keys()) if (!names.has(name)) this.#outages.delete(name)
  }

  /** What is unhealthy now, for workers that have yet to begin. */
  ailing(): KnownUnhealthy[] {
    return [...this.#outages].map(([backend, { since, seenBy }]) => {
      return { backend, since, ...gravest(seenBy) }
    })
  }

  /**
   * Null unless each backend of the pool that is on duty is unhealthy, and only probes are against some of them, which
   * take connections: most often those are well, and the probes ask for the wrong page.
   */
  wrongAnswers({
    name: pool,
    backends,
  }: Pick<PoolSettings, "name" | "backends">): WrongAnswers | null {
    let total = 0
    let count = 0
    let reason = ""
    for (const { name, duty } of backends) {
      if (duty !== undefined) continue
      const seenBy = this.#outages.get(backendLabel(pool, name))?.seenBy
      if (seenBy === undefined) return null
      total++
      const finding = gravest(seenBy)
      if (finding.against !== "page" && finding.against !== "silent") continue
      if (count++ === 0) reason = finding.reason
    }
    return count === 0 ? null : { count, total, reason }
  }

  /** True when one of `workers` would send a request to `backend`. */
  isUpFor(backend: string, workers: readonly number[]): boolean {
    const seenBy = this.#outages.get(backend)?.seenBy
    return workers.some((worker) => seenBy?.has(worker) !== true)
  }
}

const GRAVITY: readonly (Against | null)[] = [null, "page", "silent", "probes", "requests"]

/** Requests weigh most, as in status; of equals the latest. */
function gravest(seenBy: ReadonlyMap<number, Finding>): Finding {
  let worst: Finding = { reason: "", against: null }
  for (const finding of seenBy.values()) {
    if (GRAVITY.indexOf(finding.against) >= GRAVITY.indexOf(worst.against)) worst = finding
  }
  return worst
}

export function healthLine(change: FleetHealthChange): string {
  const state =
    change.outageMs === null
      ? "is unhealthy"
      : `is healthy again after ${Math.max(1, Math.round(change.outageMs / 1000))} s`
  return `backend ${change.backend} ${state}: ${change.reason}`
}
