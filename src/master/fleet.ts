/**
 * The workers as one balancer: started together, watched, followed by others when they die, drained together, and
 * seen from outside as one. The master handles no request; whatever it does costs no client anything.
 */
import { allBackends, usedPools } from "../config/schema/pools.ts"
import type { Settings } from "../config/schema/settings.ts"
import type { SeriesChunk } from "../observe/backend-series.ts"
import { processClock } from "../core/clock.ts"
import type { HealthChange } from "../observe/snapshot.ts"
import { listenFor } from "./supervise/listener-plan.ts"
import { placeOf, portOf, type Listening } from "./supervise/listening.ts"
import { WorkerSet } from "./supervise/worker-set.ts"
import { logDrain, plural } from "./supervise/drain-report.ts"
import type { FleetHealthChange } from "./figures/health-view.ts"
import { HealthView, healthLine } from "./figures/health-view.ts"
import { healthOf, readinessOf } from "./figures/pool-health.ts"
import type { FleetLimits } from "./supervise/watch-limits.ts"
import type { OpenLink } from "./supervise/link.ts"
import type { Live, Past } from "./figures/live.ts"
import type { JournalKind } from "./figures/journal.ts"
import type { LogMethod } from "./supervise/protocol.ts"
import { restartStory, type Death } from "./supervise/death.ts"
import { Slices } from "../core/slices.ts"
import type { Slot } from "./supervise/slot.ts"
import { Refused } from "./control/refused.ts"
import { Control, type ControlParts } from "./control/control.ts"
import type { ControlledFleet, Readiness } from "./control/controlled-fleet.ts"
import type { Predecessor } from "./upgrade/predecessor.ts"
import { Overview, type Shown } from "./figures/overview.ts"
import type { FleetStatus } from "./figures/status.ts"
import type { HostServices } from "./control/host-services.ts"
import { version } from "../core/version.ts"
import { handedOf } from "./upgrade/handover.ts"
import type { HandedListener, Handover, Taken } from "./upgrade/handover.ts"
import { WrongPageWatch } from "./figures/wrong-page.ts"

export interface FleetOptions extends ControlParts {
  readonly settings: Settings
  readonly limits: FleetLimits
  readonly openLink: OpenLink
  readonly hostServices: HostServices
  /** The bunlb that this one follows, or null. */
  readonly predecessor: Predecessor | null
  readonly onHealthChange: (change: FleetHealthChange) => void
}

/** While it drains, the log says this often what is left. */
const PROGRESS_MS = 5_000

export class Fleet implements ControlledFleet {
  /** What changes something while it runs. */
  readonly control: Control
  /** With the settings that are in force now. */
  #options: FleetOptions
  readonly #clock = processClock
  readonly #workers: WorkerSet
  readonly #health = new HealthView()
  readonly #overview: Overview
  readonly #wrongPage = new WrongPageWatch()
  #watch: Timer | null = null
  #watchedAt = 0
  #draining = false

  /** Binds the port. Throws `BunlbError` when that fails. */
  constructor(options: FleetOptions) {
    const { limits, openLink, predecessor } = options
    const opened = listenFor(options.settings, predecessor)
    this.control = new Control(this, options.settings, options)
    if (predecessor !== null) this.control.inherit(predecessor.handover.byHand)
    const settings = this.control.effective
    this.#options = { ...options, settings }
    this.#overview = new Overview(() => this.#shown(), predecessor?.handover.past)
    this.#overview.keep(settings)
    const events = {
      died: (slot: Slot, death: Death) => this.#died(slot, death),
      health: (slot: Slot, change: HealthChange) => this.#healthChanged(slot, change),
      series: (slot: Slot, chunk: SeriesChunk) => this.#overview.series(slot, chunk),
      reported: (slot: Slot) => this.#overview.reported(slot),
      log: (slot: Slot, level: LogMethod, line: string) =>
        options.log[level](settings.mode === "sp" ? line : `worker ${slot.index}: ${line}`),
    }
    const parts = { limits, clock: this.#clock, openLink, events }
    const ailing = predecessor?.handover.ailing ?? []
    this.#workers = new WorkerSet(parts, opened, settings, predecessor !== null, ailing)
  }

  /** The port of the first listener that has one; 0 when all are unix sockets. */
  get port(): number {
    return portOf(this.#workers.listeners)
  }

  get listeners(): readonly Listening[] {
    return this.#workers.listeners
  }

  /** Where it listens, in a few words. */
  get place(): string {
    return placeOf(this.#workers.listeners)
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
      await Promise.all(this.#workers.slots.map((slot) => slot.start()))
      this.#overview.recorder.journal.add("note", `bunlb ${version} serves`, Date.now())
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Begins to serve beside the predecessor. */
  accept(): void {
    for (const slot of this.#workers.slots) slot.accept()
  }

  /** The listeners and their descriptors, for one that follows; stay the fleet's. */
  handListeners(): { listeners: HandedListener[]; fds: number[] } {
    const workers = this.#workers
    const listeners = workers.listeners.map((each) => handedOf(each, workers.fdsOf(each)))
    return { listeners, fds: workers.listeners.flatMap((each) => workers.fdsOf(each)) }
  }

  /** While another process may accept at the same descriptors. */
  share(shared: boolean): void {
    for (const slot of this.#workers.slots) slot.share(shared)
  }

  /** What one that follows should know. */
  handOver(): Pick<Handover, "byHand" | "ailing" | "past"> {
    return { byHand: this.control.handOver(), ailing: this.#health.ailing(), past: this.past() }
  }

  /**
   * Gets ready what other settings need: listeners, workers, the admin listener. `dry`: only looks whether the ports
   * are free. Throws `BunlbError` with nothing changed.
   */
  async prepare(settings: Settings, dry: boolean): Promise<Readiness> {
    const { hostServices, log } = this.#options
    const move = this.#workers.prepare(settings, this.#health.ailing())
    try {
      if (!dry) await move.start()
      const around = await hostServices.prepare(settings)
      return {
        commit: async (settled) => {
          if (this.#draining) {
            await Promise.all([move.cancel(), around.cancel()])
            throw new Refused("ending", "this bunlb is about to end")
          }
          move.take()
          around.commit()
          const faults = await this.apply(settled)
          void move.finish().then((cut) => {
            const { drain } = settled.timeouts
            if (cut > 0)
              log.warn(`reload: ${plural(cut, "connection")} cut after ${drain / 1000} s`)
          })
          return faults
        },
        cancel: async () => {
          await Promise.all([move.cancel(), around.cancel()])
        },
      }
    } catch (error) {
      await move.cancel()
      throw error
    }
  }

  /**
   * Other settings for all workers, those that start later included. Resolves when new requests obey them, with a
   * line for each worker that does not serve by them.
   */
  async apply(settings: Settings): Promise<string[]> {
    this.#options = { ...this.#options, settings }
    const faults = await this.#applyAll(settings)
    this.#health.keep(new Set(allBackends(settings).map(({ label }) => label)))
    this.#overview.keep(settings)
    return faults.flatMap((fault, index) => (fault === null ? [] : [`worker ${index}: ${fault}`]))
  }

  /** Settings of a thousand backends take a while to write, and there may be many workers to write them to. */
  async #applyAll(settings: Settings): Promise<(string | null)[]> {
    const slices = new Slices(settings.mode === "sp")
    const answers: Promise<string | null>[] = []
    for (const slot of this.#workers.slots) {
      answers.push(slot.apply(settings))
      if (slices.isOver) await slices.rest()
    }
    return await Promise.all(answers)
  }

  /** For the journal of what happened. */
  note(kind: JournalKind, line: string): void {
    this.#overview.recorder.journal.add(kind, line, Date.now())
  }

  countReload(result: "ok" | "failed"): void {
    this.#overview.retired.countReload(result)
  }

  /**
   * Lets what is in flight end within the drain limit; resolves when every worker is gone. `taken`: so many listening
   * sockets of each listener, the first ones, another process goes on with.
   */
  async drain(taken: Taken = []): Promise<void> {
    const { settings, limits, log } = this.#options
    const limitMs = settings.timeouts.drain
    const endsAt = this.#clock.now() + limitMs
    this.#draining = true
    this.#overview.recorder.journal.add("note", "draining", Date.now())
    const progress = setInterval(() => {
      const left = Math.max(0, Math.round((endsAt - this.#clock.now()) / 1000))
      log.info(`draining: ${plural(this.#clients(), "connection")} left, at most ${left} s to go`)
    }, PROGRESS_MS)
    const limit = setTimeout(() => {
      log.warn("draining: the limit is over, the rest is cut")
      void this.stop()
    }, limitMs + limits.lastWordsMs)
    const { slots } = this.#workers
    const leaving = [...this.#workers.leaving]
    this.#workers.leaveTo(taken)
    this.#workers.leave(taken)
    const ends = slots.map((slot) => slot.drain(limitMs, this.#workers.succeeded(slot, taken)))
    await Promise.all([...ends, ...leaving.map((slot) => slot.drain(limitMs))])
    clearInterval(progress)
    clearTimeout(limit)
    this.#close()
    const drained = [...slots, ...leaving]
    logDrain(log, drained, drained.filter(({ unfinished }) => unfinished).length, limitMs)
  }

  /** Workers that start meanwhile open the access log anyway. */
  reopenLogs(): void {
    for (const slot of this.#workers.slots) slot.reopenLogs()
  }

  /** Ends every worker now; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#draining = true
    await Promise.all(this.#workers.all.map((slot) => slot.stop()))
    this.#workers.leave([])
    this.#close()
  }

  /**
   * Whether a request that came now would find a worker, and a backend to try. For orchestrators: a bunlb that has lost
   * all its backends is not mended by a restart, and still tries them.
   */
  ready(): { ok: boolean; reason: string } {
    if (this.#draining) return { ok: false, reason: "draining" }
    if (this.#workers.serving.length === 0) return { ok: false, reason: "no worker serves" }
    return readinessOf(this.#options.settings)
  }

  /** Whether a request that came now would find a worker and a healthy backend, whatever its pool. */
  health(): { ok: boolean; reason: string } {
    const ready = this.ready()
    if (!ready.ok) return ready
    const workers = this.#workers.serving.map((slot) => slot.id)
    return healthOf(this.#options.settings, this.#health, workers)
  }

  /**
   * As `health`, of workers that have just been asked whether they live. Unwell too when none answers at once, or
   * when half of them or more have been silent for longer than a busy one ever is.
   */
  async pulse(): Promise<{ ok: boolean; reason: string }> {
    const silence = await this.#workers.pulse()
    return silence === null ? this.health() : { ok: false, reason: silence }
  }

  /** The figures of now in Prometheus text form, in pieces. */
  metrics(): Promise<Uint8Array<ArrayBuffer>[]> {
    return this.#overview.metrics()
  }

  status(): Promise<FleetStatus> {
    return this.#overview.status()
  }

  /** As of the last heartbeats: asks no worker. */
  live(): Promise<Live> {
    return this.#overview.live()
  }

  past(): Past {
    return this.#overview.recorder.past()
  }

  #shown(): Shown {
    const { byHand, discovered } = this.control
    return {
      ...{ settings: this.#options.settings, workers: this.#workers, draining: this.#draining },
      ...{ byHand, discovered },
      isHeldByHand: (backend, pool) => this.control.isHeldByHand(backend, pool),
    }
  }

  #clients(): number {
    return this.#workers.all.reduce((total, slot) => total + (slot.lastReport?.clients ?? 0), 0)
  }

  /** A master that was itself stopped or starved for a while has not heard anybody, and blames nobody. */
  #tick(): void {
    const now = this.#clock.now()
    const away = now - this.#watchedAt > this.#options.limits.hungMs / 2
    this.#watchedAt = now
    for (const slot of this.#workers.all) {
      if (away) slot.excuse()
      else slot.watch()
    }
    this.#overview.record()
    this.#keepFresh()
    const { settings, log } = this.#options
    const lines = this.#wrongPage.look(this.#health, usedPools(settings))
    for (const line of lines) log.warn(line)
  }

  /** One worker after the other, so that they neither work nor answer all at once. */
  #keepFresh(): void {
    const { all } = this.#workers
    const apartMs = this.#options.limits.heartbeatMs / 2 / Math.max(1, all.length)
    all.forEach((slot, i) => setTimeout(() => slot.keepFresh(), i * apartMs))
  }

  #died(slot: Slot, death: Death): void {
    this.#overview.died(slot, death)
    const { log } = this.#options
    const after = `after ${(death.livedMs / 1000).toFixed(1)} s`
    const next = restartStory(death.restartInMs)
    const line = `worker ${slot.index} (pid ${death.pid}) ${death.story} ${after}${next}`
    if (death.expected) log.debug(line)
    else log.error(line)
    const at = Date.now()
    this.#overview.recorder.journal.add(death.expected ? "note" : "bad", line, at)
    for (const change of this.#health.forget(slot.id, at, slot.index)) this.#tell(change)
  }

  #healthChanged(slot: Slot, change: HealthChange): void {
    const merged = this.#health.apply({ ...change, worker: slot.id })
    if (merged !== null) this.#tell(merged)
    if (merged !== null) return
    const state = change.healthy ? "healthy" : "unhealthy"
    const { log } = this.#options
    log.debug(`worker ${change.worker}: backend ${change.backend} is ${state}: ${change.reason}`)
  }

  #tell(change: FleetHealthChange): void {
    if (this.#draining) return
    const line = healthLine(change)
    this.#options.log.info(line)
    this.#overview.recorder.journal.add(change.healthy ? "good" : "bad", line, change.at)
    this.#options.onHealthChange(change)
  }

  #close(): void {
    this.control.stop()
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#watch = null
  }
}
