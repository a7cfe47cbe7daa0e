/** `bunlb [run]`: the balancer. */
import { hasBackend, noBackend } from "../config/no-backend.ts"
import { warningsAbout } from "../config/warnings.ts"
import type { Settings } from "../config/schema/settings.ts"
import { leaveStartFolder } from "../config/start-folder.ts"
import { hasFilePrivileges } from "../net/linux/file-privileges.ts"
import { createLog } from "../observe/console-log.ts"
import { command } from "./command.ts"
import { keeper } from "./keep.ts"
import { LogStream } from "./log-stream.ts"
import { askedSettings, everyday, settingFlags } from "./setting-flags.ts"

export const run = command({
  name: "run",
  description: "Balance HTTP over backends",
  usage: "[run] -b HOST:PORT [-b HOST:PORT ...] [flags]",
  flags: settingFlags,
  everyday,
  examples: [
    "bunlb -b 10.0.0.1:8080 -b 10.0.0.2:8080",
    "bunlb -p 80 -s sticky -b https://a.example.com -b https://b.example.com,backup",
    "bunlb -c bunlb.yaml -w 4",
  ],
  async run(typed, terminal) {
    const { settings, file, path } = await askedSettings(typed, terminal)
    if (!hasBackend(settings)) throw noBackend(file)
    leaveStartFolder()
    const log = createLog(settings.logLevel, settings.logFormat, new LogStream(settings.logOutput))
    for (const { loud, line } of warningsAbout(settings, terminal.machine)) if (loud) log.warn(line)
    if (hasFilePrivileges()) {
      log.warn("the executable has rights of its own (setcap, set-user-ID): any user can use them")
    }
    const { runFleet } = await import("../service/run.ts")
    const { Predecessor } = await import("../master/upgrade/predecessor.ts")
    const hasFiles =
      file !== null || settings.pools.some((pool) => pool.backends.some(({ tls }) => tls))
    if (settings.watch && !hasFiles) log.warn("watch: no configuration file was named")
    const load = async (): Promise<Settings> => (await askedSettings(typed, terminal)).settings
    const predecessor = await Predecessor.find(settings.listeners)
    const keep = keeper(typed, terminal)
    const adopt = ({ logLevel, logFormat }: Settings): void => log.configure(logLevel, logFormat)
    return await runFleet(settings, log, { load, keep, file: path, predecessor, adopt })
  },
})
