/**
 * One worker's place in the fleet: whoever sits in it, its descriptor, its watch and its story. A worker that dies
 * is followed by another until the slot is told to drain or stop.
 *
 *     starting -> serving -> draining -> gone
 *         ^          |
 *         +- resting <-   (died: back at once, or after the pause of the restart policy)
 */
import type { Settings } from "../../config/schema/settings.ts"
import type { ReuseportGroup } from "../../net/reuseport-group.ts"
import type { Clock } from "../../core/clock.ts"
import type { SeriesChunk } from "../../observe/backend-series.ts"
import { BunlbError } from "../../core/errors.ts"
import type { KnownUnhealthy, HealthChange, WorkerReport } from "../../observe/snapshot.ts"
import { explainDeath, type Death } from "./death.ts"
import type { FleetLimits } from "./watch-limits.ts"
import type { Ending, Link, OpenLink } from "./link.ts"
import type { FromWorker, LogMethod, ToWorker } from "./protocol.ts"
import { Questions } from "./questions.ts"
import { RestartPolicy } from "./restart-policy.ts"
import { Told } from "./told.ts"

export type SlotState = "starting" | "serving" | "resting" | "draining" | "gone"

export interface SlotEvents {
  died(slot: Slot, death: Death): void
  health(slot: Slot, change: HealthChange): void
  /** A piece of what the worker tells of its backends; `reported` follows when it has told all. */
  series(slot: Slot, chunk: SeriesChunk): void
  reported(slot: Slot): void
  log(slot: Slot, level: LogMethod, line: string): void
}

export interface SlotOptions {
  readonly index: number
  /** Its own among all slots of this process, also of those that had its index before. */
  readonly id: number
  readonly listenFd: number
  /** Owns the descriptor. */
  readonly group: ReuseportGroup
  readonly settings: Settings
  readonly limits: FleetLimits
  readonly clock: Clock
  readonly openLink: OpenLink
  readonly events: SlotEvents
  /** The worker accepts nobody before `accept`. */
  readonly hold: boolean
  /** What the first worker knows to be unhealthy. */
  readonly ailing: readonly KnownUnhealthy[]
}

/** For a worker that was told to end; after that it is killed. */
const STOP_MS = 250

export class Slot {
  readonly index: number
  readonly id: number
  readonly #options: SlotOptions
  readonly #policy = new RestartPolicy()
  readonly #knows = new Told()
  readonly #firstReady = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  #state: SlotState = "resting"
  #link: Link | null = null
  #listenFd: number
  #startedAt = 0
  #heardAt = 0
  #restarts = 0
  /** Counts workers and their ends, so that a late word of a dead one is not taken for the next one's. */
  #generation = 0
  /** The limit that a silent worker has broken. */
  #silentMs: number | null = null
  #dismissed = false
  #failure: BunlbError | null = null
  #report: WorkerReport | null = null
  #restart: Timer | null = null
  #deadline: Timer | null = null
  readonly #questions = new Questions()
  #refreshing = false
  /** What the next worker is told, and the present one when it has said hello. */
  #settings: Settings
  #told = false
  #cut = 0
  #drain: "none" | "asked" | "done" = "none"
  #sending = 0
  #hold: boolean
  #shared = false

  constructor(options: SlotOptions) {
    this.#options = options
    this.index = options.index
    this.id = options.id
    this.#listenFd = options.listenFd
    this.#settings = options.settings
    this.#hold = options.hold
  }

  get state(): SlotState {
    return this.#state
  }

  /** True when a worker sits here that has begun to serve, also while it drains. */
  get live(): boolean {
    return this.#state === "serving" || this.#state === "draining"
  }

  get pid(): number | null {
    return this.#link?.pid ?? null
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Milliseconds since the present worker was started. */
  get uptime(): number {
    return this.#link === null ? 0 : this.#options.clock.now() - this.#startedAt
  }

  /** What the present worker last said of itself; null as soon as it is dead. */
  get lastReport(): WorkerReport | null {
    return this.#report
  }

  /** The descriptor on which this slot's workers accept, for one that takes it over. */
  get listenFd(): number {
    return this.#listenFd
  }

  /** While another process may accept at the same descriptor, its queue is not touched. */
  share(shared: boolean): void {
    this.#shared = shared
    if (!shared && this.live) this.#options.group.open(this.#listenFd)
  }

  /** Connections whose last bytes the drain left to the kernel. */
  get sending(): number {
    return this.#sending
  }

  /** The worker was told to drain and ended before it could say what became of its connections. */
  get unfinished(): boolean {
    return this.#state === "gone" && this.#drain === "asked"
  }

  /** Connections that the drain cut at its limit. */
  get cut(): number {
    return this.#cut
  }

  /** Resolves when the first worker serves; rejects with `BunlbError` when it ends before that. */
  start(): Promise<void> {
    this.#spawn()
    return this.#firstReady.promise
  }

  /** Makes `lastReport` one of now; a worker that does not answer in time keeps its last. */
  async refresh(): Promise<void> {
    if (!this.live) return
    await this.#ask((question) => ({ type: "report", question }), this.#options.limits.reportMs)
  }

  /** As `refresh`, unless the worker has yet to answer the last one. */
  keepFresh(): void {
    if (this.#refreshing) return
    this.#refreshing = true
    void this.refresh().finally(() => (this.#refreshing = false))
  }

  /** Whether the worker answers within `limitMs`. Costs it some 15 us. */
  async answers(limitMs: number): Promise<boolean> {
    if (!this.live) return false
    return (await this.#ask((question) => ({ type: "ping", question }), limitMs)) === null
  }

  /** Milliseconds since the present worker last said anything. */
  get silence(): number {
    return this.#options.clock.now() - this.#heardAt
  }

  /**
   * Other settings for the present worker and all that follow it. Resolves when it serves by them, with null or with
   * the reason why it does not. A worker that dies meanwhile is followed by one that does.
   */
  async apply(settings: Settings): Promise<string | null> {
    this.#settings = settings
    if (!this.#told) return null
    const { applyMs } = this.#options.limits
    const message = { type: "apply", ...this.#knows.news(settings) } as const
    return await this.#ask((question) => ({ ...message, question }), applyMs)
  }

  async #ask(message: (question: number) => ToWorker, limitMs: number): Promise<string | null> {
    if (this.#link === null) return null
    return await this.#questions.ask((question) => this.#link?.send(message(question)), limitMs)
  }

  /** Kills a worker that has been silent for too long. Called on every tick of the fleet. */
  watch(): void {
    if (this.#link === null || this.#silentMs !== null) return
    const { limits, clock } = this.#options
    const limit = this.live ? limits.hungMs : limits.startMs
    if (clock.now() - this.#heardAt < limit) return
    this.#silentMs = limit
    this.#link.kill()
  }

  /** The master itself has been away: nobody was silent, it did not listen. */
  excuse(): void {
    this.#heardAt = this.#options.clock.now()
  }

  /** Ends the hold. */
  accept(): void {
    this.#hold = false
    this.#options.group.open(this.#listenFd)
    this.#link?.send({ type: "accept" })
  }

  reopenLogs(): void {
    this.#link?.send({ type: "reopen" })
  }

  /**
   * No more connections, no more restarts; resolves when the worker is gone. `succeeded`: another process accepts at
   * its descriptor.
   */
  drain(limitMs: number, succeeded = false): Promise<void> {
    if (succeeded) this.#release(true)
    if (this.#state === "gone" || this.#state === "draining") return this.#gone.promise
    if (this.#state !== "serving") return this.stop()
    this.#state = "draining"
    this.#drain = "asked"
    this.#link?.send({ type: "drain", limitMs, succeeded })
    return this.#gone.promise
  }

  /** Ends the worker now; resolves when it is gone. */
  stop(): Promise<void> {
    this.#release()
    if (this.#restart !== null) clearTimeout(this.#restart)
    if (this.#link === null) this.#leave()
    else if (this.#state !== "gone") {
      this.#state = "draining"
      this.#dismissed = true
      // By itself it resets what it cuts, which a killed one cannot: its kernel ends all in good order.
      this.#link.send({ type: "stop" })
      this.#deadline = setTimeout(() => this.#link?.kill(), STOP_MS)
    }
    return this.#gone.promise
  }

  #spawn(): void {
    const { index, clock, openLink } = this.#options
    this.#state = "starting"
    this.#startedAt = this.#heardAt = clock.now()
    this.#report = this.#failure = null
    this.#told = false
    this.#silentMs = null
    const generation = ++this.#generation
    if (!this.#hold) this.#options.group.open(this.#listenFd)
    try {
      this.#link = openLink(index, this.#listenFd, {
        message: (message) => generation === this.#generation && this.#receive(message),
        ended: (ending) => generation === this.#generation && this.#ended(ending),
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#failure = new BunlbError("BUNLB_E_RUNTIME", `cannot start worker ${index}: ${reason}`)
      this.#ended({ code: null, signal: null, cpuSeconds: 0 })
    }
  }

  #receive(message: FromWorker): void {
    const { limits, events, clock } = this.#options
    const settings = this.#settings
    this.#heardAt = clock.now()
    switch (message.type) {
      case "hello":
        this.#told = true
        this.#link?.send({
          ...{ type: "init", heartbeatMs: limits.heartbeatMs, hold: this.#hold },
          ...this.#knows.everything(settings),
          ailing: this.#restarts === 0 ? this.#options.ailing : [],
        })
        break
      case "ready":
        if (this.#state === "starting") this.#serve()
        break
      case "failed":
        this.#failure = new BunlbError(message.code, message.message)
        this.#link?.send({ type: "stop" })
        break
      case "heartbeat":
        if (this.#report !== null) {
          const { clients, inFlight } = message
          this.#report = { ...this.#report, clients, inFlight }
        }
        break
      case "series":
        events.series(this, message.chunk)
        break
      case "report":
        this.#take(message.report)
        for (const question of message.answers) this.#questions.answer(question, null)
        break
      case "pong":
        this.#questions.answer(message.answers, null)
        break
      case "applied":
        this.#questions.answer(message.answers, message.fault)
        break
      case "health":
        for (const change of message.changes) events.health(this, change)
        break
      case "log":
        events.log(this, message.level, message.line)
        break
      case "closed":
        this.#release()
        break
      case "drained":
        this.#take(message.report)
        this.#drain = "done"
        this.#cut += message.cut
        this.#sending += message.sending
        this.#dismissed = true
        this.#link?.send({ type: "stop" })
        break
    }
  }

  #take(report: WorkerReport): void {
    this.#report = report
    this.#options.events.reported(this)
  }

  #serve(): void {
    this.#state = "serving"
    this.keepFresh()
    // Bun has just set the backlog of the descriptor back to its own.
    if (!this.#hold) this.#options.group.open(this.#listenFd)
    this.#firstReady.resolve()
  }

  #ended(ending: Ending): void {
    this.#generation++
    const { index, clock, events } = this.#options
    const livedMs = clock.now() - this.#startedAt
    const leaving = this.#state === "draining"
    const first = this.#state === "starting" && this.#restarts === 0
    const { reason, story } = explainDeath(ending, this.#failure, this.#silentMs)
    const restartInMs = leaving || first ? null : this.#policy.delayAfter(livedMs)
    const pid = this.#link?.pid ?? 0
    const report = this.#report
    this.#link = null
    this.#report = null
    this.#told = false
    this.#questions.end()
    // For a pause that clients would feel, the others take over this one's share of the connections.
    if (restartInMs !== null && restartInMs > 0 && !this.#shared)
      this.#options.group.close(this.#listenFd)
    events.died(this, {
      reason,
      story,
      pid,
      livedMs,
      cpuSeconds: ending.cpuSeconds,
      expected: this.#dismissed || first,
      report,
      restartInMs,
    })
    if (restartInMs !== null) return this.#rest(restartInMs)
    const message = `worker ${index} ${story} before it could serve`
    this.#firstReady.reject(this.#failure ?? new BunlbError("BUNLB_E_RUNTIME", message))
    this.#leave()
  }

  #rest(delayMs: number): void {
    this.#state = "resting"
    this.#restarts++
    if (delayMs === 0) return this.#spawn()
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }

  #release(isShared = false): void {
    if (this.#listenFd < 0) return
    this.#options.group.release(this.#listenFd, isShared)
    this.#listenFd = -1
  }

  #leave(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#release()
    this.#state = "gone"
    this.#gone.resolve()
  }
}
