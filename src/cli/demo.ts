/** `bunlb demo`: two test backends and the balancer in front of them. */
import { integer, optional } from "../config/schema/value-types.ts"
import { schema } from "../config/schema/schema.ts"
import type { LogLevel } from "../config/schema/settings.ts"
import { createLog } from "../observe/console-log.ts"
import { command } from "./command.ts"
import { readOptions, type OptionsOf } from "./flags.ts"
import { LogStream } from "./log-stream.ts"

interface DemoOptions {
  readonly port: number
  readonly workers: number | null
  readonly logLevel: LogLevel
}

const group = "Flags"

const options: OptionsOf<DemoOptions> = {
  port: {
    name: "port",
    short: "p",
    type: integer(0, 65_535, "PORT"),
    group,
    help: "Port of the balancer",
    default: 0,
    defaultText: "a free one",
  },
  workers: {
    name: "workers",
    short: "w",
    type: optional(integer(1, 256), "the number of CPUs"),
    group,
    help: "Worker processes",
    default: null,
    defaultText: "one a CPU, at most 4",
  },
  logLevel: {
    name: "log-level",
    short: "l",
    alias: "loglevel",
    type: schema.log_level.type,
    group,
    help: "Least important lines to show",
    default: "info",
    defaultText: "info",
  },
}

export const demo = command({
  name: "demo",
  description: "Start two test backends and the balancer, to try things",
  usage: "demo [flags]",
  flags: Object.values(options),
  async run(typed) {
    const { port, workers, logLevel } = readOptions(typed, options)
    const { runDemo } = await import("../demo/demo.ts")
    return await runDemo({
      port,
      workers,
      log: createLog(logLevel, "text", new LogStream("stderr")),
    })
  },
})
