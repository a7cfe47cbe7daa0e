/** The master's end of the way to one worker: what `process-link` and `local-link` have in common. */
import type { FromWorker, ToWorker } from "./protocol.ts"

/** How a worker ended. */
export interface Ending {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  /** CPU time of its whole life. */
  readonly cpuSeconds: number
}

export interface LinkEvents {
  message(message: FromWorker): unknown
  /** Said once, and last. */
  ended(ending: Ending): unknown
}

export interface Link {
  readonly pid: number
  /** Does nothing when the worker has ended. */
  send(message: ToWorker): void
  /** Ends the worker now, whatever it does. */
  kill(): void
}

/** `listenFd` stays the caller's. Throws when no process can be started. */
export type OpenLink = (index: number, listenFd: number, events: LinkEvents) => Link
