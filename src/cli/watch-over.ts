/** `bunlb watch`: watches over the bunlb of this node and tells keepalived whether it may hold the address. */
import type { ValueType } from "../config/schema/setting.ts"
import { leaveStartFolder } from "../config/start-folder.ts"
import { duration, boolean, text } from "../config/schema/value-types.ts"
import type { AdminAddress } from "../config/schema/admin-address.ts"
import type { ListenerSettings, Settings } from "../config/schema/settings.ts"
import { QUICK_LOOK_MS, ReloadTriggers } from "../service/reload-triggers.ts"
import { namesOf, type WatchedAddresses } from "../ha/watched-addresses.ts"
import type { Watcher } from "../ha/watcher.ts"
import { ServiceManager } from "../net/service-manager.ts"
import { createLog } from "../observe/console-log.ts"
import { processClock } from "../core/clock.ts"
import { command } from "./command.ts"
import { LogStream } from "./log-stream.ts"
import { readOptions, usageError, type Option, type OptionsOf } from "./flags.ts"
import { askedSettings, settingFlags } from "./setting-flags.ts"
import { stopSignal } from "./stop-signal.ts"

interface WatchOptions {
  readonly trackFile: string
  readonly interval: number
  readonly deadline: number
  readonly rise: number
  readonly port: boolean
  /** Null: all of them. */
  readonly listener: string | null
  readonly needBackend: boolean
}

/** Where `bunlb keepalived` and the units in scripts/deploy/keepalived look for it. */
const TRACK_FILE = "/run/bunlb-watch/fault"

/** keepalived knows no relative one. */
export function absolutePath(example: string): ValueType<string> {
  return text(/^\/[^\s"]+$/, `an absolute path without spaces such as ${example}`, "PATH")
}

export const trackFileOption: Option<string> = {
  name: "track-file",
  type: absolutePath(TRACK_FILE),
  group: "Flags",
  help: "File that says 0, or 1 for a fault",
  default: TRACK_FILE,
  defaultText: TRACK_FILE,
}

function time(name: string, fallback: number, most: number, help: string): Option<number> {
  const type = duration(5, most)
  return { name, type, group: "Flags", help, default: fallback, defaultText: type.format(fallback) }
}

function wish(name: string, fallback: boolean, help: string): Option<boolean> {
  const defaultText = String(fallback)
  return { name, type: boolean, group: "Flags", help, default: fallback, defaultText }
}

const options: OptionsOf<WatchOptions> = {
  trackFile: trackFileOption,
  interval: time("interval", 20, 1_000, "Time between two looks"),
  deadline: time("deadline", 150, 60_000, "Silence that is a fault"),
  rise: time("rise", 200, 3_600_000, "Time without any fault after which all is well again"),
  port: wish("dial-port", true, "See whether the listeners take connections"),
  listener: {
    name: "listener",
    type: text(/^[a-z0-9][a-z0-9_-]{0,62}$/, "the name of a listener", "NAME"),
    group: "Flags",
    help: "The listener to dial, instead of all",
    default: null,
    defaultText: "all",
  },
  needBackend: wish("need-backend", false, "That no backend is healthy is a fault too"),
}

/** What it must know of bunlb's own settings, said as bunlb itself was told. */
const borrowed = settingFlags
  .filter(({ name }) => ["config", "admin", "host", "port"].includes(name))
  .map((flag) => ({ ...flag, group: "As bunlb itself was told" }))

export const watch = command({
  name: "watch",
  description: "Watch over a running bunlb and tell keepalived by a file",
  usage: "watch [-c FILE] [--track-file PATH] [flags]",
  flags: [...Object.values(options), ...borrowed],
  examples: [
    "bunlb watch -c /etc/bunlb/bunlb.yaml",
    "bunlb watch -p 80 --admin 127.0.0.1:9900 --track-file /run/bunlb-watch/fault",
  ],
  async run(typed, terminal) {
    const asked = readOptions(typed, options)
    const { settings, path } = await askedSettings(typed, terminal)
    const dialled = (listener: ListenerSettings): boolean =>
      asked.port && (asked.listener === null || asked.listener === listener.name)
    if (asked.listener !== null && !settings.listeners.some(dialled))
      throw usageError(`--listener: there is no listener ${asked.listener}`)
    const places = placesOf(settings, dialled)
    if (places === null) throw usageError("--admin: expected HOST:PORT, got off")
    leaveStartFolder()
    const manager = ServiceManager.find(process.env)
    const log = createLog(settings.logLevel, settings.logFormat, new LogStream(settings.logOutput))
    const { Watcher } = await import("../ha/watcher.ts")
    const watcher = new Watcher({
      trackFile: asked.trackFile,
      places,
      intervalMs: asked.interval,
      deadlineMs: asked.deadline,
      riseMs: asked.rise,
      needBackend: asked.needBackend,
      clock: processClock,
      log,
    })
    // However this process ends, short of SIGKILL, the file says so.
    process.on("exit", () => watcher.stop())
    watcher.start()
    const triggers = new ReloadTriggers(path, true, () => new Map(), QUICK_LOOK_MS)
    const readAgain = async (): Promise<WatchedAddresses | null> =>
      placesOf((await askedSettings(typed, terminal)).settings, dialled)
    triggers.begin(() => void follow(watcher, readAgain))
    manager?.ready(`watches ${namesOf(places)}`)
    await stopSignal()
    triggers.stop()
    manager?.stopping("the file says fault")
    watcher.stop()
    manager?.close()
    return 0
  },
})

/** What cannot be read, bunlb does not take over either: it stays where it is. */
async function follow(
  watcher: Watcher,
  read: () => Promise<WatchedAddresses | null>,
): Promise<void> {
  try {
    const places = await read()
    if (places !== null) watcher.follow(places)
    else watcher.stay("by its configuration bunlb has no admin listener")
  } catch (error) {
    const [reason = ""] = String(error instanceof Error ? error.message : error).split("\n")
    watcher.stay(reason)
  }
}

/** Null when nobody can be asked. */
function placesOf(
  { admin, listeners }: Settings,
  dialled: (listener: ListenerSettings) => boolean,
): WatchedAddresses | null {
  if (admin === null) return null
  const place = (address: AdminAddress): AdminAddress =>
    "path" in address
      ? { path: address.path }
      : { host: reachable(address.host), port: address.port }
  return { admin: place(admin), ports: listeners.filter(dialled).map(place) }
}

/** A listener on all addresses is asked on the loopback one. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1"
  return host === "::" ? "::1" : host
}
