/**
 * The sending half of a client's connection: what a stream is told to send, as HTTP/1 for the socket. What HTTP/1.0
 * does not know is left out here, so that nobody else has to ask for the version.
 */
import { BY_CHUNKS, BY_CLOSE } from "../../http/framing.ts"
import { headLength } from "../../http/refusal.ts"
import type { ResponseMessage } from "../../http/response-message.ts"
import type { HeadPlan } from "../../h1/request-writer.ts"
import {
  SAYS_CLOSE,
  SAYS_KEEP_ALIVE,
  SAYS_UPGRADE,
  SILENT,
  cutResponseHead,
  passesUpgrade,
  withUpgrade,
  writeResponseHead,
} from "../../h1/response-writer.ts"
import { hasVanished } from "../../net/linux/keepalive.ts"
import { HIGH_WATER, Outbox } from "../../net/outbox.ts"
import type { TcpSocket } from "../../net/transport/socket.ts"
import type { ExchangeRecord } from "../core/exchange-record.ts"
import type { Gateway } from "../core/gateway.ts"
import type { ClientListener } from "./client-listener.ts"

export abstract class H1Writer {
  protected readonly gateway: Gateway
  protected socket: TcpSocket | null
  readonly outbox = new Outbox()
  /** Where it came in. */
  readonly listener: ClientListener
  /** What this client's requests gain on their way. */
  plan: HeadPlan
  /** What the access log will say, or null while there is none. */
  record: ExchangeRecord | null = null
  /** Of the HTTP/1 in which the request came. */
  protected minor = 1

  constructor(gateway: Gateway, listener: ClientListener, socket: TcpSocket, address: string) {
    this.gateway = gateway
    this.listener = listener
    this.socket = socket
    this.plan = listener.planFor(address)
  }

  /** Bytes have begun to wait for the client. */
  protected abstract beginsToWait(): void

  abstract exchangeDone(goesOn: boolean): void

  /** The socket's descriptor, or -1. */
  get fd(): number {
    return this.socket?.fd ?? -1
  }

  get room(): number {
    return HIGH_WATER - this.outbox.size
  }

  get sink(): number {
    return this.outbox.size > 0 ? -1 : this.fd
  }

  get waits(): boolean {
    return this.outbox.size > 0
  }

  delivers(): boolean {
    return this.outbox.delivers(this.fd)
  }

  get hasVanished(): boolean {
    return hasVanished(this.fd, 2 * this.listener.settings.keepalive.client)
  }

  moved(count: number): void {
    this.gateway.figures.toClient += count
    this.outbox.taken += count
    this.record?.sentOn(count)
  }

  get takesChunks(): boolean {
    return this.minor === 1
  }

  delimits(framing: number): boolean {
    return framing !== BY_CLOSE && (framing !== BY_CHUNKS || this.minor === 1)
  }

  send(bytes: Buffer, from: number, to: number): void {
    if (this.socket === null || from === to) return
    this.gateway.figures.toClient += to - from
    this.record?.sentOn(to - from)
    const before = this.outbox.size
    this.outbox.send(this.socket, bytes, from, to)
    if (before === 0 && this.outbox.size > 0) this.beginsToWait()
  }

  /** HTTP/1.0 knows no interim response (RFC 9110 section 15.2). */
  sendInterim(head: ResponseMessage): void {
    const { bytes, start, end } = head
    const { scratch } = this.gateway
    if (this.minor === 0) return
    if (head.mustBeWritten) {
      const length = writeResponseHead(bytes, head, false, SILENT, null, false, scratch)
      this.send(scratch, 0, length)
    } else this.send(bytes, cutResponseHead(bytes, start, head, false), end)
  }

  sendSwitch(head: ResponseMessage): void {
    const { bytes, end } = head
    const { scratch } = this.gateway
    const length = writeResponseHead(bytes, head, false, SAYS_UPGRADE, null, false, scratch)
    this.send(scratch, 0, length)
    if (end < bytes.length) this.send(bytes, end, bytes.length)
  }

  /** Head and body leave in one write. */
  sendHead(
    head: ResponseMessage,
    bodyEnd: number,
    cookie: Uint8Array | null,
    goesOn: boolean,
  ): void {
    const { bytes, start, end } = head
    const { scratch } = this.gateway
    const via = this.listener.addsResponseVia
    const old = this.minor === 0
    const about = goesOn ? (old ? SAYS_KEEP_ALIVE : SILENT) : SAYS_CLOSE
    const upgrades = head.upgrade >= 0 && passesUpgrade(head.status)
    const says = upgrades ? withUpgrade(about) : about
    // HTTP/1.0 knows no transfer codings, nor does the answer to its HEAD (RFC 9112 section 6.1).
    if (says === SILENT && cookie === null && !via && !head.mustBeWritten) {
      this.send(bytes, cutResponseHead(bytes, start, head, old), bodyEnd)
      return
    }
    const length = writeResponseHead(bytes, head, old, says, cookie, via, scratch)
    if (bodyEnd - end <= scratch.length - length) {
      bytes.copy(scratch, length, end, bodyEnd)
      this.send(scratch, 0, length + bodyEnd - end)
    } else {
      this.send(scratch, 0, length)
      this.send(bytes, end, bodyEnd)
    }
  }

  /** HTTP/1.0 would have to be told that its connection stays open after an answer of bunlb's own: so it is closed. */
  answer(status: number, text: string, mayGoOn: boolean, bodiless: boolean): void {
    const goesOn = mayGoOn && this.minor === 1
    const bytes = this.gateway.answerFor(status, text, goesOn)
    this.send(bytes, 0, bodiless ? headLength(bytes) : bytes.length)
    this.record?.complete(goesOn, status)
    this.exchangeDone(goesOn)
  }
}
