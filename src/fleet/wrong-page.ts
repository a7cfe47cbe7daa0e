/**
 * Warns of a health check that asks for the wrong page: the backends take requests, and all of them answer the probe
 * with a status that is not expected. Load balancing goes on among all of them, but nobody is watched any more.
 */
import type { Settings } from "../config/settings.ts"
import type { HealthView } from "./health-view.ts"

export class WrongPageWatch {
  #told = false

  /** The warning, once each time that it begins to be true; else null. */
  look(health: HealthView, settings: Settings): string | null {
    const reason = wrongPage(health, settings)
    if (reason === null) this.#told = false
    if (reason === null || this.#told) return null
    this.#told = true
    const { whenAllUnhealthy, health: asked } = settings
    const fate =
      whenAllUnhealthy === "try" ? "requests are shared among all of them" : "clients get 503"
    return (
      `every backend answers GET ${asked.path} otherwise than expected (${reason}): ${fate}. ` +
      "If the backends are well, change health.path or health.expect"
    )
  }
}

/** Why the probes of all backends fail, when that alone is against each of them; else null. */
export function wrongPage(health: HealthView, { backends }: Settings): string | null {
  // All must have it, so the first one tells in most cases.
  if (!health.hasWrongPage) return null
  const watched = backends.filter(({ duty }) => duty === undefined)
  return health.wrongPage(watched.map(({ name }) => name))
}
