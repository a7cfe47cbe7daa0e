/** The workers and what belongs to them, as far as control needs them. */
import type { Settings } from "../../config/schema/settings.ts"
import type { JournalKind } from "../figures/journal.ts"
import type { FleetStatus } from "../figures/status.ts"

/** Other settings, prepared. */
export interface Readiness {
  /** They are in effect when it resolves, with a line for each worker that does not serve by them. */
  commit(settings: Settings): Promise<string[]>
  cancel(): Promise<void>
}

/** What is controlled: the workers and what belongs to them. */
export interface ControlledFleet {
  /** `dry`: only checks. Throws `BunlbError` with nothing changed. */
  prepare(settings: Settings, dry: boolean): Promise<Readiness>
  /** Resolves when new requests obey the settings, with a line for each worker that does not. */
  apply(settings: Settings): Promise<string[]>
  status(): Promise<FleetStatus>
  /** For the journal of what happened. */
  note(kind: JournalKind, line: string): void
  countReload(result: "ok" | "failed"): void
}
