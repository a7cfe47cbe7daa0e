/**
 * The workers as one balancer: started together, watched, followed by others when they die, drained together, and
 * seen from outside as one. The master handles no request; whatever it does costs no client anything.
 */
import { isPrivateAdmin } from "../config/admin-address.ts"
import type { BackendSettings, Settings } from "../config/settings.ts"
import { takeHanded } from "../net/activation.ts"
import { openListeners, type Listeners } from "../net/listeners.ts"
import { processClock } from "../observe/clock.ts"
import { families } from "../observe/families.ts"
import type { Log } from "../observe/log.ts"
import { expose } from "../observe/prometheus.ts"
import type { HealthChange, WorkerReport } from "../observe/snapshot.ts"
import { fleetSamples } from "./figures.ts"
import type { FleetHealthChange } from "./health-view.ts"
import { HealthView, NO_BACKEND, healthLine } from "./health-view.ts"
import { Ledger } from "./ledger.ts"
import type { KeepBackends } from "./kept.ts"
import type { FleetLimits } from "./limits.ts"
import type { OpenLink } from "./link.ts"
import { Recorder } from "./live.ts"
import type { Live, Past } from "./live.ts"
import type { JournalKind } from "./journal.ts"
import type { LogMethod } from "./protocol.ts"
import { Slot } from "./slot.ts"
import type { Death } from "./slot.ts"
import { Steering, type LoadSettings, type Upgrade } from "./steering.ts"
import type { Predecessor } from "./predecessor.ts"
import type { BackendPast, FleetStatus } from "./status.ts"
import { backendRows } from "./status.ts"
import { version } from "./version.ts"
import type { Will } from "./will.ts"

export interface FleetOptions {
  readonly settings: Settings
  readonly log: Log
  readonly limits: FleetLimits
  readonly openLink: OpenLink
  /** Reads the configuration again. */
  readonly load: LoadSettings
  readonly upgrade: Upgrade
  readonly keep: KeepBackends
  /** The bunlb that this one follows, or null. */
  readonly predecessor: Predecessor | null
  readonly onHealthChange: (change: FleetHealthChange) => void
}

/** While it drains, the log says this often what is left. */
const PROGRESS_MS = 5_000

export class Fleet {
  readonly port: number
  /** What changes something while it runs. */
  readonly control: Steering
  /** With the settings that are in force now. */
  #options: FleetOptions
  readonly #clock = processClock
  readonly #slots: Slot[]
  readonly #health = new HealthView()
  readonly #ledger = new Ledger()
  readonly #recorder: Recorder
  readonly #startedAt = processClock.now()
  #watch: Timer | null = null
  #watchedAt = 0
  #draining = false

  /** Binds the port. Throws `BunlbError` when that fails. */
  constructor(options: FleetOptions) {
    const { limits, openLink, predecessor } = options
    const { port, fds } = listen(options)
    this.port = port
    this.control = new Steering(this, options.settings, options)
    if (predecessor !== null) this.control.inherit(predecessor.will.byHand)
    const settings = this.control.effective
    this.#options = { ...options, settings }
    this.#recorder = new Recorder(predecessor?.will.past)
    const events = {
      died: (slot: Slot, death: Death) => this.#died(slot, death),
      health: (change: HealthChange) => this.#healthChanged(change),
      log: (slot: Slot, level: LogMethod, line: string) =>
        options.log[level](settings.mode === "sp" ? line : `worker ${slot.index}: ${line}`),
    }
    const parts = { settings, limits, clock: this.#clock, openLink, events }
    const hold = predecessor !== null
    const ailing = predecessor?.will.ailing ?? []
    this.#slots = fds.map(
      (listenFd, index) => new Slot({ index, listenFd, hold, ailing, ...parts }),
    )
  }

  /**
   * Resolves when every worker serves; with a predecessor, when every worker is ready to. Throws `BunlbError`, all
   * workers stopped, when one cannot.
   */
  async start(): Promise<void> {
    const tickMs = this.#options.limits.heartbeatMs
    await this.control.begin()
    this.#watchedAt = this.#clock.now()
    this.#watch = setInterval(() => this.#tick(), tickMs)
    try {
      await Promise.all(this.#slots.map((slot) => slot.start()))
      this.#recorder.journal.add("note", `bunlb ${version} serves`, Date.now())
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Begins to serve beside the predecessor. */
  accept(): void {
    for (const slot of this.#slots) slot.accept()
  }

  /** The listening descriptors, for one that follows; stay the fleet's. */
  get listenFds(): number[] {
    return this.#slots.map((slot) => slot.listenFd)
  }

  /** While another process may accept at the same descriptors. */
  share(shared: boolean): void {
    for (const slot of this.#slots) slot.share(shared)
  }

  /** What one that follows should know. */
  bequeath(): Pick<Will, "byHand" | "ailing" | "past"> {
    return { byHand: this.control.bequeath(), ailing: this.#health.ailing(), past: this.past() }
  }

  /**
   * Other settings for all workers, those that start later included. Resolves when new requests obey them, with a
   * line for each worker that does not serve by them.
   */
  async apply(settings: Settings): Promise<string[]> {
    this.#options = { ...this.#options, settings }
    const faults = await Promise.all(this.#slots.map((slot) => slot.apply(settings)))
    this.#health.keep(new Set(settings.backends.map(({ name }) => name)))
    this.#ledger.keep(this.#backendNames())
    return faults.flatMap((fault, index) => (fault === null ? [] : [`worker ${index}: ${fault}`]))
  }

  /** For the journal of what happened. */
  note(kind: JournalKind, line: string): void {
    this.#recorder.journal.add(kind, line, Date.now())
  }

  countReload(result: "ok" | "failed"): void {
    this.#ledger.countReload(result)
  }

  /**
   * Lets what is in flight end within the drain limit; resolves when every worker is gone. `taken`: so many listening
   * sockets, the first ones, another process goes on with.
   */
  async drain(taken = 0): Promise<void> {
    const { settings, limits, log } = this.#options
    const limitMs = settings.timeouts.drain
    const endsAt = this.#clock.now() + limitMs
    this.#draining = true
    this.#recorder.journal.add("note", "draining", Date.now())
    const progress = setInterval(() => {
      const left = Math.max(0, Math.round((endsAt - this.#clock.now()) / 1000))
      log.info(`draining: ${plural(this.#clients(), "connection")} left, at most ${left} s to go`)
    }, PROGRESS_MS)
    const overdue = setTimeout(() => {
      log.warn("draining: the limit is over, the rest is cut")
      void this.stop()
    }, limitMs + limits.lastWordsMs)
    await Promise.all(this.#slots.map((slot) => slot.drain(limitMs, slot.index < taken)))
    clearInterval(progress)
    clearTimeout(overdue)
    this.#close()
    const cut = this.#slots.reduce((total, slot) => total + slot.cut, 0)
    if (cut > 0) log.warn(`drained; ${plural(cut, "connection")} cut after ${limitMs / 1000} s`)
    else log.info("drained; nothing was cut")
  }

  /** Workers that start meanwhile open the access log anyway. */
  reopenLogs(): void {
    for (const slot of this.#slots) slot.reopenLogs()
  }

  /** Ends every worker now; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#draining = true
    await Promise.all(this.#slots.map((slot) => slot.stop()))
    this.#close()
  }

  /**
   * Whether a request that came now would find a worker, and a backend to try. For orchestrators: a bunlb that has lost
   * all its backends is not mended by a restart, and still tries them.
   */
  ready(): { ok: boolean; reason: string } {
    if (this.#draining) return { ok: false, reason: "draining" }
    if (this.#serving().length === 0) return { ok: false, reason: "no worker serves" }
    const known = this.#options.settings.backends.length > 0
    return known ? { ok: true, reason: "ok" } : { ok: false, reason: "no backend is known yet" }
  }

  /** Whether a request that came now would find a worker and a healthy backend. */
  health(): { ok: boolean; reason: string } {
    const ready = this.ready()
    if (!ready.ok) return ready
    const serving = this.#serving()
    const workers = serving.map((slot) => slot.index)
    const drained = (name: string): boolean =>
      serving.every((slot) =>
        slot.lastReport?.backends.some((backend) => backend.name === name && backend.draining),
      )
    const eligible = this.#options.settings.backends.some(
      ({ name }) => this.#health.isUpFor(name, workers) && !drained(name),
    )
    return eligible ? { ok: true, reason: "ok" } : { ok: false, reason: NO_BACKEND }
  }

  /**
   * As `health`, of workers that have just been asked whether they live. Unwell too when none answers at once, or
   * when half of them or more have been silent for longer than a busy one ever is.
   */
  async pulse(): Promise<{ ok: boolean; reason: string }> {
    const { pulseMs, quietMs } = this.#options.limits
    const serving = this.#serving()
    const answers = serving.map(async (slot) => {
      if (!(await slot.answers(pulseMs))) throw new Error("silent")
    })
    const someone = await Promise.any(answers).then(
      () => true,
      () => serving.length === 0,
    )
    if (!someone) return { ok: false, reason: "no worker answers" }
    const quiet = serving.filter((slot) => slot.live && slot.silence > quietMs).length
    if (quiet * 2 < serving.length || quiet === 0) return this.health()
    return { ok: false, reason: `${quiet} of ${plural(serving.length, "worker")} hang` }
  }

  /** The figures of now in Prometheus text form. */
  async metrics(): Promise<string> {
    const reports = await this.#reports()
    const workers = this.#slots.map((slot) => ({
      name: `worker${slot.index}`,
      pid: slot.pid === process.pid ? null : slot.pid,
      pastCpuSeconds: this.#ledger.cpuSeconds(slot.index),
    }))
    const master = { name: "master", pid: process.pid, pastCpuSeconds: 0 }
    const samples = fleetSamples({
      settings: this.#options.settings,
      ledger: this.#ledger,
      reports,
      serving: this.#serving().length,
      processes: [master, ...workers],
      discovered: this.control.discovered,
    })
    return expose(families, samples)
  }

  async status(): Promise<FleetStatus> {
    return this.#statusBy(await this.#reports())
  }

  /** As of the last heartbeats: asks no worker. */
  live(): Live {
    return this.#recorder.live(this.#statusBy(this.#lastReports()), Date.now())
  }

  past(): Past {
    return this.#recorder.past()
  }

  #statusBy(reports: readonly WorkerReport[]): FleetStatus {
    const { settings } = this.#options
    const { byHand, discovered } = this.control
    const pastOf = (each: BackendSettings): BackendPast => ({
      ...this.#ledger.past(each),
      byHand: this.control.isHeldByHand(each),
    })
    return {
      ...(discovered.length === 0 ? {} : { discovered }),
      ...(byHand.length === 0 ? {} : { byHand }),
      control: takesOrders(settings),
      version,
      pid: process.pid,
      mode: settings.mode,
      port: this.port,
      uptime: Math.round(this.#clock.now() - this.#startedAt),
      draining: this.#draining,
      workers: this.#slots.map((slot) => ({
        index: slot.index,
        pid: slot.pid,
        state: slot.state,
        uptime: Math.round(slot.uptime),
        clients: slot.lastReport?.clients ?? 0,
        inFlight: slot.lastReport?.inFlight ?? 0,
        restarts: slot.restarts,
      })),
      backends: backendRows(settings.backends, pastOf, reports),
    }
  }

  /** Read when all have answered, so that one who dies meanwhile is counted among the dead alone. */
  async #reports(): Promise<WorkerReport[]> {
    await Promise.all(this.#slots.map((slot) => slot.refresh()))
    return this.#lastReports()
  }

  #lastReports(): WorkerReport[] {
    return this.#slots.map((slot) => slot.lastReport).filter((report) => report !== null)
  }

  #serving(): Slot[] {
    return this.#slots.filter((slot) => slot.state === "serving")
  }

  #clients(): number {
    return this.#slots.reduce((total, slot) => total + (slot.lastReport?.clients ?? 0), 0)
  }

  /** A master that was itself stopped or starved for a while has not heard anybody, and blames nobody. */
  #tick(): void {
    const now = this.#clock.now()
    const away = now - this.#watchedAt > this.#options.limits.hungMs / 2
    this.#watchedAt = now
    for (const slot of this.#slots) {
      if (away) slot.excuse()
      else slot.watch()
    }
    this.#recorder.record(this.#lastReports(), Date.now())
  }

  /** Those of the settings, and those that still drain. */
  #backendNames(): ReadonlySet<string> {
    const reported = this.#lastReports().flatMap(({ backends }) => backends)
    return new Set([...this.#options.settings.backends, ...reported].map(({ name }) => name))
  }

  #died(slot: Slot, death: Death): void {
    this.#ledger.bury(slot.index, death)
    this.#ledger.keep(this.#backendNames())
    const { log } = this.#options
    const after = `after ${(death.livedMs / 1000).toFixed(1)} s`
    const next = restartStory(death.restartInMs)
    const line = `worker ${slot.index} (pid ${death.pid}) ${death.story} ${after}${next}`
    if (death.expected) log.debug(line)
    else log.error(line)
    const at = Date.now()
    this.#recorder.journal.add(death.expected ? "note" : "bad", line, at)
    for (const change of this.#health.forget(slot.index, at)) this.#tell(change)
  }

  #healthChanged(change: HealthChange): void {
    const merged = this.#health.apply(change)
    if (merged !== null) return this.#tell(merged)
    const state = change.healthy ? "healthy" : "unhealthy"
    const { log } = this.#options
    log.debug(`worker ${change.worker}: backend ${change.backend} is ${state}: ${change.reason}`)
  }

  #tell(change: FleetHealthChange): void {
    if (this.#draining) return
    const line = healthLine(change)
    this.#options.log.info(line)
    this.#recorder.journal.add(change.healthy ? "good" : "bad", line, change.at)
    this.#options.onHealthChange(change)
  }

  #close(): void {
    this.control.stop()
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#watch = null
  }
}

/** Sockets of the predecessor, of the service manager, or of our own. */
function listen({ settings, predecessor }: FleetOptions): Listeners {
  const count = settings.mode === "sp" ? 1 : settings.workers
  if (predecessor !== null) return predecessor.listen(settings, count)
  return takeHanded(count) ?? openListeners(settings.host, settings.port, count)
}

/** Nobody may change anything where everybody can come and nobody has to show a token. */
function takesOrders({ admin, adminToken }: Settings): boolean {
  return admin !== null && (adminToken !== null || isPrivateAdmin(admin))
}

function restartStory(restartInMs: number | null): string {
  if (restartInMs === null) return ""
  return restartInMs === 0 ? "; starting it again" : `; starting it again in ${restartInMs} ms`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
