/**
 * Whether requests find a backend, pool by pool. Only the pools that a listener uses count: what no client can reach
 * is no fault.
 */
import { backendLabel, usedPools } from "../../config/schema/pools.ts"
import type { PoolSettings, Settings } from "../../config/schema/settings.ts"
import { type HealthView, inPool, noBackendIn } from "./health-view.ts"
import { wrongPageHint } from "./wrong-page.ts"

export interface Verdict {
  readonly ok: boolean
  readonly reason: string
}

const WELL: Verdict = { ok: true, reason: "ok" }

/** Requests are taken as soon as one pool has a backend: a pool whose names do not resolve must not stop others. */
export function readinessOf(settings: Settings): Verdict {
  const used = usedPools(settings)
  if (used.some(({ backends }) => backends.length > 0)) return WELL
  const [only] = used
  const where = used.length === 1 && only !== undefined ? inPool(only.name) : ""
  return { ok: false, reason: `no backend is known yet${where}` }
}

/** Unhealthy as soon as one pool has no healthy backend; the reason names each such pool. */
export function healthOf(
  settings: Settings,
  health: HealthView,
  workers: readonly number[],
): Verdict {
  const failed = usedPools(settings).filter((pool) => !hasHealthy(pool, health, workers))
  if (failed.length === 0) return WELL
  return {
    ok: false,
    reason: failed.map((pool) => noBackendIn(pool.name) + wrongPageHint(health, pool)).join("; "),
  }
}

function hasHealthy(pool: PoolSettings, health: HealthView, workers: readonly number[]): boolean {
  return pool.backends.some(
    ({ name, duty }) =>
      duty === undefined && health.isUpFor(backendLabel(pool.name, name), workers),
  )
}
