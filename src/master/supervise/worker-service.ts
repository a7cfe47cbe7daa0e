/**
 * The worker's end of the protocol: obeys the master and says each second that it lives. The heartbeat comes from
 * a timer of the event loop that serves requests, so that a loop that hangs misses it. Figures are sent when the master
 * asks, in pieces, between which requests are served. Knows no transport: the same service runs behind IPC and, in
 * single-process mode, behind a function call.
 */
import type { Settings } from "../../config/schema/settings.ts"
import { applyChange, type SettingsChange } from "../../config/settings-change.ts"
import { closeListeners } from "../../net/listeners.ts"
import { takeAuthorities } from "../../net/tls/authorities.ts"
import type { SeriesChunk } from "../../observe/backend-series.ts"
import { BunlbError } from "../../core/errors.ts"
import type { Log } from "../../core/log.ts"
import type { HealthChange } from "../../observe/snapshot.ts"
import type { StartWorker, Worker } from "../../worker/types.ts"
import { HealthNews } from "./health-news.ts"
import type { FromWorker, GivenListener, Init, LogMethod, ToWorker } from "./protocol.ts"

/** Where the worker's listening descriptors come from, which are its own from now on. */
export interface Descriptors {
  /** The one at this place among those that it was started with. */
  first(place: number): number
  /** The next one that it was given later; -1 when there is none. */
  next(): number
}

export interface ServiceOptions {
  readonly index: number
  readonly descriptors: Descriptors
  readonly start: StartWorker
  readonly send: (message: FromWorker) => void
  /** Called once, when the master has said `stop`. */
  readonly end: () => void
}

export class WorkerService {
  readonly #options: ServiceOptions
  #worker: Worker | null = null
  /** The settings of the last message: what the next change is a change of. */
  #told: Settings | null = null
  #heartbeat: Timer | null = null
  #log: ForwardingLog | null = null
  /** Questions for a report that have not been answered yet. */
  #asked: number[] = []
  #telling = false
  /** Resolves when all that was asked of the worker so far has been done: one thing after the other. */
  #done: Promise<void> = Promise.resolve()

  constructor(options: ServiceOptions) {
    this.#options = options
    options.send({ type: "hello" })
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "init":
        takeAuthorities(message.authorities)
        this.#done = this.#start(message)
        break
      case "apply":
        this.#done = this.#done.then(() => {
          takeAuthorities(message.authorities)
          return this.#apply(message.change, message.question)
        })
        break
      case "accept":
        void this.#done.then(() => this.#worker?.accept())
        break
      case "listen":
        this.#done = this.#done.then(() => this.#listen(message.listener, message.question))
        break
      case "leave":
        void this.#done.then(() => this.#leave(message.id, message.limitMs, message.question))
        break
      case "report":
        this.#asked.push(message.question)
        if (!this.#telling) void this.#answer()
        break
      case "ping":
        this.#options.send({ type: "pong", answers: message.question })
        break
      case "drain":
        void this.#drain(message.limitMs, message.succeeded)
        break
      case "reopen":
        this.#worker?.reopenLogs()
        break
      case "stop":
        this.#stop()
        break
    }
  }

  async #start({ settings, heartbeatMs, listeners: given, ailing }: Init): Promise<void> {
    const { index, descriptors, start, send } = this.#options
    this.#told = settings
    const listeners = given.flatMap((listener, place) => {
      const fd = descriptors.first(place)
      if (listener === null) closeListeners([fd])
      return listener === null ? [] : [{ ...listener, fd }]
    })
    const log = (this.#log = forwardingLog(settings, send))
    const news = new HealthNews((changes) => send({ type: "health", changes }))
    const onHealthChange = (change: HealthChange): void => news.add(change)
    try {
      this.#worker = await start({
        ...{ settings, index, listeners, log, onHealthChange, ailing },
      })
    } catch (error) {
      if (error instanceof BunlbError) {
        send({ type: "failed", code: error.code, message: error.message })
      } else {
        const reason = error instanceof Error ? error.message : String(error)
        log.debug(`worker ${index}: ${error instanceof Error ? error.stack : reason}`)
        const message = `worker ${index} cannot start: ${reason.split("\n")[0]}`
        send({ type: "failed", code: "BUNLB_E_RUNTIME", message })
      }
      return
    }
    news.flush()
    send({ type: "ready", port: this.#worker.port })
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs)
  }

  async #apply(change: SettingsChange, answers: number): Promise<void> {
    if (this.#worker === null || this.#told === null) return
    const settings = (this.#told = applyChange(this.#told, change))
    let fault: string | null = null
    try {
      await this.#worker.apply(settings)
      if (this.#log !== null) this.#log.debugging = isDebugging(settings)
    } catch (error) {
      fault = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)
    }
    this.#options.send({ type: "applied", answers, fault })
  }

  #listen(listener: GivenListener, answers: number): void {
    const fd = this.#options.descriptors.next()
    if (fd >= 0) this.#worker?.listen({ ...listener, fd })
    const fault = fd < 0 ? "it has no descriptor to spare" : null
    this.#options.send({ type: "applied", answers, fault })
  }

  async #leave(id: number, limitMs: number, answers: number): Promise<void> {
    const closed = (): void => this.#options.send({ type: "closed", id })
    const left = (await this.#worker?.leave(id, limitMs, closed)) ?? { cut: 0, sending: 0 }
    this.#options.send({ type: "left", answers, ...left })
  }

  #beat(): void {
    if (this.#worker === null) return
    const { clients, inFlight } = this.#worker.report()
    this.#options.send({ type: "heartbeat", clients, inFlight })
  }

  /** Who asks while the backends are being told gets a report of its own: what was told first is old by then. */
  async #answer(): Promise<void> {
    const worker = this.#worker
    if (worker === null) return
    this.#telling = true
    while (this.#asked.length > 0) {
      const answers = this.#asked
      this.#asked = []
      await this.#tellBackends(worker)
      this.#options.send({ type: "report", answers, report: worker.report() })
    }
    this.#telling = false
  }

  async #tellBackends({ backends }: Worker): Promise<void> {
    backends.begin()
    for (let chunk = backends.next(); chunk !== null; chunk = backends.next()) {
      if (!isEmpty(chunk)) this.#options.send({ type: "series", chunk })
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #drain(limitMs: number, succeeded: readonly number[]): Promise<void> {
    const worker = this.#worker
    if (worker === null) return
    const closed = (): void => this.#options.send({ type: "closed", id: null })
    const { cut, sending } = await worker.drain(limitMs, succeeded, closed)
    await this.#tellBackends(worker)
    this.#options.send({ type: "drained", cut, sending, report: worker.report() })
  }

  #stop(): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#worker?.stop()
    this.#options.end()
  }
}

/** One process writes the log, the master, so that lines of several workers never mix. */
function forwardingLog(settings: Settings, send: (message: FromWorker) => void): ForwardingLog {
  const forward = (level: LogMethod) => (line: string) => send({ type: "log", level, line })
  return {
    error: forward("error"),
    warn: forward("warn"),
    info: forward("info"),
    debug: forward("debug"),
    debugging: isDebugging(settings),
  }
}

/** As long as nobody reads them, lines of debugging are not made. */
interface ForwardingLog extends Log {
  debugging: boolean
}

function isDebugging({ logLevel }: Settings): boolean {
  return logLevel === "debug"
}

function isEmpty({ cells, facts, gone }: SeriesChunk): boolean {
  return cells.length === 0 && facts.length === 0 && gone.length === 0
}
