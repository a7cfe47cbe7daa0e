/**
 * The health of each backend as the fleet tells it: one change, one line, however many workers see it. Each worker
 * judges for itself; the fleet says "unhealthy" when the first one does, and "healthy again" when the last one
 * agrees, so that the story in the log is never more cheerful than what a request may meet.
 */
import type { Against } from "../health/backend-health.ts"
import type { Ailing, HealthChange } from "../observe/snapshot.ts"

/** How /health begins then. Another bunlb with the same backends could do no better. */
export const NO_BACKEND = "no backend is healthy"

/** One change of the fleet's view. */
export interface FleetHealthChange extends HealthChange {
  /** How long the backend had been unhealthy; null when it has just become so. */
  readonly outageMs: number | null
}

interface Outage {
  readonly since: number
  reason: string
  against: Against | null
  /** The workers that find the backend unhealthy. */
  readonly seenBy: Set<number>
}

export class HealthView {
  readonly #outages = new Map<string, Outage>()

  /** The change of the fleet's view that one worker's change makes, or null when it makes none. */
  apply(change: HealthChange): FleetHealthChange | null {
    const outage = this.#outages.get(change.backend)
    if (!change.healthy) {
      const { reason, against = null } = change
      if (outage !== undefined) {
        outage.seenBy.add(change.worker)
        outage.reason = reason
        outage.against = against
        return null
      }
      this.#outages.set(change.backend, {
        since: change.at,
        reason,
        against,
        seenBy: new Set([change.worker]),
      })
      return { ...change, outageMs: null }
    }
    if (outage === undefined || !outage.seenBy.delete(change.worker)) return null
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

  /** Backends that are not among `names` have left, and what was thought of them is forgotten. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#outages.keys()) if (!names.has(name)) this.#outages.delete(name)
  }

  /** What is unhealthy now, for workers that have yet to begin. */
  ailing(): Ailing[] {
    return [...this.#outages].map(([backend, { since, reason, against }]) => {
      return { backend, since, reason, against }
    })
  }

  /** False while there is nothing to ask `wrongPage` for. */
  get hasWrongPage(): boolean {
    for (const { against } of this.#outages.values()) return against === "page"
    return false
  }

  /**
   * The reason of the first of `names` when nothing but the page that probes ask for is against any of them, else null.
   * Most often the backends are well and the probes ask for the wrong page.
   */
  wrongPage(names: readonly string[]): string | null {
    const outages = names.map((name) => this.#outages.get(name))
    const [first] = outages
    if (first === undefined || outages.some((outage) => outage?.against !== "page")) return null
    return first.reason
  }

  /** True when one of `workers` would send a request to `backend`. */
  isUpFor(backend: string, workers: readonly number[]): boolean {
    const seenBy = this.#outages.get(backend)?.seenBy
    return workers.some((worker) => seenBy?.has(worker) !== true)
  }
}

export function healthLine(change: FleetHealthChange): string {
  const state =
    change.outageMs === null
      ? "is unhealthy"
      : `is healthy again after ${Math.max(1, Math.round(change.outageMs / 1000))} s`
  return `backend ${change.backend} ${state}: ${change.reason}`
}
