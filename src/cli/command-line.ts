/**
 * From the words after `bunlb` to an exit code: finds the command, runs it, and says each failure
 * in one line.
 *
 * The command is the first word or there is none: citty would search further and take the value of
 * `-b VALUE` for a command. A stack trace is never shown for what a person typed.
 */
import { runCommand, type CommandDef } from "citty"
import { nearest } from "../config/spelling.ts"
import { commit, commitDate, version } from "../fleet/version.ts"
import { BunlbError } from "../observe/errors.ts"
import type { CommandContext } from "./command.ts"
import { isFileName, usageError } from "./flags.ts"
import type { CommandLine } from "./help.ts"
import type { Terminal } from "./terminal.ts"

/** Loads a command when it is needed: `health` does not pay for `run`. */
export type CommandTree = Readonly<Record<string, () => Promise<CommandDef>>>

const DEFAULT_COMMAND = "run"
const HEIR_ENV = "BUNLB_HEIR"

export async function runCommandLine(
  tree: CommandTree,
  words: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const [first = ""] = words
    if (first === "--version" || first === "-v") {
      for (const line of await versionLines(words.slice(1))) terminal.out(line)
      return 0
    }
    const [name, ...rest] = commandFirst(words)
    const load = Object.hasOwn(tree, name) ? tree[name] : undefined
    if (!load) throw unknownCommand(name, tree)
    const asksForList = name === DEFAULT_COMMAND && rest.some((word) => /^(--help|-h)$/.test(word))
    const commands = asksForList ? await list(tree) : []
    const context: CommandContext = { terminal, commands, names: Object.keys(tree) }
    const { result } = await runCommand(await load(), { rawArgs: rest, data: context })
    return typeof result === "number" ? result : 0
  } catch (error) {
    // Who started this process to follow it tells why it cannot.
    if (terminal.environment[HEIR_ENV] !== undefined) {
      const { tellPredecessor } = await import("../fleet/predecessor.ts")
      await tellPredecessor(error)
    }
    return report(error, words, terminal)
  }
}

async function versionLines(rest: readonly string[]): Promise<readonly string[]> {
  const line = `bunlb ${version} (bun ${Bun.version})`
  const [word] = rest
  if (word === undefined) return [line]
  if (word !== "--verbose" || rest.length > 1) {
    throw usageError(`--version: unexpected ${JSON.stringify(rest.at(-1))}, only --verbose follows`)
  }
  const platform = `${process.platform} ${process.arch}`
  const { canBeDirect } = await import("../net/poller.ts")
  const sockets = canBeDirect() ? "direct" : "bun"
  return [
    line,
    `commit ${commit}`,
    `date ${commitDate}`,
    `platform ${platform}`,
    `sockets ${sockets}`,
  ]
}

/** `bunlb -b x` is `bunlb run -b x`, `bunlb help check` is `bunlb check --help`. */
function commandFirst(words: readonly string[]): [string, ...string[]] {
  const [first, ...rest] = words
  if (first === undefined || first.startsWith("-")) return [DEFAULT_COMMAND, ...words]
  return first === "help" ? [rest[0] ?? DEFAULT_COMMAND, "--help"] : [first, ...rest]
}

/** Commands of other programs that are none here, and how the wish is fulfilled. */
const wishes: Readonly<Record<string, string>> = {
  start: "to start it write: bunlb -b HOST:PORT",
  serve: "to start it write: bunlb -b HOST:PORT",
  stop: "send it SIGTERM: it lets requests end, then stops",
  restart: "bunlb reload takes over a changed configuration",
  version: "did you mean --version?",
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

async function list(tree: CommandTree): Promise<readonly CommandLine[]> {
  const lines = Object.entries(tree).map(async ([name, load]): Promise<CommandLine> => {
    const { meta } = await load()
    const known = await (typeof meta === "function" ? meta() : meta)
    return [name, `${known?.description ?? ""}${name === DEFAULT_COMMAND ? " (default)" : ""}`]
  })
  return await Promise.all(lines)
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
