/** One process's whole balancer, as those above see it: started, asked for figures, drained, stopped. */
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
  /** What it accepts from, its own from now on; null: it binds the addresses of the settings itself. */
  readonly listeners: readonly ListeningSocket[] | null
  readonly log: Log
  readonly onHealthChange: (change: HealthChange) => void
  /** Backends that begin as unhealthy; it tells of them as of any other change. */
  readonly ailing?: readonly KnownUnhealthy[]
  /** A number from 0 up to, not including, 1, that decides where rotations begin; Math.random when it is left out. */
  readonly random?: () => number
  /** Answers for names in the place of DNS. */
  readonly lookup?: Lookup
  /** Keeps the deadlines of all its connections, for those who want to see who is in it. */
  readonly deadlines?: Deadlines
}

/** What a drain could not end in good order. */
export interface DrainOutcome {
  /** Connections that were cut at the limit. */
  readonly cut: number
  /** Connections whose last bytes only the kernel still delivers: they are whole if the machine lives on. */
  readonly sending: number
}

export interface Worker {
  /** The port that the first listener is bound to, for settings with port 0; 0 when all are unix sockets. */
  readonly port: number
  /** Where each listener is, by its name. */
  readonly addresses: ReadonlyMap<string, ListenAddress>
  /** The same few figures however many backends there are. */
  report(): WorkerReport
  /** The figures of the backends, a piece at a time. */
  readonly backends: {
    /** Begins a pass over all backends. */
    begin(): void
    /** What has changed, as far as `budgetMs` suffices; null when the pass is over. */
    next(budgetMs?: number): SeriesChunk | null
  }
  /** One more listener. */
  listen(socket: ListeningSocket): void
  /** As `drain`, for one listener and its clients. */
  leave(id: number, limitMs: number, closed: () => void): Promise<DrainOutcome>
  /** Accepts from all listeners, also from those that were to wait. */
  accept(): void
  /**
   * Serves by other settings from now on; connections and tunnels stay. Resolves when new requests obey them. Rejects
   * with `BunlbError`, nothing changed, when a CA file cannot be read. What belongs to the process (host, port,
   * workers, admin) is not looked at. Call it again only when it has resolved.
   */
  apply(settings: Settings): Promise<void>
  /** Opens the access log by its name again, after it was moved away. */
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
