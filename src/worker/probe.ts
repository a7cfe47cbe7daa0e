/**
 * Sends one health check on a connection of its own: type `tcp` connects (and verifies TLS), type `http` requests the
 * page and checks the status code. The prober enforces the time limit.
 */
import type { BackendSettings, HealthSettings } from "../config/schema/settings.ts"
import type { Reach } from "../health/backend-health.ts"
import type { ProbeDone, ProbeHandle, ProbeTransport } from "../health/prober.ts"
import { PartialHead } from "../h1/partial-head.ts"
import { readResponseHead } from "../h1/head-reader.ts"
import { ResponseMessage } from "../http/response-message.ts"
import { type AddressBook, type DialTarget, nextInWalk } from "../net/names/address-book.ts"
import type { Deadlines } from "../core/deadlines.ts"
import { type DialFailure, isNoWay } from "../net/dial-failure.ts"
import { type DialLimits, Outbound } from "../net/outbound.ts"
import type { TlsClient } from "../net/tls/tls-client.ts"
import type { Clock } from "../core/clock.ts"
import type { Poller } from "../net/linux/poller.ts"

const FIELDS = 100
const HEAD_BYTES = 64 * 1024
/** Each address of a name has at least this many milliseconds to answer the dial of a probe. */
const SHORTEST_DIAL = 250

export interface ProbeTarget {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
  readonly addresses: AddressBook
  /** Value of the Host field. */
  readonly host: string
}

export interface ProbeParts {
  readonly target: (index: number) => ProbeTarget
  readonly health: HealthSettings
  readonly timeouts: DialLimits
  /** Lines of the answer may end with LF alone. */
  readonly acceptsBareLf: () => boolean
  readonly deadlines: Deadlines
  /** Waits for plain connections; null where sockets are Bun's. */
  readonly direct: Poller | null
  readonly clock: Clock
  /** Called when a probe has ended. `reached`: the backend's machine has answered. */
  readonly onEnd: (index: number, reached: boolean) => void
}

export class Probes implements ProbeTransport {
  readonly #parts: ProbeParts

  constructor(parts: ProbeParts) {
    this.#parts = parts
  }

  probe(index: number, done: ProbeDone): ProbeHandle {
    const { clock, timeouts, target: targetOf, onEnd } = this.#parts
    const target = targetOf(index)
    const addresses = target.addresses.forProbe(target.settings.host, clock.now())
    const limits = { ...timeouts, connect: this.#connectLimit(addresses.length) }
    let current: ProbeConnection | null = null
    let unasked = false
    // One reachable address is enough.
    let reached = false
    let tlsFault = ""
    const attempt = (position: number): void => {
      // The first address was chosen already; it may be one that failed some time ago.
      const address =
        position === 0 ? (addresses[0] ?? null) : nextInWalk(addresses, position, clock.now())
      if (address === null) return done(false, "name not resolved", "nothing")
      const isLast = position + 1 === addresses.length
      current = new ProbeConnection(
        this.#parts,
        limits,
        target,
        address,
        (ok, reason, reach, end) => {
          // Some addresses of a name may have no listener; one that answers is enough.
          unasked ||= ok === null
          reached ||= current?.reached !== false
          if (end === "tls") tlsFault = reason
          if (end === "answered" || isLast) onEnd(index, reached)
          if (end === "answered") done(ok, reason, reach)
          else if (!isLast) attempt(position + 1)
          // A TLS fault at one address says more than a refused connection at another.
          else done(unasked ? null : ok, tlsFault || reason, reach)
        },
      )
      current.begin()
    }
    attempt(0)
    return {
      get connected() {
        return current?.isOpen === true
      },
      abort: () => current?.abort(),
      late: () => onEnd(index, reached || current?.reached !== false),
    }
  }

  /** An address that never answers must leave time for the others. */
  #connectLimit(addresses: number): number {
    const { timeouts, health } = this.#parts
    if (addresses < 2) return timeouts.connect
    return Math.min(timeouts.connect, Math.max(SHORTEST_DIAL, health.timeout / addresses))
  }
}

/** How a probe ended: with an answer, or what failed. */
type End = "answered" | "tls" | "dial"

type Done = (ok: boolean | null, reason: string, reach: Reach, end: End) => void

class ProbeConnection extends Outbound {
  isOpen = false
  readonly #parts: ProbeParts
  readonly #target: ProbeTarget
  readonly #address: DialTarget
  readonly #done: Done
  #partial: PartialHead | null = null
  #dialing = false
  #began = 0
  #vanished = false

  constructor(
    parts: ProbeParts,
    limits: DialLimits,
    target: ProbeTarget,
    address: DialTarget,
    done: Done,
  ) {
    super(target.tls, limits, parts.direct)
    this.#parts = parts
    this.#target = target
    this.#address = address
    this.#done = done
  }

  begin(): void {
    this.#parts.deadlines.add(this)
    this.#dialing = true
    this.#began = this.#parts.clock.now()
    this.#address.began(this.#began)
    this.dial(this.#address.ip, this.#target.settings.port, this.#began)
  }

  protected opened(): void {
    this.isOpen = true
    this.#dialing = false
    this.#address.reached(this.#parts.clock.now())
    const { health } = this.#parts
    if (health.type === "tcp") return this.#judge(true, "connected", "connection")
    const request =
      `GET ${health.path} HTTP/1.1\r\nHost: ${health.host ?? this.#target.host}\r\n` +
      "User-Agent: bunlb-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    const bytes = Buffer.from(request)
    this.socket?.write(bytes, 0, bytes.length)
  }

  /** False when nothing has answered, or there is no route to the address. */
  get reached(): boolean {
    return !this.#vanished && (!this.#dialing || this.isConnected)
  }

  protected dialFailed(failure: DialFailure): void {
    this.#vanished = !failure.tls && (failure.timeout || isNoWay(failure))
    this.#parts.deadlines.remove(this)
    this.#dialing = false
    this.#address.failed(this.#parts.clock.now())
    this.#done(
      failure.local ? null : false,
      failure.reason,
      "nothing",
      failure.tls ? "tls" : "dial",
    )
  }

  received(bytes: Buffer): void {
    if (this.#partial === null) this.#partial = new PartialHead(bytes, 0, bytes.length, HEAD_BYTES)
    else if (!this.#partial.add(bytes)) return
    const head = new ResponseMessage(FIELDS)
    const acceptsBareLf = this.#parts.acceptsBareLf()
    let all = this.#partial.bytes
    let from = 0
    let end = readResponseHead(all, 0, HEAD_BYTES, true, acceptsBareLf, head)
    while (end > 0 && head.status < 200) {
      all = head.bytes
      from = end
      end = readResponseHead(all, from, HEAD_BYTES, true, acceptsBareLf, head)
    }
    if (end < 0) this.#judge(false, "malformed response", "connection")
    else if (end > 0) this.#judgeStatus(head.status)
    else if (from > 0) this.#partial = new PartialHead(all, from, all.length, HEAD_BYTES)
  }

  #judgeStatus(status: number): void {
    const { expect } = this.#parts.health
    const expected = expect.some(([from, to]) => status >= from && status <= to)
    this.#judge(expected, `status ${status}`, "response")
  }

  drained(): void {}

  ended(): void {
    this.#judge(false, "closed before a response", "connection")
  }

  protected lost(reset: boolean): void {
    this.#parts.deadlines.remove(this)
    const reason = reset ? "connection reset" : "closed before a response"
    this.#done(false, reason, "connection", "answered")
  }

  protected late(): void {}

  crashed(error: Error): void {
    this.#judge(false, `internal error: ${error.message}`, "connection")
  }

  #judge(ok: boolean, reason: string, reach: Reach): void {
    this.retire()
    this.#done(ok, reason, reach, "answered")
  }

  override abort(): void {
    this.#leave()
    super.abort()
  }

  override retire(): void {
    this.#leave()
    super.retire()
  }

  #leave(): void {
    this.#parts.deadlines.remove(this)
    if (this.#dialing) this.#address.abandoned(this.#parts.clock.now(), this.#began)
    this.#dialing = false
  }
}
