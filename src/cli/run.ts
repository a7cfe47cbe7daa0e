/** `bunlb [run]`: the balancer. */
import { existsSync } from "node:fs"
import { warningsAbout } from "../config/warnings.ts"
import type { Settings } from "../config/settings.ts"
import { leaveStartFolder } from "../config/start-folder.ts"
import { createLog } from "../observe/console-log.ts"
import { BunlbError } from "../observe/errors.ts"
import { command } from "./command.ts"
import { keeper } from "./keep.ts"
import { LogStream } from "./log-stream.ts"
import { askedSettings, settingFlags } from "./setting-flags.ts"

/**
 * Named in an error and never read unasked: who starts bunlb in a folder of somebody else must not get that one's
 * settings.
 */
const FILE_NAMES = ["bunlb.yaml", "bunlb.yml", "bunlb.toml", "bunlb.json"]

/** A file without backends is a fault of the file, a line without them one of the line. */
export function noBackend(file: string | null): BunlbError {
  if (file !== null) {
    const message = `config: ${file}: no backend, add one: backends: ["127.0.0.1:9001"]`
    return new BunlbError("BUNLB_E_CONFIG", message)
  }
  const here = FILE_NAMES.find((name) => existsSync(name))
  const message =
    here === undefined
      ? "no backend, name at least one: bunlb -b 127.0.0.1:9001 (or try: bunlb demo)"
      : `no backend: ${here} is here but was not named, write: bunlb -c ${here}`
  return new BunlbError("BUNLB_E_USAGE", message)
}

export const run = command({
  name: "run",
  description: "Balance HTTP over backends",
  usage: "[run] -b HOST:PORT [-b HOST:PORT ...] [flags]",
  flags: settingFlags,
  examples: [
    "bunlb -b 10.0.0.1:8080 -b 10.0.0.2:8080",
    "bunlb -p 80 -s sticky -b https://a.example.com -b https://b.example.com,backup",
    "bunlb -c bunlb.yaml -w 4",
  ],
  async run(typed, terminal) {
    const { settings, file, path } = await askedSettings(typed, terminal)
    if (settings.backends.length === 0) throw noBackend(file)
    leaveStartFolder()
    const log = createLog(settings.logLevel, settings.logFormat, new LogStream(settings.logOutput))
    for (const { loud, line } of warningsAbout(settings, terminal.machine)) if (loud) log.warn(line)
    const { runFleet } = await import("../fleet/run.ts")
    const { Predecessor } = await import("../fleet/predecessor.ts")
    const hasFiles = file !== null || settings.backends.some(({ tls }) => tls)
    if (settings.watch && !hasFiles) log.warn("watch: no configuration file was named")
    const load = async (): Promise<Settings> => (await askedSettings(typed, terminal)).settings
    const predecessor = await Predecessor.find()
    const keep = keeper(typed, terminal)
    const adopt = ({ logLevel, logFormat }: Settings): void => log.configure(logLevel, logFormat)
    return await runFleet(settings, log, { load, keep, file: path, predecessor, adopt })
  },
})
