/**
 * The sending half of a backend's connection: what a stream is told to send, as HTTP/1 for the socket.
 */
import type { RequestMessage } from "../../http/request-message.ts"
import { type HeadPlan, writeRequestHead } from "../../h1/request-writer.ts"
import { hasVanished } from "../../net/linux/keepalive.ts"
import { Outbound } from "../../net/outbound.ts"
import { HIGH_WATER, Outbox } from "../../net/outbox.ts"
import type { Gateway } from "../core/gateway.ts"
import type { Upstream } from "./upstream.ts"

/** Body bytes that are sooner copied behind the head than sent from where they lie. */
const COPIED = 2048

export abstract class H1Writer extends Outbound {
  readonly upstream: Upstream
  readonly outbox = new Outbox()
  /** The kernel was still handing the request to the backend when the time for the answer was over. */
  taking = false
  /** A write has failed. It has used up the news of a reset, so an end that follows is none in good order. */
  protected broken = false
  readonly #gateway: Gateway

  constructor(gateway: Gateway, upstream: Upstream) {
    const { timeouts, keepalive } = upstream.pool.settings
    super(upstream.tls, timeouts, gateway.direct, keepalive.backend)
    this.#gateway = gateway
    this.upstream = upstream
  }

  get room(): number {
    return HIGH_WATER - this.outbox.size
  }

  get waits(): boolean {
    return this.outbox.size > 0
  }

  delivers(): boolean {
    return this.outbox.delivers(this.socket?.fd ?? -1)
  }

  get hasVanished(): boolean {
    return hasVanished(this.socket?.fd ?? -1, 2 * this.upstream.pool.settings.keepalive.backend)
  }

  shutdown(): void {
    this.socket?.shutdown()
  }

  /** Sends or keeps `bytes[from..to)`. A socket that is already gone reports through `lost`: nothing is returned. */
  send(bytes: Buffer, from: number, to: number): void {
    if (this.socket === null || from === to) return
    this.#gateway.figures.toBackend += to - from
    if (!this.outbox.send(this.socket, bytes, from, to)) this.broken = true
  }

  sendHead(
    head: RequestMessage,
    bodyEnd: number,
    plan: HeadPlan,
    requestId: number,
    client: number,
  ): void {
    this.taking = false
    const { scratch, trace } = this.#gateway
    const { bytes, end } = head
    const length = writeRequestHead(bytes, head, plan, this.upstream, requestId, scratch)
    trace?.sent(client, scratch, 0, length)
    if (bodyEnd - end <= COPIED) {
      if (bodyEnd > end) bytes.copy(scratch, length, end, bodyEnd)
      this.send(scratch, 0, length + bodyEnd - end)
    } else this.#sendBoth(scratch, length, bytes, end, bodyEnd)
  }

  /** As `send`, for a head and the body bytes behind it. */
  #sendBoth(head: Buffer, length: number, body: Buffer, from: number, to: number): void {
    if (this.socket === null) return
    this.#gateway.figures.toBackend += length + to - from
    const sent = this.outbox.sendBoth(this.socket, this.direct, head, length, body, from, to)
    if (!sent) this.broken = true
  }
}
