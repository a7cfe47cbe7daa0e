/**
 * What one exchange has tried so far, and whether and where it may try again after a failure: the next address of the
 * same backend, the same backend on a fresh connection, or another backend. Kept by the exchange from one request to
 * the next; nothing is made for a request that is served on a pooled connection.
 */
import type { Candidate } from "../../balance/strategy.ts"
import { NOT_CONNECTED, NO_RESPONSE } from "../../health/request-breaker.ts"
import { type DialTarget, nextInWalk } from "../../net/names/address-book.ts"
import type { DialFailure } from "../../net/dial-failure.ts"
import type { Who } from "../core/exchange-record.ts"
import type { Gateway } from "../core/gateway.ts"
import type { Pool } from "../backend/pool.ts"
import type { RequestRelay } from "./request-relay.ts"
import type { Upstream } from "../backend/upstream.ts"

export class Attempts {
  readonly #gateway: Gateway
  #tried: TriedBackends | null = null
  /** Dials that may time out, as the pool of the request allows. */
  #most = 0
  #resends = 0
  #timeouts = 0
  /** The addresses of the backend in the order in which this attempt dials them, and its position there. */
  #targets: DialTarget[] = []
  #position = 0
  /** The latest dial that failed for another reason than a lack of local ports. */
  #fault: DialFailure | null = null
  /** What is wrong with TLS at an address of this backend: it tells more than that another one is refused. */
  #tlsFault: DialFailure | null = null
  /** The backend that the client's cookie names, where this request was lost. */
  #lostAt: Upstream | null = null

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  reset(): void {
    this.#tried = null
    this.#resends = 0
    this.#timeouts = 0
    this.#fault = null
    this.#lostAt = null
  }

  /** Another backend answers this request, but the one that the cookie names goes on serving the client. */
  get keepsSession(): boolean {
    if (this.#lostAt === null) return false
    return this.#lostAt.pool.roster.isEligible(this.#lostAt.candidate.index)
  }

  /** The addresses of `upstream` are about to be dialled, one after the other. The first, or null without any. */
  firstTarget(upstream: Upstream): DialTarget | null {
    this.#targets = upstream.targets(this.#gateway.clock.now())
    this.#position = 0
    this.#tlsFault = null
    this.#most = upstream.pool.settings.retries.max
    return this.#targets[0] ?? null
  }

  /** The next address of the same backend to dial after `failure`, or null when none may be. */
  nextTarget(failure: DialFailure): DialTarget | null {
    if (failure.timeout) this.#timeouts++
    if (!failure.noPort) this.#fault = failure
    if (failure.tls) this.#tlsFault = failure
    if (!this.#hasTime) return null
    return nextInWalk(this.#targets, ++this.#position, this.#gateway.clock.now())
  }

  /** What the client is told after the last `failure`: a lack of local ports only when nothing else went wrong. */
  cause(failure: DialFailure): DialFailure {
    const other = failure.noPort ? this.#fault : null
    return this.#tlsFault ?? other ?? failure
  }

  /** The backend to try after `upstream` could not be reached, or null when there is none. */
  afterFailedDial(
    upstream: Upstream,
    failure: DialFailure,
    request: RequestRelay,
  ): Upstream | null {
    const { figures } = this.#gateway
    const { board, upstreams } = upstream.pool
    const { index } = upstream.candidate
    const { local, reason } = this.#tlsFault ?? failure
    if (!local) board.failed(index, NOT_CONNECTED, reason, request)
    const other = this.#hasTime ? this.#other(upstream, request.token) : null
    if (other === null) return null
    figures.failovers++
    figures.retries.dial++
    return upstreams[other.index] ?? null
  }

  /**
   * The backend to send the request to again after its connection to `upstream` died before a response, or null when
   * it may not be sent again. `stale`: the connection had served others, and not a byte of a response had come.
   */
  afterLoss(
    upstream: Upstream,
    request: RequestRelay,
    answered: boolean,
    stale: boolean,
    reason: string,
  ): Upstream | null {
    const { figures } = this.#gateway
    const { board, roster, upstreams } = upstream.pool
    const { index } = upstream.candidate
    if (!stale) board.failed(index, NO_RESPONSE, reason, request)
    if (!this.#mayResend(upstream.pool, request, answered, stale)) {
      if (stale && !request.pinned) upstream.tellReuseLoss()
      return null
    }
    if (stale && roster.isEligible(index)) return upstream
    const other = this.#other(upstream, request.token)
    if (other === null) return upstream
    if (upstream.candidate.token === request.token) this.#lostAt = upstream
    figures.failovers++
    return upstreams[other.index] ?? null
  }

  /**
   * Whether a request whose connection died may be sent again; it is counted if so. A stale connection costs the
   * budget nothing: the next attempt is on a fresh one, which cannot be stale.
   */
  #mayResend(
    { settings, budget }: Pool,
    request: RequestRelay,
    answered: boolean,
    stale: boolean,
  ): boolean {
    const { clock, figures } = this.#gateway
    // A handshake of NTLM or Negotiate is between two connections: no other can go on with it.
    const movable = !request.pinned && (stale || !request.binds)
    const repeatable = request.idempotent && request.replayable && movable
    if (answered || !repeatable || this.#resends >= settings.retries.max) return false
    if (!stale && !budget.withdraw(clock.now())) {
      figures.budgetExhausted++
      return false
    }
    this.#resends++
    figures.retries[stale ? "stale" : "closed"]++
    return true
  }

  /** Another backend than those that have failed, now with this one; null when there is none. */
  #other({ pool, candidate }: Upstream, token: number): Candidate | null {
    const { roster, upstreams } = pool
    this.#tried ??= new TriedBackends(upstreams)
    this.#tried.add(candidate.index)
    return roster.pickOther(token, this.#tried)
  }

  /** False when dials, to whichever address, have cost the client too much time already. */
  get #hasTime(): boolean {
    return this.#timeouts <= this.#most
  }
}

/** Backends, and not their indexes: one that leaves meanwhile may be followed by another one at its index. */
class TriedBackends {
  readonly #upstreams: readonly Upstream[]
  readonly #tried: Upstream[] = []

  constructor(upstreams: readonly Upstream[]) {
    this.#upstreams = upstreams
  }

  add(index: number): void {
    const upstream = this.#upstreams[index]
    if (upstream !== undefined && !this.#tried.includes(upstream)) this.#tried.push(upstream)
  }

  has(index: number): boolean {
    const upstream = this.#upstreams[index]
    return upstream !== undefined && this.#tried.includes(upstream)
  }

  count(): number {
    return this.#tried.length
  }
}

interface DialAnswer {
  readonly who: Who
  readonly status: number
  readonly text: string
}

/** When nobody could be reached: 502 for a bad certificate, 503 when all are known to be down, else 502 or 504. */
export function dialAnswer(failure: DialFailure, down: boolean): DialAnswer {
  const { reason, local, timeout, tls } = failure
  if (local) return { who: "R", status: 503, text: `bunlb is ${reason}` }
  const status = down && !tls ? 503 : timeout ? 504 : 502
  const text = `no backend could be reached, last: ${reason}`
  return { who: timeout ? "s" : "S", status, text }
}
