/**
 * The request of one exchange on its way from the client to a backend: the head as it was received, the body as
 * it comes, and what must be kept so that the request can be sent again.
 */
import type { SentRequest } from "../../health/suspects.ts"
import { Body } from "../../h1/body.ts"
import { BARE_LF, STRICT } from "../../h1/chunked.ts"
import { nominatedNames } from "../../http/field-section.ts"
import { BY_CHUNKS, BY_LENGTH, NO_BODY } from "../../http/framing.ts"
import { noNames } from "../../http/trailers.ts"
import { lasting } from "../../net/linux/receive-memory.ts"
import { HEAD, type RequestMessage } from "../../http/request-message.ts"
import { hasSoundId } from "../../http/request-id.ts"
import { hashPath } from "../../http/origin.ts"
import type { Span } from "../../http/trace-context.ts"
import { protocolsOf } from "../../h1/upgrade.ts"
import type { BackendStream } from "../backend/backend-stream.ts"
import type { ClientStream } from "./client-stream.ts"
import type { Gateway } from "../core/gateway.ts"
import type { Pool } from "../backend/pool.ts"
import { keepBytes, letGo } from "./kept-bytes.ts"

const noPieces: Buffer[] = []

export class RequestRelay implements SentRequest {
  readonly #client: ClientStream
  readonly #gateway: Gateway
  /** The head, and after it what of the body came with it, up to `#bodyEnd`; null once it need not be sent again. */
  #message: RequestMessage | null = null
  #bodyEnd = 0
  /** The bytes of the message when they are ours, from `keepBytes`. */
  #block: Buffer | null = null
  /** Later pieces of the body: kept until they are sent, and then while the request can be sent again. */
  #pieces = noPieces
  #kept = 0
  readonly #body = new Body()
  /** It serves this request. */
  pool: Pool
  /** HEAD: the response has no body. */
  bodiless = false
  idempotent = false
  keepAlive = false
  /** Authenticates the connection, not the request (RFC 4559). */
  binds = false
  /** It goes to the connection that is pinned to its client, and to no other. */
  pinned = false
  upgrades = false
  /** The client's own connection is encrypted. */
  secure = false
  /** The backend that the client's cookie names. */
  token = 0
  client = 0
  path = 0
  ticket = 0
  sentAt = 0
  /** The number of the id that bunlb has given it, for all attempts; 0 when the one that it came with is kept. */
  requestId = 0
  /** All that was received can still be sent again. */
  replayable = true

  constructor(client: ClientStream, gateway: Gateway) {
    this.#client = client
    this.#gateway = gateway
    this.pool = client.listener.pool
  }

  /** bunlb's part of a trace; null while it takes none. */
  get span(): Span | null {
    return this.#client.plan.span
  }

  /** The request has been received whole. */
  get done(): boolean {
    return this.#body.done
  }

  /** The client's connection may go on after the response. */
  get mayKeepAlive(): boolean {
    return this.keepAlive && this.done && !this.#client.listener.leaving
  }

  /** A connection that the client is bound to in another pool, which the listener named before, ends. */
  #keepsPinned(): boolean {
    const { pinned } = this.#client
    if (pinned === null || pinned.upstream.pool === this.pool) return pinned !== null
    pinned.unpin()
    pinned.retire()
    return false
  }

  /** The refusal of a malformed body, or 0. */
  get refusal(): number {
    return this.#body.refusal
  }

  /**
   * Takes `head`, which it gives back, and what follows it up to `to`. Returns the offset after what belongs to this
   * request.
   */
  begin(head: RequestMessage, to: number): number {
    const gateway = this.#gateway
    const { bytes, start, end } = head
    gateway.trace?.request(this.#client.id, bytes, start, end)
    this.#message = head
    this.#bodyEnd = end
    this.bodiless = head.method === HEAD
    this.idempotent = head.idempotent
    this.keepAlive = head.keepAlive
    this.binds = head.bindsConnection
    this.upgrades = head.upgrade >= 0
    this.replayable = true
    this.pool = this.#client.listener.pool
    this.pinned = this.#keepsPinned()
    this.token = this.pool.tokenOf(bytes, head.fields)
    this.client = this.#client.plan.identity.hashOf(bytes, head)
    this.path = hashPath(bytes, head)
    this.secure = this.pool.cookies !== null && this.#client.plan.identity.isSecure(bytes, head)
    const { span, policy, identity, ids } = this.#client.plan
    const mayKeepId =
      policy.requestId === "client" || (policy.requestId === "trusted" && identity.trusted)
    this.requestId = mayKeepId && hasSoundId(bytes, head.fields) ? 0 : ids.next()
    if (span !== null) span.begin(bytes, head.fields)
    const framing = head.chunked ? BY_CHUNKS : head.contentLength > 0 ? BY_LENGTH : NO_BODY
    const body = this.#body
    const nominated = head.chunked && head.nominates ? nominatedNames(bytes, head.fields) : noNames
    body.start(framing, head.contentLength, true, head.bareLf ? BARE_LF : STRICT, nominated)
    if (body.done) return end
    const used = body.feed(bytes, end, to)
    this.#bodyEnd = body.outEnd
    if (body.tail.length > 0) this.#keep(body.tail)
    gateway.trace?.body(">", this.#client.id, bytes, end, body.outEnd)
    return used
  }

  /** Sends all that was received so far. */
  sendTo(connection: BackendStream): void {
    const request = this.#message
    if (request === null) return
    const { id, plan } = this.#client
    connection.sendHead(request, this.#bodyEnd, plan, this.requestId, id)
    for (const piece of this.#pieces) connection.send(piece, 0, piece.length)
    if (!this.idempotent && !this.upgrades) this.forgetAll()
    else if (this.#bodyEnd - request.end + this.#kept > 0) this.#limitReplay()
  }

  /** Keeps what may be needed after the event that brought the head. */
  retain(): void {
    if (this.#message !== null) this.#own(this.#message, this.#bodyEnd)
  }

  /** Keeps the message up to `bodyEnd` in memory of its own. */
  #own(message: RequestMessage, bodyEnd: number): void {
    const { bytes, start } = message
    const block = keepBytes(bytes, start, bodyEnd)
    if (this.#block !== null) letGo(this.#block)
    this.#block = block
    this.#bodyEnd = bodyEnd - start
    message.moveTo(block, 0)
  }

  /** It will not be sent again: what has left need not be kept. */
  forgetAll(): void {
    this.replayable = false
    if (this.#message !== null) this.end()
  }

  /**
   * Takes more of the body and sends it on, or keeps it while there is no `backend`. Returns the offset after
   * what belongs to this request; on a malformed body `refusal` is set and nothing is sent.
   */
  receive(bytes: Buffer, backend: BackendStream | null): number {
    const body = this.#body
    const used = body.feed(bytes, 0, bytes.length)
    if (body.refusal !== 0) return used
    this.#gateway.trace?.body(">", this.#client.id, bytes, 0, body.outEnd)
    this.#forward(bytes, body.outEnd, backend)
    if (body.tail.length > 0) this.#forward(body.tail, body.tail.length, backend)
    return used
  }

  #forward(bytes: Buffer, to: number, backend: BackendStream | null): void {
    if (to === 0) return
    if (backend === null || this.replayable) this.#keep(bytes.subarray(0, to))
    if (backend === null) return
    backend.send(bytes, 0, to)
    this.#limitReplay()
  }

  #keep(piece: Buffer): void {
    if (this.#pieces === noPieces) this.#pieces = []
    this.#pieces.push(lasting(piece, 0, piece.length))
    this.#kept += piece.length
  }

  /** Beyond the replay limit nothing is kept, and the request cannot be sent again. */
  #limitReplay(): void {
    const message = this.#message
    if (!this.replayable || message === null) return
    const size = this.#kept + this.#bodyEnd - message.end
    if (size <= this.pool.settings.retries.replayBytes) return
    this.replayable = false
    this.#pieces = noPieces
    this.#kept = 0
    // What of the body came with the head has been sent, and is as long as one read.
    if (this.#bodyEnd > message.end) this.#own(message, message.end)
  }

  /** The protocols that have been offered to the backend. */
  get offeredProtocols(): string[] {
    const request = this.#message
    return request === null || request.upgrade < 0 ? [] : protocolsOf(request.bytes, request.fields)
  }

  /** Lets go of the bytes. */
  end(): void {
    if (this.#message !== null) this.#gateway.messages.giveRequest(this.#message)
    this.#message = null
    if (this.#block !== null) letGo(this.#block)
    this.#block = null
    this.#pieces = noPieces
    this.#kept = 0
  }
}
