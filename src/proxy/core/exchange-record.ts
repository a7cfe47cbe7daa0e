/**
 * What the access log will say of the exchange at hand: its timers, its bytes, who ended it and in which phase. One
 * object a client connection, used again for each exchange; while there is no access log there is none.
 *
 *   R request -> C connect -> H response head -> D response body -> finish
 *                ^______________|  another attempt      '-> T tunnel -> finish
 */
import type { ClientIdentity } from "../../http/identity.ts"
import { BODY_TIMEOUT, HEAD_TIMEOUT, refusals } from "../../http/refusal.ts"
import type { RequestMessage } from "../../http/request-message.ts"
import type { Span } from "../../http/trace-context.ts"
import type { AccessLog } from "./access-log.ts"

/**
 * In good order, client, client too late, backend, backend too late, refused by bunlb, no backend, out of
 * resources, internal error, cut by a stop. Small letters are time limits, as in HAProxy's termination codes.
 */
export type Who = "-" | "C" | "c" | "S" | "s" | "P" | "N" | "R" | "I" | "K"
export type Phase = "R" | "C" | "H" | "D" | "T"

const nothing = Buffer.alloc(0)
const noHead: Pick<RequestMessage, "bytes" | "start" | "end"> = { bytes: nothing, start: 0, end: 0 }

/** By what a request is known elsewhere. */
interface Named {
  readonly requestId: number
  readonly span: Span | null
}

const nameless: Named = { requestId: 0, span: null }

export class ExchangeRecord {
  readonly identity: ClientIdentity
  readonly #log: AccessLog
  #open = false
  /** The head as it was received. */
  bytes: Buffer = nothing
  start = 0
  end = 0
  began = 0
  fromClient = 0
  toClient = 0
  /** 0: nothing has been answered. */
  status = 0
  /** -1: did not happen. */
  dialMs = -1
  waitMs = -1
  attempts = 0
  reused = false
  backend = ""
  /** Of the ids that bunlb gives; 0 when the request keeps its own, or no head has been read. */
  requestId = 0
  /** bunlb's part of a trace; null while it takes none. */
  span: Span | null = null
  who: Who = "-"
  phase: Phase = "R"
  error = ""
  /** Milliseconds until all was in the kernel; -1 while it is not. */
  tookMs = -1
  #mark = 0

  constructor(log: AccessLog, identity: ClientIdentity) {
    this.#log = log
    this.identity = identity
  }

  /** A head has been read, and with it what follows it up to `used`. */
  begin({ bytes, start, end }: typeof noHead, used: number, named: Named): void {
    this.finish()
    this.#open = true
    this.tookMs = -1
    // A copy: what was received is gone when this event is over.
    this.bytes = end > start ? Buffer.from(bytes.subarray(start, end)) : nothing
    this.start = 0
    this.end = end - start
    this.began = this.#log.now()
    this.fromClient = used - start
    this.toClient = 0
    this.status = 0
    this.dialMs = this.waitMs = -1
    this.attempts = 0
    this.reused = false
    this.backend = ""
    this.requestId = named.requestId
    this.span = named.span
    this.who = "-"
    this.phase = "R"
    this.error = ""
  }

  /** So many bytes have come that make no head. Nothing where a head has been read. */
  beginUnread(received: number): void {
    if (this.#open && this.tookMs < 0) return
    this.begin(noHead, received, nameless)
  }

  received(bytes: number): void {
    this.fromClient += bytes
  }

  sentOn(bytes: number): void {
    this.toClient += bytes
  }

  attempt(backend: string): void {
    this.backend = backend
    this.attempts++
    this.phase = "C"
    this.#mark = this.#log.now()
  }

  /** The request goes out on a connection, new or `reused`. */
  sent(reused: boolean): void {
    const now = this.#log.now()
    this.dialMs = reused ? -1 : now - this.#mark
    this.reused = reused
    this.phase = "H"
    this.#mark = now
  }

  /** Something of a response has come; `started` once its final head has been sent on. */
  heard(started: boolean, status: number): void {
    if (!started || this.phase !== "H") return
    this.status = status
    this.waitMs = this.#log.now() - this.#mark
    this.phase = "D"
  }

  switched(): void {
    this.heard(true, 101)
    this.phase = "T"
  }

  /** The first to be blamed is the cause; what follows from it is not. */
  blame(who: Who, error: string, phase: Phase = this.phase): void {
    if (this.who !== "-" || !this.#open) return
    this.tookMs = -1
    this.who = who
    this.phase = phase
    this.error = error
  }

  /** The client has gone; with half a request it was still asking. */
  left(requestDone: boolean): void {
    this.blame("C", "the client left", requestDone || this.status !== 0 ? this.phase : "R")
    this.finish()
  }

  /** A refusal of `http/refusal.ts` has been sent. */
  refused(refusal: number): void {
    const late = refusal === HEAD_TIMEOUT || refusal === BODY_TIMEOUT
    this.blame(late ? "c" : "P", refusals[refusal]?.text ?? "", "R")
    this.settle(this.status || refusals[refusal]?.status)
  }

  /** The whole response has been handed on; `staysOpen`: so that its client may ask for more on this connection. */
  complete(staysOpen: boolean, status = this.status): void {
    if (staysOpen) this.finish(status)
    else this.settle(status)
  }

  /** The whole response is in the kernel. The line waits until the client has it, and shows the time taken so far. */
  settle(status = this.status): void {
    if (!this.#open) return
    this.status = status
    this.tookMs = this.#log.now() - this.began
  }

  /** The exchange is over: the line is written, once. `status` is that of an answer of bunlb's own. */
  finish(status = this.status): void {
    if (!this.#open) return
    this.#open = false
    this.status = status
    this.#log.write(this)
    this.bytes = nothing
  }
}
