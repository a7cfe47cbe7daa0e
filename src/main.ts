/**
 * The start of every process. Everything is loaded when it is needed: a worker process, which is this same program
 * with BUNLB_WORKER in its environment, loads no command line at all.
 */
import { keepEarlySignals } from "./service/early-signals.ts"

const [word = "run"] = process.argv.slice(2)
const isLongRunning = word.startsWith("-") || ["run", "watch", "worker"].includes(word)
if (isLongRunning) keepEarlySignals()

if (process.env.BUNLB_WORKER !== undefined && process.send !== undefined) {
  const { runWorkerProcess } = await import("./master/supervise/worker-process.ts")
  runWorkerProcess()
} else {
  const { runCommandLine } = await import("./cli/command-line.ts")
  const { commands } = await import("./cli/commands.ts")
  const { processTerminal } = await import("./cli/terminal.ts")
  process.exit(await runCommandLine(commands, process.argv.slice(2), processTerminal()))
}

export {}
