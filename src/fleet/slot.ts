/**
 * One worker's place in the fleet: whoever sits in it, its descriptor, its watch and its story. A worker that dies
 * is followed by another until the slot is told to drain or stop.
 *
 *     starting -> serving -> draining -> gone
 *         ^          |
 *         +- resting <-   (died: back at once, or after the pause of the restart policy)
 */
import type { Settings } from "../config/settings.ts"
import { closeListeners, closeQueue, openQueue } from "../net/listeners.ts"
import type { Clock } from "../observe/clock.ts"
import { BunlbError } from "../observe/errors.ts"
import type { Ailing, HealthChange, WorkerReport } from "../observe/snapshot.ts"
import type { FleetLimits } from "./limits.ts"
import type { Ending, Link, OpenLink } from "./link.ts"
import type { FromWorker, LogMethod, ToWorker } from "./protocol.ts"
import { RestartPolicy } from "./restart-policy.ts"
import { ToldAuthorities } from "./told-authorities.ts"

export type SlotState = "starting" | "serving" | "resting" | "draining" | "gone"
export type DeathReason = "exited" | "killed" | "hung" | "failed"

export interface Death {
  readonly reason: DeathReason
  /** `was killed by SIGKILL`, for the log. */
  readonly story: string
  readonly pid: number
  readonly livedMs: number
  readonly cpuSeconds: number
  /** True when the fleet had asked for it, or when `start` tells of it. */
  readonly expected: boolean
  /** What it last said of itself, or null when it never served. */
  readonly report: WorkerReport | null
  /** Milliseconds until the next one starts; null when none will. */
  readonly restartInMs: number | null
}

export interface SlotEvents {
  died(slot: Slot, death: Death): void
  health(slot: Slot, change: HealthChange): void
  log(slot: Slot, level: LogMethod, line: string): void
}

export interface SlotOptions {
  readonly index: number
  /** Its own among all slots of this process, also of those that had its index before. */
  readonly id: number
  readonly listenFd: number
  readonly settings: Settings
  readonly limits: FleetLimits
  readonly clock: Clock
  readonly openLink: OpenLink
  readonly events: SlotEvents
  /** The worker accepts nobody before `accept`. */
  readonly hold: boolean
  /** What the first worker knows to be unhealthy. */
  readonly ailing: readonly Ailing[]
}

/** For a worker that was told to end; after that it is killed. */
const STOP_MS = 250

export class Slot {
  readonly index: number
  readonly id: number
  readonly #options: SlotOptions
  readonly #policy = new RestartPolicy()
  readonly #authorities = new ToldAuthorities()
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
  #question = 0
  readonly #waiting = new Map<number, (fault: string | null) => void>()
  /** What the next worker is told, and the present one when it has said hello. */
  #settings: Settings
  #told = false
  #cut = 0
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
    if (!shared && this.live) openQueue(this.#listenFd)
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
    const authorities = this.#authorities.news()
    const message = { type: "apply", settings, authorities } as const
    return await this.#ask((question) => ({ ...message, question }), applyMs)
  }

  /** The fault in the worker's answer, or null when there is none; late is no answer. */
  async #ask(message: (question: number) => ToWorker, limitMs: number): Promise<string | null> {
    if (this.#link === null) return null
    const question = ++this.#question
    const { promise, resolve } = Promise.withResolvers<string | null>()
    this.#waiting.set(question, resolve)
    const late = setTimeout(() => resolve(`no answer within ${limitMs / 1000} s`), limitMs)
    this.#link.send(message(question))
    const fault = await promise
    clearTimeout(late)
    this.#waiting.delete(question)
    return fault
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
    openQueue(this.#listenFd)
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
    this.#release()
    if (this.#state === "gone" || this.#state === "draining") return this.#gone.promise
    if (this.#state !== "serving") return this.stop()
    this.#state = "draining"
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
    if (!this.#hold) openQueue(this.#listenFd)
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
        this.#authorities.forget()
        this.#link?.send({
          ...{ type: "init", settings, heartbeatMs: limits.heartbeatMs, hold: this.#hold },
          authorities: this.#authorities.news(),
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
      case "report":
        this.#report = message.report
        if (message.answers !== null) this.#waiting.get(message.answers)?.(null)
        break
      case "pong":
        this.#waiting.get(message.answers)?.(null)
        break
      case "applied":
        this.#waiting.get(message.answers)?.(message.fault)
        break
      case "health":
        events.health(this, message.change)
        break
      case "log":
        events.log(this, message.level, message.line)
        break
      case "drained":
        this.#report = message.report
        this.#cut += message.cut
        this.#dismissed = true
        this.#link?.send({ type: "stop" })
        break
    }
  }

  #serve(): void {
    this.#state = "serving"
    // Bun has just set the backlog of the descriptor back to its own.
    if (!this.#hold) openQueue(this.#listenFd)
    this.#firstReady.resolve()
  }

  #ended(ending: Ending): void {
    this.#generation++
    const { index, clock, events } = this.#options
    const livedMs = clock.now() - this.#startedAt
    const leaving = this.#state === "draining"
    const first = this.#state === "starting" && this.#restarts === 0
    const { reason, story } = this.#explain(ending)
    const restartInMs = leaving || first ? null : this.#policy.delayAfter(livedMs)
    const pid = this.#link?.pid ?? 0
    const report = this.#report
    this.#link = null
    this.#report = null
    this.#told = false
    for (const answered of this.#waiting.values()) answered(null)
    // For a pause that clients would feel, the others take over this one's share of the connections.
    if (restartInMs !== null && restartInMs > 0 && !this.#shared) closeQueue(this.#listenFd)
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

  #explain(ending: Ending): { reason: DeathReason; story: string } {
    if (this.#failure !== null) {
      return { reason: "failed", story: `failed (${this.#failure.message})` }
    }
    if (this.#silentMs !== null) {
      const silence = `${this.#silentMs / 1000} s`
      return { reason: "hung", story: `hung, silent for ${silence}, and was killed` }
    }
    if (ending.signal !== null) return { reason: "killed", story: `was killed by ${ending.signal}` }
    return { reason: "exited", story: `exited with code ${ending.code}` }
  }

  #rest(delayMs: number): void {
    this.#state = "resting"
    this.#restarts++
    if (delayMs === 0) return this.#spawn()
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }

  #release(): void {
    if (this.#listenFd < 0) return
    closeListeners([this.#listenFd])
    this.#listenFd = -1
  }

  #leave(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#state = "gone"
    this.#gone.resolve()
  }
}

/** How the line on a death ends. */
export function restartStory(restartInMs: number | null): string {
  if (restartInMs === null) return ""
  return restartInMs === 0 ? "; starting it again" : `; starting it again in ${restartInMs} ms`
}
