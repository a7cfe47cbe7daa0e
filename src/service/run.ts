/**
 * bunlb as a service: fleet and admin listener started, signals obeyed, the end reported as an exit code.
 *
 * SIGTERM and SIGINT drain: exit code 0 when all that was in flight has ended or the limit has come. A second one
 * stops at once: exit code 1. SIGHUP reloads, SIGUSR1 opens the access log again, SIGUSR2 upgrades: exit code 0 when
 * the other one serves and this one has drained.
 */
import { formatAdmin } from "../config/schema/admin-address.ts"
import { poolsInWords } from "../config/schema/pools.ts"
import type { Settings } from "../config/schema/settings.ts"
import { authorityStates } from "../net/tls/authorities.ts"
import { reapOrphans } from "../net/linux/orphans.ts"
import { takeTime } from "../net/linux/poller.ts"
import { releaseStartPages } from "../net/linux/start-pages.ts"
import { ServiceManager } from "../net/service-manager.ts"
import type { Log } from "../core/log.ts"
import type { StartWorker } from "../worker/types.ts"
import { takeEarlySignals } from "./early-signals.ts"
import { Fleet } from "../master/fleet.ts"
import type { FleetHealthChange } from "../master/figures/health-view.ts"
import type { SaveBackends } from "../master/control/saved-changes.ts"
import type { FleetLimits } from "../master/supervise/watch-limits.ts"
import { fleetLimits } from "../master/supervise/watch-limits.ts"
import { localLinks } from "../master/supervise/local-link.ts"
import { openProcessLink } from "../master/supervise/process-link.ts"
import type { Listening } from "../master/supervise/listening.ts"
import type { Taken } from "../master/upgrade/handover.ts"
import type { Predecessor } from "../master/upgrade/predecessor.ts"
import type { Reloads } from "../master/control/outcome.ts"
import { Refused } from "../master/control/refused.ts"
import { socketsInUse } from "../master/figures/status.ts"
import type { LoadSettings } from "../master/control/control.ts"
import { Upgrader } from "../master/upgrade/upgrader.ts"
import { AdminAndProgram } from "./host-services.ts"
import { ReloadTriggers } from "./reload-triggers.ts"
import { version } from "../core/version.ts"
import { startRealWorker } from "../master/supervise/worker-process.ts"

export interface FleetHooks {
  /** Each change of the fleet's view of a backend, after its log line. */
  readonly onHealthChange?: (change: FleetHealthChange) => void
  readonly limits?: Partial<FleetLimits>
  /** Reads the configuration again; without it a reload finds nothing new. */
  readonly load?: LoadSettings
  /** Writes backends into the configuration file; without it nothing can be kept. */
  readonly keep?: SaveBackends
  /** The configuration file, for `watch`. */
  readonly file?: string | null
  /** The worker of single-process mode. */
  readonly startWorker?: StartWorker
  /** The bunlb that this one follows. */
  readonly predecessor?: Predecessor | null
  /** Hears of reloads, whoever asks for them. */
  readonly reloads?: Reloads
  /** Has another take over; without it there is no upgrade. */
  readonly upgrader?: Upgrader
  /** Hears of all settings that come into force after those of the start. */
  readonly adopt?: (settings: Settings) => void
}

export interface RunningFleet {
  /** The port that is really bound, of the first listener that has one. */
  readonly port: number
  /** Where it listens, in a few words. */
  readonly place: string
  /** Null as well when the admin listener is on a unix socket, or off. */
  readonly adminPort: number | null
  /** Reads the configuration again; what is wrong with it is logged and changes nothing. */
  reload(): Promise<void>
  reopenLogs(): void
  /** Has the program now on disk take over; what goes wrong is logged and changes nothing. */
  upgrade(): Promise<void>
  /** Lets what is in flight end within the drain limit; `taken` as in the fleet. */
  drain(taken?: Taken): Promise<void>
  /** Ends everything now. */
  stop(): Promise<void>
}

const keepNothing: SaveBackends = async () => {
  throw new Refused("not_saved", "not saved and not done: this bunlb belongs to another program")
}

/** A signal that reaches both a launcher and us, and that it passes on, is one wish and not two. */
const SAME_WISH_MS = 50

/** Throws `BunlbError` when a port cannot be bound or a worker cannot start. */
export async function startFleet(
  settings: Settings,
  log: Log,
  hooks: FleetHooks = {},
): Promise<RunningFleet> {
  const { predecessor = null } = hooks
  const hostServices = new AdminAndProgram(hooks.adopt ?? (() => {}))
  const fleet = new Fleet({
    settings,
    log,
    limits: { ...fleetLimits, ...hooks.limits },
    openLink:
      settings.mode === "sp" ? localLinks(hooks.startWorker ?? startRealWorker) : openProcessLink,
    load: hooks.load ?? (async () => settings),
    keep: hooks.keep ?? keepNothing,
    reloads: hooks.reloads ?? { begin: () => {}, end: () => {} },
    upgrade: async (configured) => {
      if (hooks.upgrader !== undefined) return await hooks.upgrader.upgrade(configured)
      throw new Refused("no_upgrade", "this bunlb belongs to another program, which decides")
    },
    predecessor,
    hostServices,
    onHealthChange: hooks.onHealthChange ?? (() => {}),
  })
  await startAll(fleet, hostServices, settings, predecessor)
  log.info(startLine(settings, fleet.listeners, hostServices.adminPort))
  hooks.upgrader?.begin({ fleet, hostServices })
  const close = async (end: Promise<void>): Promise<void> => {
    await end
    await hostServices.stop()
  }
  return {
    get port() {
      return fleet.port
    },
    get place() {
      return fleet.place
    },
    adminPort: hostServices.adminPort,
    reload: () =>
      fleet.control.reload(false, false).then(
        () => {},
        () => {},
      ),
    reopenLogs: () => fleet.reopenLogs(),
    upgrade: () =>
      fleet.control.upgrade().then(
        () => {},
        () => {},
      ),
    drain: (taken) => close(fleet.drain(taken)),
    stop: () => close(fleet.stop()),
  }
}

/** Runs until a signal ends it; resolves with the exit code. Throws as `startFleet` does. */
export async function runFleet(settings: Settings, log: Log, hooks?: FleetHooks): Promise<number> {
  const wishes = listenForSignals()
  takeTime()
  const stopReaping = reapOrphans()
  const triggers = new ReloadTriggers(hooks?.file ?? null, settings.watch, authorityStates)
  const manager = ServiceManager.find(process.env)
  const upgrader = new Upgrader(log, { ...fleetLimits, ...hooks?.limits }, manager)
  // Before it serves and when it ends the manager is told other things than reloads.
  let serving: RunningFleet | null = null
  const ready = (): void => {
    if (serving !== null) manager?.ready(`serves on ${serving.place}`)
  }
  const begin = (): void => {
    if (serving !== null) manager?.reloading("reads its configuration again")
  }
  const reloads = { begin, end: ready }
  try {
    const adopt = (changed: Settings): void => {
      triggers.watch(changed.watch)
      hooks?.adopt?.(changed)
    }
    const started = startFleet(settings, log, { ...hooks, upgrader, adopt, reloads })
    const fleet = await Promise.race([started, wishes.second])
    if (typeof fleet === "string") return 1
    await hooks?.predecessor?.succeed()
    wishes.onUpgrade = () => void fleet.upgrade()
    wishes.onReopen = () => {
      log.info("SIGUSR1: opening the access log again")
      fleet.reopenLogs()
    }
    triggers.begin(() => void fleet.reload())
    serving = fleet
    releaseStartPages()
    ready()
    const early = takeEarlySignals()
    if (early.has("SIGUSR1")) wishes.onReopen()
    if (early.has("SIGHUP")) void fleet.reload()
    if (early.has("SIGUSR2")) void fleet.upgrade()
    const wish = await Promise.race([wishes.first, upgrader.done])
    serving = null
    if (typeof wish !== "string") {
      triggers.begin(() => {})
      const cut = await Promise.race([fleet.drain(wish), wishes.second])
      if (cut !== undefined) await fleet.stop()
      return cut === undefined ? 0 : 1
    }
    upgrader.cancel()
    manager?.stopping(`draining, at most ${settings.timeouts.drain / 1000} s`)
    log.info(`${wish}: draining, at most ${settings.timeouts.drain / 1000} s`)
    const drained = await Promise.race([fleet.drain(), wishes.second])
    if (drained === undefined) return 0
    log.warn(`second ${drained}: stopping at once`)
    await fleet.stop()
    return 1
  } finally {
    manager?.close()
    triggers.stop()
    stopReaping()
    wishes.ignore()
  }
}

function listenForSignals() {
  const first = Promise.withResolvers<NodeJS.Signals>()
  const second = Promise.withResolvers<NodeJS.Signals>()
  let firstAt: number | null = null
  const heard = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (firstAt === null) {
      firstAt = now
      first.resolve(signal)
    } else if (now - firstAt >= SAME_WISH_MS) second.resolve(signal)
  }
  const reopen = (): void => wishes.onReopen()
  const upgrade = (): void => wishes.onUpgrade()
  process.on("SIGTERM", heard)
  process.on("SIGINT", heard)
  process.on("SIGUSR1", reopen)
  process.on("SIGUSR2", upgrade)
  const ignore = (): void => {
    process.off("SIGTERM", heard)
    process.off("SIGINT", heard)
    process.off("SIGUSR1", reopen)
    process.off("SIGUSR2", upgrade)
  }
  const wishes = {
    ...{ first: first.promise, second: second.promise, ignore },
    onReopen: () => {},
    onUpgrade: () => {},
  }
  return wishes
}

/**
 * Alone, the port of the admin listener is tried first, for it costs nothing. After another bunlb, nobody is accepted
 * anywhere before all is ready: what fails until then has cost no client anything.
 */
async function startAll(
  fleet: Fleet,
  hostServices: AdminAndProgram,
  { admin }: Settings,
  predecessor: Predecessor | null,
): Promise<void> {
  try {
    if (predecessor === null) await hostServices.open(fleet, admin, null)
    await fleet.start()
    if (predecessor === null) return
    await hostServices.open(fleet, admin, admin && predecessor.adminPlace(admin))
    fleet.accept()
  } catch (error) {
    await fleet.stop()
    await hostServices.stop()
    throw error
  }
}

function startLine(
  settings: Settings,
  listeners: readonly Listening[],
  adminPort: number | null,
): string {
  const { pools, mode, workers, admin } = settings
  const { backends, strategies } = poolsInWords(pools)
  const parts = [
    `bunlb ${version}: ${placeOf(listeners)} -> ${backends} (${strategies})`,
    mode === "sp" ? "single process" : count(workers, "worker"),
  ]
  if (socketsInUse(settings) === "bun") parts.push("sockets of Bun")
  if (admin !== null && "path" in admin) parts.push(`admin ${formatAdmin(admin)}`)
  else if (admin !== null && adminPort !== null) parts.push(`admin ${url(admin.host, adminPort)}`)
  return parts.join(", ")
}

function placeOf(listeners: readonly Listening[]): string {
  if (listeners.length === 1) return listeners.map(addressOf).join("")
  return listeners.map((each) => `${each.settings.name} ${addressOf(each)}`).join(", ")
}

/** The address of a socket that was handed over is not that of the settings. */
function addressOf({ settings, port, queue }: Listening): string {
  const held = queue === "held" ? "the service manager's " : ""
  if (port === null) return `${held}${"path" in settings ? `unix:${settings.path}` : "unix socket"}`
  if (held !== "") return `${held}port ${port}`
  return url("path" in settings || settings.host === "" ? "*" : settings.host, port)
}

function url(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`
}
