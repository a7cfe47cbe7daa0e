/** A program in a terminal of its own. Some containers have no /dev/pts: such tests are left out there. */
import { test } from "bun:test"
import { isLeftOut } from "./left-out.ts"
import { until } from "./until.ts"

interface Ended {
  readonly code: number
  /** All that it wrote, both streams. */
  readonly text: string
}

/** Whether this machine gives a program a terminal. */
function givesTerminals(): boolean {
  try {
    const child = Bun.spawn([process.execPath, "--version"], { terminal: {} })
    child.kill("SIGKILL")
    child.terminal?.close()
    return true
  } catch {
    return false
  }
}

/** `test` for what needs a terminal. */
export function inTerminals(what: string) {
  return test.skipIf(isLeftOut(what, givesTerminals(), "no pseudo-terminal can be opened here"))
}

export interface TerminalOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** SIGTERM is sent when this has been written. */
  readonly stopAt?: RegExp
}

export async function runInTerminal(
  command: readonly string[],
  { env, stopAt }: TerminalOptions,
): Promise<Ended> {
  let text = ""
  const decoder = new TextDecoder()
  const child = Bun.spawn([...command], {
    env: { ...env },
    terminal: {
      cols: 200,
      data: (_terminal, bytes) => void (text += decoder.decode(bytes, { stream: true })),
    },
  })
  if (stopAt !== undefined) {
    await until(() => stopAt.test(text), 10_000, `${stopAt} in a terminal`)
    child.kill("SIGTERM")
  }
  const code = await child.exited
  // What was written last may come after the end of the process.
  await until(() => text !== "", 10_000, "what it wrote")
  child.terminal?.close()
  return { code, text }
}
