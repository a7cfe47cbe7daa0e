/**
 * A connection to a backend: at work for one exchange, or idle. What the backend says is handed to
 * the exchange; what it says while idle destroys the connection.
 */
import type { PoolTimeouts } from "../../config/schema/settings.ts"
import type { DialTarget } from "../../net/names/address-book.ts"
import type { DialFailure } from "../../net/dial-failure.ts"
import type { Mover } from "../../net/linux/direct-socket.ts"
import { SILENT_MS, askOften, isSilent, keepAlive } from "../../net/linux/keepalive.ts"
import { LOOKS } from "../../net/outbox.ts"
import { isQuiet } from "../../net/linux/peek.ts"
import { RECEIVE_SIZE } from "../../net/linux/receive-memory.ts"
import type { BackendStream } from "./backend-stream.ts"
import { H1Writer } from "./h1-writer.ts"
import { isStillTaken } from "./late-request.ts"
import type { BackendUser, PinnedClient, TunnelUser } from "./backend-user.ts"
import type { Gateway } from "../core/gateway.ts"
import type { Upstream } from "./upstream.ts"

/** Enough for a head and a small body; the rest of a large one is moved, or received in larger pieces. */
const FIRST_READ = 32 * 1024

export class BackendConnection extends H1Writer implements BackendStream, Mover {
  /** The address dialled. */
  readonly target: DialTarget
  readonly born: number
  exchange: BackendUser | null
  tunnel: TunnelUser | null = null
  paused = false
  /** Neighbours among the idle connections. */
  above: BackendConnection | null = null
  below: BackendConnection | null = null
  pooled = false
  #idleSince = 0
  /** Responses that it has brought whole. */
  carried = 0
  /** How long it had been idle before the request under way. */
  rested = 0
  /** No byte has come since the request under way was sent. */
  #unheard = true
  /** The one client that it serves, because it is authenticated for that client (NTLM, Negotiate). */
  #pinnedTo: PinnedClient | null = null
  #dialing = true
  /** Since when the kernel has been asking the peer whether it is there. */
  #askedAt = Infinity
  /** Its tunnel has ended, and it has still to send the last of it. */
  #finishing = false
  readonly #gateway: Gateway

  constructor(gateway: Gateway, upstream: Upstream, exchange: BackendUser, target: DialTarget) {
    super(gateway, upstream)
    this.#gateway = gateway
    this.exchange = exchange
    this.target = target
    this.born = gateway.clock.now()
  }

  /** The time limits of its pool as they are now. */
  get #limits(): PoolTimeouts {
    return this.upstream.pool.settings.timeouts
  }

  begin(port: number): void {
    this.upstream.connections.add(this)
    this.#gateway.backends.open++
    this.upstream.figures.dialing++
    this.#gateway.deadlines.add(this)
    this.target.began(this.born)
    this.dial(this.target.ip, port, this.born)
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.deadlineAt = Infinity
    this.socket?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.socket?.resume()
  }

  awaitBackend(requestDone: boolean, responseStarted: boolean): void {
    const { clock } = this.#gateway
    const { backendBody, responseHead } = this.#limits
    if (this.outbox.size > 0) {
      this.outbox.renew()
      this.deadlineAt = clock.now() + backendBody / LOOKS
    } else if (responseStarted) {
      if (!this.paused) this.deadlineAt = clock.now() + backendBody
    } else this.deadlineAt = requestDone ? clock.now() + responseHead : Infinity
  }

  isStillTaken(started: boolean): boolean {
    return isStillTaken(this, started, this.#gateway.clock.now())
  }

  /** More of a response is to come. `moves`: the kernel may move it, as `move` says. */
  stream(moves: boolean): void {
    if (this.direct === null) return
    this.direct.readSize = RECEIVE_SIZE
    this.direct.mover = moves ? this : null
  }

  /** One response is at its end, or none has begun. */
  #awaitHead(): void {
    if (this.direct === null) return
    this.direct.readSize = FIRST_READ
    this.direct.mover = null
  }

  /** `Mover`: called when something has come. */
  move(from: number): number | null {
    this.#gateway.clock.tick()
    return this.exchange === null ? null : this.exchange.moveResponse(from)
  }

  /** Gives the connection back to its pool after a complete exchange. */
  release(now: number): void {
    this.resume()
    this.#awaitHead()
    this.exchange = null
    if (this.carried > 0) this.upstream.reuseLimit.answered(this.carried, this.rested)
    this.carried++
    this.#idleSince = now
    this.deadlineAt = now + this.#limits.poolIdle
    this.upstream.idle.put(this)
  }

  /** Keeps it for the further requests of one client. The end of either connection is the end of the other. */
  pinTo(client: PinnedClient): void {
    this.resume()
    this.#awaitHead()
    this.exchange = null
    this.deadlineAt = Infinity
    this.#pinnedTo = client
    client.pinned = this
  }

  unpin(): void {
    const client = this.#pinnedTo
    this.#pinnedTo = null
    if (client !== null) client.pinned = null
  }

  /** Pinned, and no request is under way on it. */
  get waitsPinned(): boolean {
    return this.#pinnedTo !== null && this.exchange === null
  }

  enterTunnel(tunnel: TunnelUser): void {
    this.exchange = null
    this.tunnel = tunnel
    this.deadlineAt = Infinity
    this.#gateway.deadlines.remove(this)
  }

  finish(): void {
    if (this.outbox.size === 0) return this.retire()
    const { clock, deadlines } = this.#gateway
    this.tunnel = null
    this.#finishing = true
    this.#gateway.backends.finishing++
    this.outbox.renew()
    this.deadlineAt = clock.now() + this.#limits.backendBody / LOOKS
    deadlines.add(this)
  }

  /**
   * Whether the peer has closed or spoken, as the kernel knows already and the event loop not yet: asked before a
   * request goes out on a used connection, for what has come unasked would be taken for its answer. Over TLS the bytes
   * may be a session ticket: then a fresh connection is a small price.
   */
  isStale(): boolean {
    return this.socket !== null && !isQuiet(this.socket)
  }

  /** Whether the backend is known to close connections that have been idle for as long as this one. */
  mayBeClosing(now: number): boolean {
    return this.upstream.idleLimit.isNear(now - this.#idleSince)
  }

  /** Whether a request that may not be sent twice may use it, by what other connections to the backend have shown. */
  mayCarryOnce(now: number): boolean {
    return this.upstream.reuseLimit.allows(this.carried, now - this.#idleSince, now)
  }

  /** It has left the pool for another request. */
  reuse(now: number): void {
    this.rested = now - this.#idleSince
    this.#unheard = true
  }

  /** It ends. If that is between a request and its response, other connections may end like it. */
  #noteLoss(): void {
    if (this.exchange === null || this.carried === 0 || !this.#unheard) return
    this.upstream.reuseLimit.lost(this.carried, this.rested, this.#gateway.clock.now())
  }

  /** Has the kernel ask the peer often whether it is there. Once that has begun, more calls change nothing. */
  ask(): void {
    if (this.socket === null || this.#dialing || this.#askedAt < Infinity) return
    this.#askedAt = this.#gateway.clock.now()
    askOften(this.socket.fd)
  }

  /** Ends what `ask` has begun. */
  askNoMore(): void {
    if (this.socket === null || this.#askedAt === Infinity) return
    this.#askedAt = Infinity
    keepAlive(this.socket.fd, this.upstream.pool.settings.keepalive.backend)
  }

  /** The peer has been asked, and has not answered in time. */
  get isSilent(): boolean {
    const asked = this.#gateway.clock.now() - this.#askedAt
    return asked >= SILENT_MS && this.socket !== null && isSilent(this.socket.fd)
  }

  #noteIdleEnd(): void {
    if (!this.pooled) return
    this.upstream.idleLimit.endedAt(this.#gateway.clock.now() - this.#idleSince)
  }

  protected opened(): void {
    this.#gateway.clock.tick()
    this.#dialed()
    this.target.reached(this.#gateway.clock.now())
    this.upstream.figures.dials++
    this.#awaitHead()
    this.exchange?.connected(this)
  }

  protected dialFailed(failure: DialFailure): void {
    this.#gateway.clock.tick()
    this.#dialed()
    this.target.failed(this.#gateway.clock.now())
    this.upstream.figures.failedDials++
    const exchange = this.exchange
    this.#leave()
    exchange?.dialFailed(failure)
  }

  received(bytes: Buffer): void {
    this.#gateway.clock.tick()
    this.#gateway.figures.fromBackend += bytes.length
    this.#unheard = false
    if (this.exchange !== null) this.exchange.receiveResponse(bytes)
    else if (this.tunnel !== null) this.tunnel.fromBackend(bytes)
    else this.abort()
  }

  drained(): void {
    if (this.socket === null) return
    this.#gateway.clock.tick()
    if (this.outbox.size > 0 && !this.outbox.flush(this.socket)) this.broken = true
    if (this.exchange !== null) this.exchange.backendDrained(this)
    else if (this.outbox.size > 0) return
    else if (this.tunnel !== null) this.tunnel.backendDrained()
    else if (!this.pooled && this.#pinnedTo === null) this.retire()
  }

  ended(): void {
    this.#gateway.clock.tick()
    this.#noteLoss()
    if (this.exchange !== null) this.exchange.backendEnded(this.broken)
    else if (this.tunnel !== null) this.tunnel.backendEnded()
    else {
      this.#noteIdleEnd()
      this.retire()
    }
  }

  protected lost(reset: boolean): void {
    this.#gateway.clock.tick()
    const { exchange, tunnel } = this
    this.#noteIdleEnd()
    this.#noteLoss()
    this.#leave()
    if (exchange !== null) exchange.backendEnded(reset || this.broken)
    else tunnel?.backendClosed(reset || this.broken)
  }

  protected late(): void {
    if (this.exchange !== null) this.exchange.backendLate()
    else if (this.outbox.size === 0) this.retire()
    else if (this.outbox.moves(this.socket?.fd ?? -1)) {
      const { clock } = this.#gateway
      this.deadlineAt = clock.now() + this.#limits.backendBody / LOOKS
    } else this.abort()
  }

  crashed(error: Error): void {
    this.#gateway.logCrash(`backend ${this.upstream.label}`, error)
    const { exchange, tunnel } = this
    this.abort()
    exchange?.backendEnded(true)
    tunnel?.backendClosed(true)
  }

  override abort(): void {
    this.#leave()
    super.abort()
  }

  override retire(): void {
    this.#leave()
    super.retire()
  }

  #dialed(): void {
    this.#dialing = false
    this.upstream.figures.dialing--
  }

  /** Out of every list; whatever follows on the socket is nobody's. */
  #leave(): void {
    if (this.#dialing) {
      this.#dialed()
      this.target.abandoned(this.#gateway.clock.now(), this.born)
    }
    const client = this.#pinnedTo
    this.unpin()
    this.upstream.idle.remove(this)
    if (this.upstream.connections.delete(this)) this.#gateway.backends.open--
    this.#gateway.deadlines.remove(this)
    if (this.#finishing) this.#gateway.backends.finishing--
    this.#finishing = false
    this.exchange = null
    this.tunnel = null
    this.outbox.clear()
    client?.pinnedLost()
  }
}
