/**
 * What all connections of one worker share, whatever their listener and their pool: clock, log, figures, deadlines,
 * scratch space, and the limits that descriptors set. Made once by the worker; the data path reads it and adds to its
 * figures.
 */
import type { LimitSettings, Settings } from "../../config/schema/settings.ts"
import { ownAnswer, refusals } from "../../http/refusal.ts"
import { RequestIds } from "../../http/request-id.ts"
import { SpareMessages } from "../../http/spare-messages.ts"
import { type HeadPlan, headRoom } from "../../h1/request-writer.ts"
import type { Deadlines } from "../../core/deadlines.ts"
import { poller, type Poller } from "../../net/linux/poller.ts"
import { type Splicer, splicerOf } from "../../net/linux/splicer.ts"
import type { EventClock } from "../../core/clock.ts"
import type { Figures } from "../../observe/figures.ts"
import type { Log } from "../../core/log.ts"
import type { AccessLog } from "./access-log.ts"
import type { ExchangeRecord } from "./exchange-record.ts"
import { BackendBudget } from "./backend-budget.ts"
import { Trace } from "./trace.ts"

export interface GatewayParts {
  readonly settings: Settings
  /** Whoever is called by a socket or a timer ticks it first. */
  readonly clock: EventClock
  readonly log: Log
  readonly figures: Figures
  readonly deadlines: Deadlines
}

/** Room in the scratch buffer for the body bytes that join a head in one write. */
const BODY_ROOM = 64 * 1024

function scratchSize(limits: LimitSettings): number {
  return Math.max(headRoom(limits.headBytes), limits.responseHeadBytes + 1024) + BODY_ROOM
}

interface RecordedClient {
  readonly plan: HeadPlan
  readonly record: ExchangeRecord | null
}

/** What the plans of all listeners have in common. */
export interface PlanTerms {
  readonly ids: RequestIds
  /** Requests take part in distributed traces. */
  readonly tracing: boolean
}

export class Gateway {
  settings: Settings
  readonly clock: EventClock
  readonly log: Log
  readonly figures: Figures
  readonly deadlines: Deadlines
  trace: Trace | null
  /** The largest limits there have been: for the size of what all share. */
  #widest: LimitSettings
  readonly ids = new RequestIds()
  /** Connections to all backends together. */
  readonly backends = new BackendBudget()
  /** Where heads are composed: used and done with inside one event. */
  scratch: Buffer
  /** Waits for the sockets of this worker; null where they are Bun's. */
  readonly direct: Poller | null
  /** Null where sockets are not direct. */
  readonly splicer: Splicer | null
  readonly messages: SpareMessages
  accessLog: AccessLog | null = null
  /** Every response now asks its client to come back on another connection. */
  draining = false

  constructor(parts: GatewayParts) {
    this.settings = parts.settings
    this.clock = parts.clock
    this.log = parts.log
    this.figures = parts.figures
    const { limits, trace } = parts.settings
    this.deadlines = parts.deadlines
    this.trace = trace ? new Trace(parts.log) : null
    this.#widest = limits
    this.scratch = Buffer.allocUnsafeSlow(scratchSize(limits))
    this.direct = parts.settings.sockets === "direct" ? poller() : null
    this.splicer = this.direct && splicerOf(this.direct)
    this.messages = new SpareMessages(limits.fields, limits.fields)
  }

  /** What the access log will say of a client's exchanges, or null while there is none. */
  recordFor({ plan, record }: RecordedClient): ExchangeRecord | null {
    return this.accessLog?.recordOf(plan.identity, record) ?? null
  }

  /** A fault of bunlb's own at a connection. */
  logCrash(place: string, error: Error): void {
    this.log.error(`internal error at ${place}: ${error}`)
    this.log.debug(error.stack ?? "")
  }

  /** An answer of bunlb's own. */
  answerFor(status: number, text: string, keepAlive: boolean): Buffer {
    const retryAfter = status === 503 ? "Retry-After: 1\r\n" : ""
    return Buffer.from(ownAnswer(status, text, !keepAlive, retryAfter))
  }

  /**
   * Other settings from now on. Open connections stay, and keep what was decided for them when they were accepted:
   * whether their peer is trusted, and a time limit that already runs.
   */
  configure(settings: Settings): void {
    this.settings = settings
    this.trace = settings.trace ? (this.trace ?? new Trace(this.log)) : null
    this.#widen(settings)
  }

  /** What the plans of all clients have in common. */
  get planTerms(): PlanTerms {
    return { ids: this.ids, tracing: this.settings.tracing }
  }

  #widen({ limits, listeners, pools }: Settings): void {
    const before = this.#widest
    const all = [before, limits, ...listeners.map((listener) => listener.limits)]
    const widest = {
      headBytes: Math.max(...all.map(({ headBytes }) => headBytes)),
      requestLineBytes: Math.max(...all.map(({ requestLineBytes }) => requestLineBytes)),
      responseHeadBytes: Math.max(
        before.responseHeadBytes,
        ...pools.map((pool) => pool.limits.responseHeadBytes),
      ),
      fields: Math.max(...all.map(({ fields }) => fields)),
      connections: limits.connections,
      connectionsPerClient: limits.connectionsPerClient,
    }
    this.#widest = widest
    this.messages.configure(widest.fields, limits.fields)
    const size = scratchSize(widest)
    if (size > this.scratch.length) this.scratch = Buffer.allocUnsafeSlow(size)
  }

  /** What a client reads that is refused with `refusal`; counted and logged. */
  refusalFor(address: string, refusal: number): Buffer {
    const entry = refusals[refusal]
    if (entry === null || entry === undefined) throw new RangeError(`no refusal ${refusal}`)
    this.figures.rejected(refusal)
    this.figures.own.answered(entry.status, 0)
    if (this.log.debugging) this.log.debug(`client ${address}: ${entry.status} ${entry.reason}`)
    return Buffer.from(ownAnswer(entry.status, entry.text, true))
  }
}
