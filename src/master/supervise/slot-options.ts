/** What a slot is made of, what it can be, and what it tells. */
import type { Settings } from "../../config/schema/settings.ts"
import type { Clock } from "../../core/clock.ts"
import type { SeriesChunk } from "../../observe/backend-series.ts"
import type { HealthChange, KnownUnhealthy } from "../../observe/snapshot.ts"
import type { Death } from "./death.ts"
import type { OpenLink } from "./link.ts"
import type { Listening } from "./listening.ts"
import type { LogMethod } from "./protocol.ts"
import type { Slot } from "./slot.ts"
import type { FleetLimits } from "./watch-limits.ts"

export type SlotState = "starting" | "serving" | "resting" | "draining" | "gone"

export interface SlotEvents {
  died(slot: Slot, death: Death): void
  health(slot: Slot, change: HealthChange): void
  /** A piece of what the worker tells of its backends; `reported` follows when it has told all. */
  series(slot: Slot, chunk: SeriesChunk): void
  reported(slot: Slot): void
  log(slot: Slot, level: LogMethod, line: string): void
}

export interface SlotOptions {
  readonly index: number
  /** Its own among all slots of this process, also of those that had its index before. */
  readonly id: number
  /** Its descriptors, owned by the slot from now on. */
  readonly listeners: readonly (readonly [Listening, fd: number])[]
  readonly settings: Settings
  readonly limits: FleetLimits
  readonly clock: Clock
  readonly openLink: OpenLink
  readonly events: SlotEvents
  /** The worker accepts nobody before `accept`. */
  readonly waits: boolean
  /** What the first worker knows to be unhealthy. */
  readonly ailing: readonly KnownUnhealthy[]
}
