/**
 * What one bunlb leaves to the one that follows it in an upgrade, and what the two say to each other. The follower may
 * be another version: what is in the will is plain data, and another `format` is another will.
 *
 *     hello -> will -> serves -> yours    the follower serves; now the one before it drains
 *                  \-> failed             all stays as it was
 *
 * The listening descriptors are not in here: the follower inherits them from slot 3 on.
 */
import type { KnownUnhealthy } from "../../observe/snapshot.ts"
import type { ByHand } from "../control/overrides.ts"
import type { Past } from "../figures/live.ts"

export const HANDOVER_FORMAT = 1

/** An address as the settings had it, and the port that was really bound. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly bound: number
}

/** The address of an admin listener that two processes share during an upgrade. */
export interface SharedPlace {
  /** The port that is really bound; null for a unix socket. */
  readonly port: number | null
}

export interface Handover {
  readonly format: number
  /** `count`: descriptors that are handed over; `places`: theirs in their group, see net/reuseport-group.ts. */
  readonly listener: Place & {
    readonly count: number
    readonly places?: readonly number[] | null
  }
  /** A unix socket has a path. */
  readonly admin: Place | { readonly path: string } | null
  readonly byHand: ByHand
  readonly ailing: readonly KnownUnhealthy[]
  /** For the dashboard, so that its charts go on. */
  readonly past: Past
}

export type FromSuccessor =
  | { readonly type: "hello" }
  /** `taken`: of the descriptors, the first so many are in use. */
  | { readonly type: "serves"; readonly version: string; readonly taken: number }
  | { readonly type: "failed"; readonly code: string; readonly message: string }

export type ToSuccessor =
  | { readonly type: "will"; readonly will: Handover }
  /** It is the one that counts from now on. */
  | { readonly type: "yours" }
