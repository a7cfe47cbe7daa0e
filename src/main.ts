/**
 * The command tree. Everything is loaded when it is needed: a worker process, which is this same
 * program with BUNLB_WORKER in its environment, loads no command line at all.
 */
import { keepEarlySignals } from "./fleet/early-signals.ts"

const [word = "run"] = process.argv.slice(2)
const isLongRunning = word.startsWith("-") || ["run", "watch", "worker"].includes(word)
if (isLongRunning) keepEarlySignals()

const commands = {
  run: async () => (await import("./cli/run.ts")).run,
  check: async () => (await import("./cli/check.ts")).check,
  demo: async () => (await import("./cli/demo.ts")).demo,
  backend: async () => (await import("./cli/backend.ts")).backend,
  health: async () => (await import("./cli/health.ts")).health,
  schema: async () => (await import("./cli/schema.ts")).schema,
  status: async () => (await import("./cli/status.ts")).status,
  reload: async () => (await import("./cli/reload.ts")).reload,
  upgrade: async () => (await import("./cli/upgrade.ts")).upgrade,
  drain: async () => (await import("./cli/drain.ts")).drain,
  enable: async () => (await import("./cli/by-hand.ts")).enable,
  disable: async () => (await import("./cli/by-hand.ts")).disable,
  set: async () => (await import("./cli/by-hand.ts")).set,
  add: async () => (await import("./cli/by-hand.ts")).add,
  remove: async () => (await import("./cli/by-hand.ts")).remove,
  explain: async () => (await import("./cli/explain.ts")).explain,
  watch: async () => (await import("./cli/watch-over.ts")).watch,
  keepalived: async () => (await import("./cli/keepalived.ts")).keepalived,
}

if (process.env.BUNLB_WORKER !== undefined && process.send !== undefined) {
  const { runWorkerProcess } = await import("./fleet/worker-process.ts")
  runWorkerProcess()
} else {
  const { runCommandLine } = await import("./cli/command-line.ts")
  const { processTerminal } = await import("./cli/terminal.ts")
  process.exit(await runCommandLine(commands, process.argv.slice(2), processTerminal()))
}

export {}
