/**
 * From the words after `bunlb` to an exit code: finds the command, runs it, and says each failure
 * in one line.
 *
 * The command is the first word or there is none: citty would search further and take the value of
 * `-b VALUE` for a command. A stack trace is never shown for what a person typed.
 */
import { runCommand, type CommandDef } from "citty"
import { nearest } from "../config/schema/spelling.ts"
import { BunlbError } from "../core/errors.ts"
import { specOf, type CommandContext, type CommandSpec } from "./command.ts"
import { isFileName, usageError } from "./flags.ts"
import type { CommandLine } from "./help.ts"
import type { Terminal } from "./terminal.ts"

/** Loads a command when it is needed: `health` does not pay for `run`. */
export type CommandTree = Readonly<Record<string, () => Promise<CommandDef>>>

const DEFAULT_COMMAND = "run"
const SUCCESSOR_ENV = "BUNLB_HEIR"

export async function runCommandLine(
  tree: CommandTree,
  words: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const [name, ...rest] = commandFirst(words, tree)
    const load = Object.hasOwn(tree, name) ? tree[name] : undefined
    if (!load) throw unknownCommand(name, tree)
    const asksForList = name === DEFAULT_COMMAND && rest.some((word) => /^(--help|-h)$/.test(word))
    const all = async (): Promise<readonly CommandSpec[]> =>
      await Promise.all(Object.values(tree).map(async (each) => specOf(await each())))
    const commands = asksForList ? listed(await all()) : []
    const context: CommandContext = { terminal, commands, names: Object.keys(tree), all }
    const { result } = await runCommand(await load(), { rawArgs: rest, data: context })
    return typeof result === "number" ? result : 0
  } catch (error) {
    // Who started this process to follow it tells why it cannot.
    if (terminal.environment[SUCCESSOR_ENV] !== undefined) {
      const { tellPredecessor } = await import("../master/upgrade/predecessor.ts")
      await tellPredecessor(error)
    }
    return report(error, words, terminal)
  }
}

/** `bunlb -b x` is `bunlb run -b x`, `bunlb help check` is `bunlb check --help`, `-V` is `version`. */
function commandFirst(words: readonly string[], tree: CommandTree): [string, ...string[]] {
  const [first, ...rest] = words
  if (first === undefined) return [DEFAULT_COMMAND]
  if (/^(--version|-v|-V)$/.test(first)) return ["version", ...rest]
  if (first.startsWith("-")) return [DEFAULT_COMMAND, ...words]
  if (first !== "help") return [first, ...rest]
  const [about, ...more] = rest
  if (about === undefined) return [DEFAULT_COMMAND, "--help"]
  // What is no command is a group of the flags of the default one, or all of them.
  return Object.hasOwn(tree, about)
    ? [about, "--help", ...more]
    : [DEFAULT_COMMAND, "--help", about]
}

/** Commands of other programs that are none here, and how the wish is fulfilled. */
const wishes: Readonly<Record<string, string>> = {
  start: "to start it write: bunlb -b HOST:PORT",
  serve: "to start it write: bunlb -b HOST:PORT",
  stop: "send it SIGTERM: it lets requests end, then stops",
  restart: "bunlb reload takes over a changed configuration",
  quit: "send it SIGTERM: it lets requests end, then stops",
  kill: "send it SIGTERM: it lets requests end, then stops",
  weight: "write: bunlb set weight BACKEND N",
  undrain: "did you mean enable?",
  up: "did you mean enable?",
  down: "did you mean disable?",
  metrics: "they are at http://127.0.0.1:9900/metrics",
  dashboard: "it is at http://127.0.0.1:9900/",
  test: "did you mean check?",
  validate: "did you mean check?",
  list: "did you mean status?",
}

function unknownCommand(name: string, tree: CommandTree): BunlbError {
  if (Object.hasOwn(wishes, name)) {
    return usageError(`unknown command ${JSON.stringify(name)}, ${wishes[name]}`)
  }
  const meant = nearest(name, Object.keys(tree))
  const flag = isFileName(name) ? "-c" : /[:.]/.test(name) ? "-b" : null
  const value = flag === null ? "see --help" : `did you mean ${flag} ${name}?`
  const advice = meant ? `did you mean ${meant}?` : value
  return usageError(`unknown command ${JSON.stringify(name)}, ${advice}`)
}

function listed(all: readonly CommandSpec[]): readonly CommandLine[] {
  return all.map(({ name, description }) => [
    name,
    `${description}${name === DEFAULT_COMMAND ? " (default)" : ""}`,
  ])
}

function report(error: unknown, words: readonly string[], terminal: Terminal): number {
  const name = terminal.paintComplaint("red", "bunlb:")
  if (error instanceof BunlbError) {
    for (const line of error.message.split("\n")) terminal.complain(`${name} ${line}`)
    return error.exitCode
  }
  const message = error instanceof Error ? error.message : String(error)
  terminal.complain(`${name} internal error: ${message.replaceAll(/\s*\n\s*/g, " ")}`)
  const debugging = words.some((word) => /^(-l=?|--log-?level=)?debug$/.test(word))
  if (debugging && error instanceof Error && error.stack) terminal.complain(error.stack)
  return 1
}
