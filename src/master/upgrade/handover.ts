/**
 * What one bunlb leaves to the one that follows it in an upgrade, and what the two say to each other. The follower may
 * be another version: what is handed over is plain data, and each `format` is read by those that know it.
 *
 *     hello -> will -> serves -> yours    the follower serves; now the one before it drains
 *                  \-> failed             all stays as it was
 *
 * Version 1 knows format 1, with one listener of TCP. It is written for a follower that knows nothing else, and read
 * from such a predecessor. The listening descriptors are not in here: the follower inherits them from slot 3 on, those
 * of the first listener first.
 */
import { addressOf } from "../../config/schema/pools.ts"
import type { ListenAddress } from "../../config/schema/settings.ts"
import type { Queue } from "../../net/listeners.ts"
import type { KnownUnhealthy } from "../../observe/snapshot.ts"
import type { ByHand } from "../control/overrides.ts"
import type { Past } from "../figures/live.ts"
import type { Listening } from "../supervise/listening.ts"

export const HANDOVER_FORMAT = 2
export const FIRST_FORMAT = 1

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

export interface HandedListener {
  readonly name: string
  /** As the settings had it. */
  readonly address: ListenAddress
  /** The port that is really bound; null for a unix socket. */
  readonly bound: number | null
  /** Descriptors that are handed over. */
  readonly count: number
  /** Their places in their group, see net/reuseport-group.ts; null when they are not known. */
  readonly places: readonly number[] | null
  readonly queue: Queue
  /** So many different sockets they are of, when the queue is not each worker's own. */
  readonly sockets: number
}

/** `fds`: of all workers. */
export function handedOf(listening: Listening, fds: readonly number[]): HandedListener {
  const { settings, port: bound, queue, group, sockets } = listening
  const places = queue === "own" ? group.placesOf(fds) : null
  const address = addressOf(settings)
  return { name: settings.name, address, bound, count: fds.length, places, queue, sockets }
}

/** What all formats have in common. */
interface Legacy {
  /** A unix socket has a path. */
  readonly admin: Place | { readonly path: string } | null
  readonly byHand: ByHand
  readonly ailing: readonly KnownUnhealthy[]
  /** For the dashboard, so that its charts go on. */
  readonly past: Past
}

export interface Handover extends Legacy {
  readonly format: typeof HANDOVER_FORMAT
  readonly listeners: readonly HandedListener[]
}

/** As version 1 has it. */
export interface FirstHandover extends Legacy {
  readonly format: typeof FIRST_FORMAT
  readonly listener: Place & { readonly count: number; readonly places?: readonly number[] | null }
}

export type AnyHandover = Handover | FirstHandover

/** For a follower that knows format 1 alone; null when that cannot tell what there is. */
export function toFirstFormat({ listeners, format: _, ...rest }: Handover): FirstHandover | null {
  const [only, ...more] = listeners
  if (only === undefined || more.length > 0 || "path" in only.address) return null
  const { address, bound, count, places } = only
  // Version 1 knows no host that stands for both families.
  if (address.host === "" || bound === null) return null
  return { format: FIRST_FORMAT, ...rest, listener: { ...address, bound, count, places } }
}

/**
 * A handover of format 1 in the present one. `name`: of the listener that it is for; `held`: sockets that a service
 * manager has handed over, 0 for none.
 */
export function fromFirstFormat(
  { listener, format: _, ...rest }: FirstHandover,
  name: string,
  queue: Queue,
  held: number,
): Handover {
  const { host, port, bound, count, places = null } = listener
  const sockets = queue === "held" ? Math.min(held, count) : queue === "shared" ? 1 : count
  const only = { name, address: { host, port }, bound, count, places, queue, sockets }
  return { format: HANDOVER_FORMAT, ...rest, listeners: [only] }
}

/** How many descriptors of each listener that was handed over are in use, always the first ones. */
export type Taken = readonly number[]

export type FromSuccessor =
  /** `format`: the newest that it reads; version 1 does not say it. */
  | { readonly type: "hello"; readonly format?: number }
  /** `taken`: one number for one listener is what version 1 says, and understands. */
  | { readonly type: "serves"; readonly version: string; readonly taken: Taken | number }
  | { readonly type: "failed"; readonly code: string; readonly message: string }

export type ToSuccessor =
  | { readonly type: "will"; readonly will: AnyHandover }
  /** It is the one that counts from now on. */
  | { readonly type: "yours" }
