/**
 * Warns of health checks that probably ask for the wrong page: no backend of a pool is healthy, and backends take
 * connections but do not answer probes as expected. With `when_all_unhealthy: try` load balancing goes on among these,
 * but nobody watches them any more.
 */
import type { PoolSettings } from "../../config/schema/settings.ts"
import { type HealthView, noBackendIn } from "./health-view.ts"

const SETTINGS = "health.path, health.expect or health.timeout"

export class WrongPageWatch {
  /** The pools of which it has been told. */
  readonly #told = new Set<string>()

  /** A warning for each pool, once each time that it begins to be true. */
  look(health: HealthView, pools: readonly PoolSettings[]): string[] {
    const lines: string[] = []
    for (const pool of pools) {
      const { name } = pool
      const story = wrongPage(health, pool)
      if (story === null) this.#told.delete(name)
      if (story === null || this.#told.has(name)) continue
      this.#told.add(name)
      const shared = pool.whenAllUnhealthy === "try"
      const fate = shared ? "requests are shared among them" : "clients get 503"
      lines.push(`${noBackendIn(name)}: ${story}: ${fate}. If they are well, change ${SETTINGS}`)
    }
    return lines
  }
}

/** What /health says beside that no backend is healthy; empty when there is nothing to add. */
export function wrongPageHint(health: HealthView, pool: PoolSettings): string {
  const story = wrongPage(health, pool)
  return story === null ? "" : `: ${story}; see ${SETTINGS}`
}

function wrongPage(health: HealthView, pool: PoolSettings): string | null {
  const wrong = health.wrongAnswers(pool)
  if (wrong === null) return null
  const { count, total, reason } = wrong
  const who = `${count} of ${total} take connections`
  return `${who} but do not answer GET ${pool.health.path} as expected (${reason})`
}
