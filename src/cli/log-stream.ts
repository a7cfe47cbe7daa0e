/**
 * Standard error or output for log lines, without ever waiting for who reads it. A log collector that stalls, or a
 * terminal that was stopped (Ctrl-S), must not stop the one who logs: he would answer no signal and replace no worker.
 *
 * A line is one write, made when the line is said, so that none is lost when the process ends. What is not taken then
 * waits up to a limit; beyond it lines are dropped, and their number is told when there is room again.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs"
import { isatty } from "node:tty"
import type { LogOutput } from "../config/schema/settings.ts"
import { alwaysAppend } from "../net/linux/append.ts"
import { hasColour } from "../observe/colour.ts"
import type { LogTarget } from "../observe/console-log.ts"

/** Characters that may wait. */
const WAITING_LIMIT = 1024 * 1024
const RETRY_MS = 100
const { O_APPEND, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants

export class LogStream implements LogTarget {
  readonly terminal: boolean
  readonly colour: boolean
  readonly #given: number
  readonly #limit: number
  /** -1: not opened yet. */
  #fd = -1
  #waiting: string[] = []
  #held = 0
  /** What has been taken from those that wait, and is not yet written. */
  #rest: Buffer | null = null
  #dropped = 0
  #retry: Timer | null = null

  /** `given`: a descriptor, or one of the two that every process has. */
  constructor(given: LogOutput | number, limit = WAITING_LIMIT) {
    this.#given = typeof given === "number" ? given : given === "stdout" ? 1 : 2
    this.terminal = isatty(this.#given)
    this.colour = hasColour(process.env, this.terminal)
    this.#limit = limit
  }

  write(line: string): void {
    if (this.#held + line.length > this.#limit) {
      this.#dropped++
      return
    }
    this.#waiting.push(line)
    this.#held += line.length
    if (this.#retry === null) this.#flush()
  }

  dropped(): number {
    if (this.#retry !== null) return 0
    const count = this.#dropped
    this.#dropped = 0
    return count
  }

  /** Writes what is taken at once, and comes back for the rest. */
  #flush(): void {
    this.#retry = null
    if (this.#fd < 0) this.#fd = openAnew(this.#given)
    for (let rest = this.#take(); rest !== null; rest = this.#take()) {
      try {
        const count = writeSync(this.#fd, rest)
        this.#rest = count === rest.length ? null : rest.subarray(count)
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "EAGAIN") {
          this.#retry = setTimeout(() => this.#flush(), RETRY_MS)
          this.#retry.unref()
          return
        }
        // Nobody reads any more, or the disk is full: there is nobody to tell.
        this.#rest = null
      }
    }
  }

  #take(): Buffer | null {
    if (this.#rest === null && this.#waiting.length > 0) {
      this.#rest = Buffer.from(this.#waiting.join(""))
      this.#waiting = []
      this.#held = 0
    }
    return this.#rest
  }
}

/**
 * A pipe or terminal opened once more does not block, and the flags of others who write to it stay as they are. What
 * cannot be opened, a socket for one, is used as it is; files never make anybody wait.
 */
function openAnew(given: number): number {
  try {
    const kind = fstatSync(given)
    // Workers write their access log to the same file, if that goes to standard output.
    if (kind.isFile()) alwaysAppend(given)
    if (!kind.isFIFO() && !kind.isCharacterDevice()) return given
    return openSync(`/proc/self/fd/${given}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY)
  } catch {
    return given
  }
}
