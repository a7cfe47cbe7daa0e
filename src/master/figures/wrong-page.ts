/**
 * Warns of health checks that probably ask for the wrong page: no backend is healthy, and backends take connections but
 * do not answer probes as expected. With `when_all_unhealthy: try` load balancing goes on among these, but nobody
 * watches them any more.
 */
import type { Settings } from "../../config/schema/settings.ts"
import type { HealthView } from "./health-view.ts"

const SETTINGS = "health.path, health.expect or health.timeout"

export class WrongPageWatch {
  #told = false

  /** The warning, once each time that it begins to be true; else null. */
  look(health: HealthView, settings: Settings): string | null {
    const story = wrongPage(health, settings)
    if (story === null) this.#told = false
    if (story === null || this.#told) return null
    this.#told = true
    const shared = settings.whenAllUnhealthy === "try"
    const fate = shared ? "requests are shared among them" : "clients get 503"
    return `no backend is healthy: ${story}: ${fate}. If they are well, change ${SETTINGS}`
  }
}

/** What /health says beside that no backend is healthy; empty when there is nothing to add. */
export function wrongPageHint(health: HealthView, settings: Settings): string {
  const story = wrongPage(health, settings)
  return story === null ? "" : `: ${story}; see ${SETTINGS}`
}

function wrongPage(health: HealthView, { backends, health: asked }: Settings): string | null {
  const wrong = health.wrongAnswers(backends)
  if (wrong === null) return null
  const { count, total, reason } = wrong
  const who = `${count} of ${total} take connections`
  return `${who} but do not answer GET ${asked.path} as expected (${reason})`
}
