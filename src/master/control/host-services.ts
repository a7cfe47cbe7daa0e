/**
 * What follows the settings beside the workers: the admin listener, and what the surrounding program owns (its log, the
 * files that it watches). The master knows this interface only; src/service implements it.
 */
import type { Settings } from "../../config/schema/settings.ts"

/** Prepared, and not yet in effect. */
export interface Preparation {
  commit(): void
  cancel(): Promise<void>
}

export interface HostServices {
  /** The port of the admin listener that is really bound; null when there is none. */
  readonly adminPort: number | null
  /** Throws `BunlbError`, with nothing changed, when the admin listener cannot be where it should. */
  prepare(settings: Settings): Promise<Preparation>
  /** The process that takes over answers new admin connections from now on. */
  retire(): void
  /** The other process did not come up: new admin connections are ours again. */
  reclaim(): void
}
