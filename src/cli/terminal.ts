/** What a command has of the world: where its lines go, the environment, this machine. */
import { writeSync } from "node:fs"
import { availableParallelism } from "node:os"
import { isatty } from "node:tty"
import type { Environment } from "../config/environment.ts"
import type { Circumstances } from "../config/warnings.ts"
import { hasColour, painter, type Paint } from "../observe/colour.ts"

export interface Terminal {
  /** One line of result. */
  out(line: string): void
  /** One line of complaint. */
  complain(line: string): void
  /** Colours a part of a line of result; leaves it as it is where there is to be no colour. */
  readonly paint: Paint
  /** The same for a line of complaint. */
  readonly paintComplaint: Paint
  readonly environment: Environment
  readonly machine: Circumstances
}

/**
 * Writes all of it before returning, so that the process may exit at once: process.stdout of a pipe
 * would still hold lines then. A reader that has gone (`| head -1`) is no failure.
 */
function writeAll(descriptor: number, line: string): void {
  let rest: Uint8Array = new TextEncoder().encode(`${line}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null
      if (code !== "EAGAIN") return
      Bun.sleepSync(1)
    }
  }
}

export function processTerminal(): Terminal {
  return {
    out: (line) => writeAll(1, line),
    complain: (line) => writeAll(2, line),
    paint: painter(hasColour(process.env, isatty(1))),
    paintComplaint: painter(hasColour(process.env, isatty(2))),
    environment: process.env,
    machine: {
      cpus: availableParallelism(),
      platform: process.platform,
      privileged: process.platform !== "linux" || process.getuid?.() === 0,
    },
  }
}
