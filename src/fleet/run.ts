/**
 * bunlb as a service: fleet and admin listener started, signals obeyed, the end reported as an exit code.
 *
 * SIGTERM and SIGINT drain: exit code 0 when all that was in flight has ended or the limit has come. A second one
 * stops at once: exit code 1. SIGHUP reloads, SIGUSR1 opens the access log again.
 */
import { startAdmin } from "../admin/server.ts"
import type { Settings } from "../config/settings.ts"
import { ServiceManager } from "../net/service-manager.ts"
import type { Log } from "../observe/log.ts"
import type { StartWorker } from "../worker/types.ts"
import { Fleet } from "./fleet.ts"
import type { FleetHealthChange } from "./health-view.ts"
import type { FleetLimits } from "./limits.ts"
import { fleetLimits } from "./limits.ts"
import { localLinks } from "./local-link.ts"
import { openProcessLink } from "./process-link.ts"
import type { LoadSettings } from "./steering.ts"
import { ReloadTriggers } from "./triggers.ts"
import { version } from "./version.ts"
import { startRealWorker } from "./worker-process.ts"

export interface FleetHooks {
  /** Each change of the fleet's view of a backend, after its log line. */
  readonly onHealthChange?: (change: FleetHealthChange) => void
  readonly limits?: Partial<FleetLimits>
  /** Reads the configuration again; without it a reload finds nothing new. */
  readonly load?: LoadSettings
  /** The configuration file, for `watch`. */
  readonly file?: string | null
  /** The worker of single-process mode. */
  readonly startWorker?: StartWorker
}

export interface RunningFleet {
  /** The ports that are really bound, for settings with port 0. */
  readonly port: number
  readonly adminPort: number | null
  /** Reads the configuration again; what is wrong with it is logged and changes nothing. */
  reload(): Promise<void>
  reopenLogs(): void
  /** Lets what is in flight end within the drain limit. */
  drain(): Promise<void>
  /** Ends everything now. */
  stop(): Promise<void>
}

/** A signal that reaches both a launcher and us, and that it passes on, is one wish and not two. */
const SAME_WISH_MS = 50

/** Throws `BunlbError` when a port cannot be bound or a worker cannot start. */
export async function startFleet(
  settings: Settings,
  log: Log,
  hooks: FleetHooks = {},
): Promise<RunningFleet> {
  const fleet = new Fleet({
    settings,
    log,
    limits: { ...fleetLimits, ...hooks.limits },
    openLink:
      settings.mode === "sp" ? localLinks(hooks.startWorker ?? startRealWorker) : openProcessLink,
    load: hooks.load ?? (async () => settings),
    onHealthChange: hooks.onHealthChange ?? (() => {}),
  })
  const admin = settings.admin === null ? null : await startAdminOf(fleet, settings.admin)
  try {
    await fleet.start()
  } catch (error) {
    await admin?.stop()
    throw error
  }
  log.info(startLine(settings, fleet.port, admin?.port ?? null))
  const close = async (end: Promise<void>): Promise<void> => {
    await end
    await admin?.stop()
  }
  return {
    port: fleet.port,
    adminPort: admin?.port ?? null,
    reload: () =>
      fleet.control.reload(false).then(
        () => {},
        () => {},
      ),
    reopenLogs: () => fleet.reopenLogs(),
    drain: () => close(fleet.drain()),
    stop: () => close(fleet.stop()),
  }
}

/** Runs until a signal ends it; resolves with the exit code. Throws as `startFleet` does. */
export async function runFleet(settings: Settings, log: Log, hooks?: FleetHooks): Promise<number> {
  const wishes = listenForSignals()
  const triggers = new ReloadTriggers(settings.watch ? (hooks?.file ?? null) : null)
  const manager = ServiceManager.find(process.env)
  try {
    const fleet = await Promise.race([startFleet(settings, log, hooks), wishes.second])
    if (typeof fleet === "string") return 1
    wishes.onReopen = () => {
      log.info("SIGUSR1: opening the access log again")
      fleet.reopenLogs()
    }
    const ready = (): void => manager?.ready(`serves on port ${fleet.port}`)
    triggers.begin(() => {
      manager?.reloading()
      void fleet.reload().then(ready)
    })
    ready()
    const wish = await wishes.first
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
  process.on("SIGTERM", heard)
  process.on("SIGINT", heard)
  process.on("SIGUSR1", reopen)
  const ignore = (): void => {
    process.off("SIGTERM", heard)
    process.off("SIGINT", heard)
    process.off("SIGUSR1", reopen)
  }
  const wishes = { first: first.promise, second: second.promise, ignore, onReopen: () => {} }
  return wishes
}

async function startAdminOf(fleet: Fleet, address: NonNullable<Settings["admin"]>) {
  try {
    return await startAdmin(address, fleet)
  } catch (error) {
    await fleet.stop()
    throw error
  }
}

function startLine(settings: Settings, port: number, adminPort: number | null): string {
  const { backends, strategy, mode, workers, admin } = settings
  const parts = [
    `bunlb ${version}: ${url(settings.host, port)} -> ${count(backends.length, "backend")} (${strategy})`,
    mode === "sp" ? "single process" : count(workers, "worker"),
  ]
  if (admin !== null && adminPort !== null) parts.push(`admin ${url(admin.host, adminPort)}`)
  return parts.join(", ")
}

function url(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`
}
