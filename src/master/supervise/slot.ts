/**
 * One worker's place in the fleet: whoever sits in it, its descriptor, its watch and its story. A worker that dies
 * is followed by another until the slot is told to drain or stop.
 *
 *     starting -> serving -> draining -> gone
 *         ^          |
 *         +- resting <-   (died: back at once, or after the pause of the restart policy)
 */
import type { Settings } from "../../config/schema/settings.ts"
import { BunlbError } from "../../core/errors.ts"
import type { WorkerReport } from "../../observe/snapshot.ts"
import { explainDeath } from "./death.ts"
import type { Ending, Link } from "./link.ts"
import type { Listening } from "./listening.ts"
import type { FromWorker, ToWorker } from "./protocol.ts"
import { Questions } from "./questions.ts"
import { RestartPolicy } from "./restart-policy.ts"
import { SlotListeners, givenOf, type SlotListener } from "./slot-listeners.ts"
import type { SlotOptions, SlotState } from "./slot-options.ts"
import { Told } from "./told.ts"

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
  readonly #listeners = new SlotListeners()
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

  constructor(options: SlotOptions) {
    this.#options = options
    this.index = options.index
    this.id = options.id
    this.#settings = options.settings
    for (const [listening, fd] of options.listeners)
      this.#listeners.add(listening, fd, options.waits)
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

  /** The descriptor on which this slot's workers accept clients of a listener; -1 when there is none. */
  fdOf(listening: Listening): number {
    return this.#listeners.fdOf(listening)
  }

  /** While another process may accept at the same descriptors, their queues are not touched. */
  share(shared: boolean): void {
    this.#listeners.shared = shared
    if (!shared && this.live) this.#listeners.open()
  }

  /**
   * One more listener, which waits for `accept`; its descriptor is the slot's from now on. Resolves when the worker has
   * it, with null or with the reason why it does not.
   */
  async listen(listening: Listening, fd: number): Promise<string | null> {
    const listener = this.#listeners.add(listening, fd, true)
    return this.#told ? await this.#give(listener) : null
  }

  async #give(listener: SlotListener): Promise<string | null> {
    const given = givenOf(listener)
    if (this.#link?.give(listener.fd) === false) return "no descriptor can be given to it"
    const { applyMs } = this.#options.limits
    return await this.#ask((question) => ({ type: "listen", listener: given, question }), applyMs)
  }

  /** Lets the clients of one listener go; resolves with how many were cut when it is over. */
  async leave(listening: Listening, limitMs: number): Promise<number> {
    const listener = this.#listeners.get(listening)
    if (listener === null) return 0
    listener.leaves = true
    const { id } = listening
    const before = this.#cut
    const { lastWordsMs } = this.#options.limits
    if (this.#told) {
      const leave = (question: number) => ({ type: "leave", id, limitMs, question }) as const
      await this.#ask(leave, limitMs + lastWordsMs)
    }
    this.#listeners.release(id)
    return this.#cut - before
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

  /** The waiting is over. */
  accept(): void {
    this.#listeners.accept()
    this.#link?.send({ type: "accept" })
  }

  reopenLogs(): void {
    this.#link?.send({ type: "reopen" })
  }

  /**
   * No more connections, no more restarts; resolves when the worker is gone. `succeeded`: listeners at whose
   * descriptors of this slot another process accepts.
   */
  drain(limitMs: number, succeeded: readonly number[] = []): Promise<void> {
    this.#listeners.releaseSucceeded(succeeded)
    if (this.#state === "gone" || this.#state === "draining") return this.#gone.promise
    if (this.#state !== "serving") return this.stop()
    this.#state = "draining"
    this.#drain = "asked"
    this.#link?.send({ type: "drain", limitMs, succeeded })
    return this.#gone.promise
  }

  /** Ends the worker now; resolves when it is gone. */
  stop(): Promise<void> {
    this.#listeners.release()
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
    const fds = this.#listeners.start()
    try {
      this.#link = openLink(index, fds, {
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
          ...{ type: "init", heartbeatMs: limits.heartbeatMs },
          listeners: this.#listeners.toldAtStart,
          ...this.#knows.everything(settings),
          ailing: this.#restarts === 0 ? this.#options.ailing : [],
        })
        for (const listener of this.#listeners.sinceStart) void this.#give(listener)
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
        this.#listeners.release(message.id)
        break
      case "left":
        this.#cut += message.cut
        this.#questions.answer(message.answers, null)
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
    this.#listeners.open()
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
    if (restartInMs !== null && restartInMs > 0) this.#listeners.close()
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

  #leave(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#listeners.release()
    this.#state = "gone"
    this.#gone.resolve()
  }
}
