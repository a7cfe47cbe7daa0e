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
  /**
   * Gives the worker one more descriptor, which stays the caller's; the message that says what it is for follows. False
   * when it cannot be given.
   */
  give(fd: number): boolean
  /** Ends the worker now, whatever it does. */
  kill(): void
}

/** `fds`: what it accepts from; they stay the caller's. Throws when no process can be started. */
export type OpenLink = (index: number, fds: readonly number[], events: LinkEvents) => Link
