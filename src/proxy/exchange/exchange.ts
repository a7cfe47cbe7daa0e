/**
 * One request and its response: picks a backend, gets a connection, sends the request, sends it again where that
 * is safe, and sees both messages to their end. One object serves all exchanges of a client connection.
 *
 *   begin -> attempt -> (dial) -> send -> response -> complete
 *               ^___________________|  dial failed: always; closed before a response byte: when repeatable
 *
 * Nothing is sent twice after a byte of a response, nor when it is not idempotent (RFC 9110 section 9.2.2).
 */
import { LATE, NO_RESPONSE, type FailureKind } from "../../health/request-breaker.ts"
import type { DialFailure } from "../../net/dial-failure.ts"
import { lastHopAnswer } from "../../http/max-forwards.ts"
import type { RequestMessage } from "../../http/request-message.ts"
import { Attempts, dialAnswer } from "./attempts.ts"
import type { BackendStream } from "../backend/backend-stream.ts"
import type { BackendUser } from "../backend/backend-user.ts"
import { chooseBackend, keepsSession } from "./choice.ts"
import type { ClientStream } from "./client-stream.ts"
import type { Who } from "../core/exchange-record.ts"
import type { Gateway } from "../core/gateway.ts"
import { disposeOf } from "./disposal.ts"
import { sendLastHopAnswer } from "./last-hop.ts"
import { RequestRelay } from "./request-relay.ts"
import * as relay from "./response-relay.ts"
import { openTunnel } from "./tunnel.ts"
import type { Upstream } from "../backend/upstream.ts"

export class Exchange implements relay.RelayTerms, BackendUser {
  readonly #client: ClientStream
  readonly #gateway: Gateway
  readonly #request: RequestRelay
  readonly response: relay.ResponseRelay
  active = false
  dialing: BackendStream | null = null
  #backend: BackendStream | null = null
  #upstream: Upstream | null = null
  /** Made for the first request that needs a dial. */
  #attempts: Attempts | null = null
  /** The connection at work had served others before. */
  #reused = false
  #began = 0

  constructor(client: ClientStream, gateway: Gateway) {
    this.#client = client
    this.#gateway = gateway
    this.#request = new RequestRelay(client, gateway)
    this.response = new relay.ResponseRelay(client, gateway, this.#request)
  }

  /** The request has been received whole. */
  get requestDone(): boolean {
    return this.#request.done
  }

  /** It offers to switch protocols, and the backend has not answered yet. */
  get upgrades(): boolean {
    return this.active && this.#request.upgrades && !this.response.started
  }

  get #tries(): Attempts {
    return (this.#attempts ??= new Attempts(this.#gateway))
  }

  /** The client has said that this was its last request, and a close cannot rob it of the answer. */
  get clientLeaves(): boolean {
    return this.#request.done && !this.#request.keepAlive && this.response.brief
  }

  /** As `RequestRelay.begin`: `request` is the exchange's from now on, which gives it back. */
  begin(request: RequestMessage, to: number): number {
    this.active = true
    this.#began = this.#gateway.clock.now()
    this.#attempts?.reset()
    this.response.reset()
    const used = this.#request.begin(request, to)
    this.#request.pool.budget.deposit()
    this.#client.record?.begin(request, used, this.#request)
    if (request.maxForwards === 0) {
      // With a body it is the last one, so that how much of that has come makes no difference.
      const keepAlive = used === request.end && request.minor === 1 && this.#request.mayKeepAlive
      const answer = lastHopAnswer(request, !keepAlive)
      this.#end()
      sendLastHopAnswer(this.#gateway, this.#client, answer, keepAlive)
      return used
    }
    if (this.#request.refusal !== 0) {
      this.refuse(this.#request.refusal)
      return to
    }
    this.#pick()
    if (this.active) this.#request.retain()
    return used
  }

  #pick(): void {
    if (this.#client.pinned !== null) return this.#usePinned(this.#client.pinned)
    const { pool } = this.#request
    const upstream = pool.upstreams[chooseBackend(pool, this.#request)?.index ?? -1]
    if (upstream === undefined) return this.#fail("N", 503, "no backend is available")
    if (pool.roster.panicking) this.#gateway.figures.panicPicks++
    this.#attempt(upstream, false)
  }

  /** The connection that this client has authenticated, or is about to, carries all its further requests. */
  #usePinned(connection: BackendStream): void {
    const { upstream } = connection
    this.#enter(upstream)
    this.#reused = true
    if (connection.isStale()) {
      connection.retire()
      return this.#fail("S", 502, "the backend has ended the connection that this client uses")
    }
    upstream.figures.reuses++
    this.#send(connection)
  }

  /** The request is about to be sent to this backend. */
  #enter(upstream: Upstream): void {
    this.#upstream = upstream
    this.#request.ticket = upstream.pool.board.ticket(upstream.candidate.index)
    this.#request.sentAt = this.#gateway.clock.now()
    upstream.beginExchange()
    this.#client.record?.attempt(upstream.label)
  }

  /** `fresh`: not on a pooled connection. */
  #attempt(upstream: Upstream, fresh: boolean): void {
    this.#enter(upstream)
    const pooled = fresh ? null : upstream.takePooled(this.#began, !this.#request.idempotent)
    this.#reused = pooled !== null
    if (pooled !== null) {
      upstream.figures.reuses++
      this.#send(pooled)
      return
    }
    this.#client.waitForBackend()
    upstream.dial(this, this.#tries.firstTarget(upstream))
  }

  connected(connection: BackendStream): void {
    this.dialing = null
    this.#send(connection)
  }

  #send(connection: BackendStream): void {
    connection.exchange = this
    this.#backend = connection
    this.response.reset()
    this.#request.sendTo(connection)
    this.#client.record?.sent(this.#reused)
    this.backendDrained(connection)
  }

  /** Takes body bytes from the client. Returns the offset after those that belong to this request. */
  receiveBody(bytes: Buffer): number {
    const backend = this.#backend
    const used = this.#request.receive(bytes, backend)
    this.#client.record?.received(used)
    if (this.#request.refusal !== 0) {
      this.refuse(this.#request.refusal)
      return bytes.length
    }
    if (backend === null) return used
    if (backend.room < 0) this.#client.waitForBackend()
    this.backendDrained(backend)
    return used
  }

  /** The body is malformed or late: the backend must not take it for complete. */
  refuse(refusal: number): void {
    this.#dropBackend()
    this.#end()
    if (!this.response.started) return this.#client.refuse(refusal)
    this.#client.record?.refused(refusal)
    this.#client.truncate(this.response.delimited, false)
  }

  backendDrained(connection: BackendStream): void {
    const waits = connection.waits
    connection.awaitBackend(this.#request.done, this.response.started)
    if (!waits && !this.#request.done) this.#client.backendReady()
  }

  moveResponse(from: number): number | null {
    const moved = this.response.move(from)
    if (moved !== null && moved > 0)
      this.#conclude(this.response.done ? relay.COMPLETE : relay.MORE)
    return moved
  }

  receiveResponse(bytes: Buffer): void {
    this.#conclude(this.response.receive(bytes, this))
  }

  #conclude(outcome: number): void {
    this.#client.record?.heard(this.response.started, this.response.status)
    if (outcome === relay.COMPLETE) this.#complete()
    else if (outcome === relay.MORE) this.#expectMore()
    else if (outcome === relay.BROKEN) this.#cutShort("S", "malformed chunked body")
    else if (outcome === relay.SWITCHES) this.#switch()
    else this.#backendFailed(this.response.fault)
  }

  #expectMore(): void {
    const backend = this.#backend
    if (backend === null || !this.response.started) return
    this.#request.forgetAll()
    const { settings } = this.#request.pool
    backend.deadlineAt = this.#gateway.clock.now() + settings.timeouts.backendBody
    backend.stream(this.response.movable)
    if (this.#client.room < 0) backend.pause()
  }

  /** The client has taken all that was waiting for it. */
  clientDrained(): void {
    const backend = this.#backend
    if (backend === null || !backend.paused) return
    backend.resume()
    this.backendDrained(backend)
  }

  cookieLine(): Uint8Array | null {
    const upstream = this.#upstream
    if (upstream === null || upstream.candidate.token === this.#request.token) return null
    const { pool, secure } = this.#request
    if (this.#attempts?.keepsSession || keepsSession(pool, this.#request)) return null
    return pool.cookieLine(upstream.candidate.token, secure)
  }

  #complete(): void {
    const backend = this.#backend
    if (backend === null) return
    const response = this.response
    const now = this.#succeed(response.status)
    this.#backend = null
    const goesOn = disposeOf(backend, this.#client, this.#request, response, now)
    this.#end()
    this.#client.record?.complete(goesOn && !this.#client.listener.leaving)
    this.#client.exchangeDone(goesOn)
  }

  /** Books the backend's answer. Returns the time. */
  #succeed(status: number): number {
    const now = this.#gateway.clock.now()
    const upstream = this.#upstream
    if (upstream === null) return now
    upstream.figures.answered(status, now - this.#began)
    upstream.pool.board.answered(upstream.candidate.index, this.#request)
    return now
  }

  #switch(): void {
    const backend = this.#backend
    const { switching } = this.response
    if (backend === null || switching === null) return
    const tunnel = openTunnel(this.#gateway, this.#client, backend, this.#request, switching)
    if (tunnel === null) return this.#backendFailed("switched protocols unasked")
    this.#succeed(101)
    this.#client.record?.switched()
    backend.unpin()
    this.#backend = null
    this.#end()
    tunnel.start(switching)
    this.response.reset()
  }

  #blame(kind: FailureKind, reason: string): void {
    const upstream = this.#upstream
    upstream?.pool.board.failed(upstream.candidate.index, kind, reason, this.#request)
  }

  /** What the backend said is no response: 502, and the breaker counts it. */
  #backendFailed(reason: string): void {
    this.#blame(NO_RESPONSE, reason)
    this.#dropBackend()
    this.#fail("S", 502, `the backend sent no valid response: ${reason}`)
  }

  /** The client has the first part of the response and must see that there is no second. */
  #cutShort(who: Who, reason: string): void {
    const { figures, clock } = this.#gateway
    figures.truncated++
    this.#upstream?.figures.answered(this.response.status, clock.now() - this.#began)
    if (who === "S") this.#blame(NO_RESPONSE, reason)
    this.#dropBackend()
    this.#end()
    this.#client.record?.blame(who, reason)
    this.#client.record?.finish()
    this.#client.truncate(this.response.delimited, false)
  }

  backendEnded(reset: boolean): void {
    if (!reset && this.response.end() === relay.COMPLETE) this.#complete()
    else if (this.response.started) {
      this.#cutShort("S", reset ? "connection reset within the response" : "response cut short")
    } else {
      this.#dropBackend()
      const stale = this.#reused && !this.response.answered
      const reason = reset ? "connection reset before a response" : "closed before a response"
      this.#recover(reason, stale)
    }
  }

  backendVanished(connection: BackendStream): void {
    if (this.#backend !== connection || this.response.started) return
    this.#dropBackend()
    this.#recover("unreachable while its response was awaited", false)
  }

  /** The connection died before a response; if `stale`, perhaps before the request was sent. */
  #recover(reason: string, stale: boolean): void {
    const upstream = this.#upstream
    if (upstream === null) return
    const { answered } = this.response
    const next = this.#tries.afterLoss(upstream, this.#request, answered, stale, reason)
    if (next === null) return this.#fail("S", 502, `backend: ${reason}`)
    this.#leaveUpstream()
    this.#attempt(next, true)
  }

  /** No byte of the request has left, so another backend may always have it. */
  dialFailed(failure: DialFailure): void {
    const upstream = this.#upstream
    this.dialing = null
    if (upstream === null) return
    // Ports are counted for each destination; everything else that is missing here is missing for all of them.
    if (failure.local && !failure.noPort) return this.#failDial(failure)
    const target = this.#tries.nextTarget(failure)
    if (target !== null) return upstream.dial(this, target)
    const next = this.#tries.afterFailedDial(upstream, failure, this.#request)
    if (next === null) return this.#failDial(this.#tries.cause(failure))
    this.#leaveUpstream()
    this.#attempt(next, false)
  }

  #failDial(failure: DialFailure): void {
    const { who, status, text } = dialAnswer(failure, this.#request.pool.roster.panicking)
    this.#fail(who, status, text)
  }

  /** The backend is late with its head, its body, or with taking the request. */
  backendLate(): void {
    if (this.#backend?.isStillTaken(this.response.started) === true) return
    if (this.response.started) {
      this.#cutShort("s", "no more of the response in time")
      return
    }
    const reason = this.#request.done ? "no response head in time" : "request not taken in time"
    // Nobody may be waiting for this response, so its lateness says nothing of the backend.
    if (!this.#client.hasEnded) this.#blame(LATE, reason)
    this.#dropBackend()
    this.#fail("s", 504, `backend: ${reason}`)
  }

  /** The client has ended within the body, or wants no response. What it was answered before still reaches it. */
  abandon(): void {
    this.clientGone()
    if (this.response.started) this.#client.truncate(this.response.delimited, true)
    else this.#client.finish()
  }

  /** The client has left. */
  clientGone(): void {
    if (!this.active) return
    this.#gateway.figures.aborts++
    this.#client.record?.left(this.#request.done)
    this.#dropBackend()
    this.#end()
  }

  /** bunlb answers in the backend's place. */
  #fail(who: Who, status: number, text: string): void {
    this.#client.record?.blame(who, text)
    const keepAlive = this.#request.mayKeepAlive && !this.#request.pinned
    this.#gateway.figures.own.answered(status, this.#gateway.clock.now() - this.#began)
    this.#end()
    this.#client.answer(status, text, keepAlive, this.#request.bodiless)
  }

  #dropBackend(): void {
    const [dialing, backend] = [this.dialing, this.#backend]
    this.dialing = null
    this.#backend = null
    dialing?.abort()
    backend?.abort()
  }

  #leaveUpstream(): void {
    this.#upstream?.endExchange()
    this.#upstream = null
  }

  #end(): void {
    this.#leaveUpstream()
    this.#request.end()
    this.active = false
  }
}
