/**
 * What master and worker say to each other: everything, in the order in which it is said. The worker speaks first
 * (`hello`), so that no message is sent to a process that does not listen yet.
 *
 *     hello -> init -> ready | failed          start
 *     heartbeat (by itself each second) · ping -> pong · health · log
 *     report? -> series ... -> report          all figures; see observe/backend-series.ts
 *     apply -> applied                         other settings
 *     accept                                   from listeners that were to wait
 *     listen -> applied                        one more listener
 *     leave -> closed -> left                  one listener less
 *     reopen                                   the access log was moved away
 *     drain -> closed -> drained -> stop       end
 *
 * The channel is Bun's IPC between processes, or a function call in single-process mode. It never carries what a
 * peer sent, except inside a log line.
 */
import type { Settings } from "../../config/schema/settings.ts"
import type { SettingsChange } from "../../config/settings-change.ts"
import type { SeriesChunk } from "../../observe/backend-series.ts"
import type { ErrorCode } from "../../core/errors.ts"
import type { ListeningSocket } from "../../net/listeners.ts"
import type { KnownUnhealthy, HealthChange, WorkerReport } from "../../observe/snapshot.ts"

/** A listener as a worker is told of it. */
export type GivenListener = Omit<ListeningSocket, "fd">

/** CA certificates that the worker has not been told of: the name of a file, and what it held. */
export type NewAuthorities = readonly (readonly [string, string])[]

export interface Init {
  readonly type: "init"
  readonly settings: Settings
  readonly authorities: NewAuthorities
  readonly heartbeatMs: number
  /** In the order of its descriptors; null: one that is not needed any more. */
  readonly listeners: readonly (GivenListener | null)[]
  /** Backends that begin as unhealthy. */
  readonly ailing: readonly KnownUnhealthy[]
}

export type ToWorker =
  | Init
  /** Accept from all listeners, also from those that were to wait. */
  | { readonly type: "accept" }
  /** One more listener, whose descriptor has been given; answered by `applied` with the same number. */
  | { readonly type: "listen"; readonly listener: GivenListener; readonly question: number }
  /** Drain this listener; answered by `closed` and then by `left` with the same number. */
  | {
      readonly type: "leave"
      readonly id: number
      readonly limitMs: number
      readonly question: number
    }
  /** Answered by the backends' series, in pieces, and then by a report with the same number among its `answers`. */
  | { readonly type: "report"; readonly question: number }
  /** Do you live? Answered by `pong` with the same number. */
  | { readonly type: "ping"; readonly question: number }
  /** Serve by these settings from now on; answered by `applied` with the same number. */
  | {
      readonly type: "apply"
      /** From the settings that the worker was told before, whether it could serve by them or not. */
      readonly change: SettingsChange
      readonly authorities: NewAuthorities
      readonly question: number
    }
  /** `succeeded`: listeners at whose sockets another process accepts. */
  | { readonly type: "drain"; readonly limitMs: number; readonly succeeded: readonly number[] }
  /** Open the access log again. */
  | { readonly type: "reopen" }
  /** Close everything and end. */
  | { readonly type: "stop" }

export type LogMethod = "error" | "warn" | "info" | "debug"

export type FromWorker =
  | { readonly type: "hello" }
  | { readonly type: "ready"; readonly port: number }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string }
  /** The worker lives. A few numbers, however many backends there are. */
  | { readonly type: "heartbeat"; readonly clients: number; readonly inFlight: number }
  /** What has changed of some backends. */
  | { readonly type: "series"; readonly chunk: SeriesChunk }
  /** Everything up to now has been told. */
  | { readonly type: "report"; readonly answers: readonly number[]; readonly report: WorkerReport }
  | { readonly type: "pong"; readonly answers: number }
  /** `fault` says why the old settings are still in force, or is null. */
  | { readonly type: "applied"; readonly answers: number; readonly fault: string | null }
  | { readonly type: "health"; readonly changes: readonly HealthChange[] }
  | { readonly type: "log"; readonly level: LogMethod; readonly line: string }
  /** The worker accepts no more from this listener, or from any, and has closed its descriptor. */
  | { readonly type: "closed"; readonly id: number | null }
  /** The clients of a listener have gone. The numbers as in `drained`. */
  | {
      readonly type: "left"
      readonly answers: number
      readonly cut: number
      readonly sending: number
    }
  /** What the limit of the drain came too early for, as `DrainOutcome` says. */
  | {
      readonly type: "drained"
      readonly cut: number
      readonly sending: number
      readonly report: WorkerReport
    }
