/** A worker as its users see it: it is started, asked for figures, drained and stopped. */
import type { ListenAddress, Settings } from "../config/schema/settings.ts"
import type { Deadlines } from "../core/deadlines.ts"
import type { ListeningSocket } from "../net/listeners.ts"
import type { Lookup } from "../net/names/resolver.ts"
import type { Log } from "../core/log.ts"
import type { SeriesChunk } from "../observe/backend-series.ts"
import type { KnownUnhealthy, HealthChange, WorkerReport } from "../observe/snapshot.ts"

export interface WorkerOptions {
  readonly settings: Settings
  /** 0 for the first worker. */
  readonly index: number
  /** Sockets to accept from; the worker owns them from now on. Null: it binds the addresses of the settings. */
  readonly listeners: readonly ListeningSocket[] | null
  readonly log: Log
  readonly onHealthChange: (change: HealthChange) => void
  /** Backends that start as unhealthy; the worker reports them like any other change. */
  readonly ailing?: readonly KnownUnhealthy[]
  /** Returns a number from 0 to 1 (exclusive) that decides where rotations begin; default: Math.random. */
  readonly random?: () => number
  /** Resolves names instead of DNS. */
  readonly lookup?: Lookup
  /** The deadlines of all its connections, for tests that inspect them. */
  readonly deadlines?: Deadlines
}

/** Connections that a drain could not end in good order. */
export interface DrainOutcome {
  /** Connections that were cut at the limit. */
  readonly cut: number
  /** Connections whose last bytes the kernel still delivers: they are complete if the machine stays up. */
  readonly sending: number
}

export interface Worker {
  /** The port of the first listener, which matters for settings with port 0; 0 if all are unix sockets. */
  readonly port: number
  /** Where each listener is, by its name. */
  readonly addresses: ReadonlyMap<string, ListenAddress>
  /** A few figures; their number does not depend on the number of backends. */
  report(): WorkerReport
  /** The figures of the backends, in pieces. */
  readonly backends: {
    /** Begins a pass over all backends. */
    begin(): void
    /** The next changes, as many as fit into `budgetMs`; null when the pass is over. */
    next(budgetMs?: number): SeriesChunk | null
  }
  /** One more listener. */
  listen(socket: ListeningSocket): void
  /** As `drain`, for one listener and its clients. */
  leave(id: number, limitMs: number, closed: () => void): Promise<DrainOutcome>
  /** Accepts from all listeners, also from those that were to wait. */
  accept(): void
  /**
   * Applies other settings; connections and tunnels stay open. Resolves when new requests use them. Rejects with
   * `BunlbError`, with nothing changed, when a CA file cannot be read. Ignores what belongs to the process (listening
   * addresses, workers, admin). Call it again only after it has resolved.
   */
  apply(settings: Settings): Promise<void>
  /** Opens the access log by its name again, after log rotation moved the file. */
  reopenLogs(): void
  /**
   * Stops accepting, lets what is in flight end, until the clients have acknowledged it, for at most `limitMs`.
   * `succeeded`: listeners at whose sockets another process accepts, so that nothing is done to their queues. `closed`
   * is called when nothing is accepted any more.
   */
  drain(limitMs: number, succeeded?: readonly number[], closed?: () => void): Promise<DrainOutcome>
  /** Closes everything now. */
  stop(): void
}

/** Throws `BunlbError` when the address cannot be bound or a CA file cannot be read. */
export type StartWorker = (options: WorkerOptions) => Promise<Worker>
