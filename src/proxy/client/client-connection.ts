/**
 * A client's connection: reads heads, hands them to its exchange, and closes in the way that loses nothing.
 *
 *   IDLE       no byte of a request yet          --bytes--> HEAD or EXCHANGE
 *   HEAD       part of a head                    --whole--> EXCHANGE   --late or malformed--> LEAVING
 *   EXCHANGE   a request is being served         --done--> IDLE or LEAVING   --101--> TUNNEL
 *   TUNNEL     protocols switched                --both ended--> LEAVING
 *   LEAVING    no more is served: `Departure` sees to it that the client gets what was sent
 *   CLOSED
 */
import type { Milliseconds } from "../../config/schema/settings.ts"
import { CR } from "../../http/bytes.ts"
import { BODY_TIMEOUT, HEAD_TIMEOUT } from "../../http/refusal.ts"
import { readRequestHead } from "../../h1/head-reader.ts"
import type { Deadlined } from "../../core/deadlines.ts"
import { HIGH_WATER } from "../../net/outbox.ts"
import type { SocketOwner, TcpSocket } from "../../net/transport/socket.ts"
import type { BackendConnection } from "../backend/backend-connection.ts"
import { BRIEFLY, BY_RESET, Departure, IN_ORDER, READING_ON } from "./departure.ts"
import type { ClientStream } from "../exchange/client-stream.ts"
import { Exchange } from "../exchange/exchange.ts"
import type { Who } from "../core/exchange-record.ts"
import type { Gateway } from "../core/gateway.ts"
import type { ClientListener } from "./client-listener.ts"
import { H1Writer } from "./h1-writer.ts"
import { Intake } from "./intake.ts"
import { judgeReading, watchReading } from "./reading.ts"
import type { Tunnel } from "../exchange/tunnel.ts"

const IDLE = 0
const HEAD = 1
const EXCHANGE = 2
const TUNNEL = 3
const LEAVING = 4
const CLOSED = 5

export class ClientConnection extends H1Writer implements Deadlined, SocketOwner, ClientStream {
  deadlineAt: number
  deadlineSlot = -1
  /** Counts connections of this process; names this one in traces. */
  readonly id: number
  readonly exchange: Exchange
  #phase = IDLE
  readonly #intake: Intake
  #tunnel: Tunnel | null = null
  #reading = false
  departure: Departure | null = null
  /** The client has sent FIN. */
  hasEnded = false
  /** The backend's connection that carries all further requests of this one (NTLM, Negotiate). */
  pinned: BackendConnection | null = null

  constructor(gateway: Gateway, listener: ClientListener, socket: TcpSocket, address: string) {
    gateway.clock.tick()
    super(gateway, listener, socket, address)
    this.#intake = new Intake(socket)
    this.exchange = new Exchange(this, gateway)
    this.record = gateway.recordFor(this)
    this.deadlineAt = gateway.clock.now() + this.listener.timeouts.clientHead
    this.id = listener.allClients.admit(this)
  }

  received(bytes: Buffer): void {
    this.gateway.clock.tick()
    this.gateway.figures.fromClient += bytes.length
    const intake = this.#intake
    switch (this.#phase) {
      case IDLE:
      case HEAD:
        // Earlier requests wait until the client has read their answers: none may overtake them.
        if (intake.held !== null) intake.hold(bytes, 0, bytes.length)
        else if (intake.partial === null) this.#read(bytes)
        else if (intake.partial.add(bytes) || this.#phase === IDLE) this.#read(intake.partial.bytes)
        break
      case EXCHANGE:
        this.#receiveMore(bytes)
        break
      case TUNNEL:
        this.#tunnel?.fromClient(bytes)
        break
      case LEAVING:
        this.departure?.received(bytes)
    }
  }

  /** Serves the requests in `bytes`, one after the other, for as long as each ends within its own turn. */
  #read(received: Buffer): void {
    const gateway = this.gateway
    const { limits } = this.listener.settings
    const acceptsBareLf = gateway.settings.http.bareLf === "accept"
    let bytes = received
    let from = 0
    this.#reading = true
    while (from < bytes.length && this.#phase <= HEAD && this.outbox.size <= HIGH_WATER) {
      const request = gateway.messages.takeRequest(limits.fields)
      const end = readRequestHead(bytes, from, limits, acceptsBareLf, request)
      if (end <= 0) gateway.messages.giveRequest(request)
      if (end === 0) {
        this.#waitForHead(bytes, from, bytes.length)
        from = bytes.length
        break
      }
      this.#intake.partial = null
      if (end < 0) {
        this.refuse(-end, bytes.length - from)
        from = bytes.length
        break
      }
      bytes = request.bytes
      this.minor = request.minor
      this.#phase = EXCHANGE
      // A client that does not read what it was answered before is watched on.
      if (this.outbox.size > 0) watchReading(this)
      else this.deadlineAt = Infinity
      from = this.exchange.begin(request, bytes.length)
      if (this.#phase === EXCHANGE && !this.exchange.requestDone && !this.#intake.paused) {
        this.within(this.listener.timeouts.clientBody)
      }
    }
    this.#reading = false
    if (from < bytes.length && this.#phase <= EXCHANGE) this.#intake.hold(bytes, from, bytes.length)
  }

  #waitForHead(bytes: Buffer, from: number, to: number): void {
    const { headBytes } = this.listener.settings.limits
    this.#intake.holdHead(bytes, from, to, headBytes)
    // Empty lines begin nothing (RFC 9112 section 2.2), and nothing else so short ends like this.
    const empty = to - from <= 4 && (bytes[to - 1] ?? 0) <= CR
    if (this.#phase === HEAD || empty) return
    this.#phase = HEAD
    this.within(this.listener.timeouts.clientHead)
  }

  #receiveMore(bytes: Buffer): void {
    let used = 0
    if (!this.exchange.requestDone) {
      this.within(this.listener.timeouts.clientBody)
      used = this.exchange.receiveBody(bytes)
      const done = this.exchange.requestDone || this.#intake.paused
      if (this.#phase === EXCHANGE && done && this.outbox.size === 0) this.deadlineAt = Infinity
    }
    if (used < bytes.length && this.#phase === EXCHANGE)
      this.#intake.hold(bytes, used, bytes.length)
  }

  #readHeld(): void {
    const held = this.#reading ? null : this.#intake.take()
    if (held === null) return
    this.#intake.resume()
    this.#read(held)
    // With half a request no more comes.
    if (this.hasEnded && this.#intake.held === null) this.ended()
  }

  protected beginsToWait(): void {
    if (this.#phase !== TUNNEL) watchReading(this)
  }

  drained(): void {
    if (this.socket === null || this.outbox.size === 0) return
    this.gateway.clock.tick()
    this.outbox.flush(this.socket)
    if (this.#phase !== TUNNEL) watchReading(this)
    if (this.outbox.size > 0) return
    switch (this.#phase) {
      case IDLE:
        this.within(this.listener.timeouts.clientIdle)
        this.#readHeld()
        break
      case EXCHANGE:
        if (this.exchange.requestDone || this.#intake.paused) this.deadlineAt = Infinity
        else this.within(this.listener.timeouts.clientBody)
        this.exchange.clientDrained()
        break
      case TUNNEL:
        this.#tunnel?.clientDrained()
        break
      case LEAVING:
        this.departure?.written()
    }
  }

  /** The backend cannot take more of the request: stop reading the client. */
  waitForBackend(): void {
    if (this.#phase === EXCHANGE && this.exchange.requestDone) return
    this.#intake.pause()
    if (this.#phase === EXCHANGE && this.outbox.size === 0) this.deadlineAt = Infinity
  }

  backendReady(): void {
    if (!this.#intake.paused) return
    this.#intake.resume()
    if (this.#phase !== EXCHANGE) return
    this.within(this.listener.timeouts.clientBody)
  }

  within(limit: Milliseconds): void {
    this.deadlineAt = this.gateway.clock.now() + limit
  }

  /** The exchange has ended. The client may still be sending: a rest of it, or requests after it. */
  exchangeDone(keepAlive: boolean): void {
    if (this.#phase !== EXCHANGE) return
    if (!keepAlive) {
      const leaves = this.exchange.clientLeaves && this.#intake.held === null
      return this.#depart(leaves ? BRIEFLY : READING_ON)
    }
    this.#phase = IDLE
    if (this.outbox.size === 0) this.within(this.listener.timeouts.clientIdle)
    if (this.#intake.held !== null) this.#readHeld()
    else if (this.hasEnded && !this.#reading) this.finish()
    else this.#intake.resume()
  }

  /** Answers with a refusal of `http/refusal.ts` and closes. `unread`: bytes of a head that could not be read. */
  refuse(refusal: number, unread = 0): void {
    this.record?.beginUnread(unread)
    const bytes = this.gateway.refusalFor(this.plan.identity.address, refusal)
    this.send(bytes, 0, bytes.length)
    this.record?.refused(refusal)
    this.#depart(READING_ON)
  }

  enterTunnel(tunnel: Tunnel): void {
    const held = this.#intake.take()
    this.#phase = TUNNEL
    this.#tunnel = tunnel
    this.#intake.resume()
    if (held !== null) tunnel.fromClient(held)
    if (this.hasEnded) tunnel.clientEnded()
  }

  shutdown(): void {
    this.socket?.shutdown()
  }

  finish(): void {
    this.#depart(IN_ORDER)
  }

  truncate(sees: boolean, left: boolean): void {
    this.#depart(sees ? READING_ON : BY_RESET, left)
  }

  #depart(manner: number, left = false): void {
    if (this.socket === null) return
    this.#phase = LEAVING
    this.#intake.clear()
    this.#intake.resume()
    this.departure = new Departure(this, this.gateway, this.socket, manner, left)
    this.departure.begin()
  }

  /** The connection that was pinned to this one is gone. A request under way hears of it itself. */
  pinnedLost(): void {
    if (this.#phase <= HEAD) this.finish()
  }

  /** For a drain: closes a connection on which nothing is under way. */
  closeIfIdle(): void {
    if (this.#phase === IDLE && this.#intake.held === null) this.finish()
  }

  /** Closes at once: what the kernel has taken it still sends, unless the client sends more. */
  close(): void {
    const socket = this.socket
    this.#leave()
    socket?.end()
  }

  /** Ends it for a reason of bunlb's own. */
  cut(who: Who, reason: string): void {
    this.record?.blame(who, reason)
    this.abort()
  }

  /** Resets the connection, so that a response cut short is seen as such. */
  abort(): void {
    const socket = this.socket
    this.#leave()
    socket?.terminate()
  }

  /** The client has sent FIN. */
  ended(): void {
    this.hasEnded = true
    switch (this.#phase) {
      case IDLE:
      case HEAD:
        if (this.#intake.held === null || this.#endsAll) this.finish()
        break
      case LEAVING:
        this.departure?.ended()
        break
      case EXCHANGE:
        if (!this.exchange.requestDone || this.#endsAll) this.exchange.abandon()
        break
      case TUNNEL:
        this.#tunnel?.clientEnded()
    }
  }

  /** While the client is not read: what it sends before its FIN is no more awaited by anybody. */
  endsUnread(): void {
    if (this.#phase === EXCHANGE && this.#endsAll) this.exchange.abandon()
  }

  /**
   * Whether a FIN says that the client is gone. It does not when half-closed clients are served, nor when bytes of
   * another protocol wait for a 101: tunnels have two sides, each with its own end.
   */
  get #endsAll(): boolean {
    return (
      !this.listener.settings.halfClose && !(this.exchange.upgrades && this.#intake.held !== null)
    )
  }

  /** The socket is gone; in good order after our own FIN, since the peer's is then not told of. */
  closed(reset: boolean, lost: number): void {
    if (reset) this.departure?.gone(lost)
    else this.#tunnel?.clientClosed()
    this.#leave()
  }

  crashed(error: Error): void {
    this.gateway.logCrash(`client ${this.plan.identity.address}`, error)
    this.cut("I", "internal error")
  }

  expired(): void {
    switch (this.#phase) {
      case IDLE:
        if (this.outbox.size === 0) this.finish()
        else judgeReading(this, this.gateway.figures)
        break
      case HEAD:
        this.refuse(HEAD_TIMEOUT, this.#intake.partial?.bytes.length)
        break
      case EXCHANGE:
        if (this.outbox.size > 0) judgeReading(this, this.gateway.figures)
        else this.exchange.refuse(BODY_TIMEOUT)
        break
      case TUNNEL:
        this.#tunnel?.expired()
        break
      case LEAVING:
        this.departure?.expired()
    }
  }

  /** Out of every list; whatever follows on the socket is nobody's. */
  #leave(): void {
    if (this.#phase === CLOSED) return
    const tunnel = this.#tunnel
    this.#phase = CLOSED
    this.socket = null
    this.#tunnel = null
    this.#intake.clear()
    this.departure = null
    this.deadlineAt = Infinity
    this.outbox.clear()
    this.listener.allClients.dismiss(this)
    this.exchange.clientGone()
    tunnel?.clientGone()
    this.pinned?.retire()
    this.record?.finish()
    this.listener.allClients.onGone(this)
  }
}
