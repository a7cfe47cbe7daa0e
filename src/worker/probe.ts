/**
 * One probe on a connection of its own: connects (and verifies TLS) for type `tcp`, asks for the page and judges
 * the status code for `http`. The prober keeps the time limit.
 */
import type { BackendSettings, HealthSettings, TimeoutSettings } from "../config/settings.ts"
import type { ProbeHandle, ProbeTransport } from "../health/prober.ts"
import { PartialHead } from "../http/partial-head.ts"
import { ResponseHead, scanResponse } from "../http/response.ts"
import type { Deadlines } from "../net/deadlines.ts"
import type { DialFailure } from "../net/dial-failure.ts"
import { Outbound } from "../net/outbound.ts"
import type { Resolver } from "../net/resolver.ts"
import type { TlsClient } from "../net/tls-client.ts"
import type { Clock } from "../observe/clock.ts"

type Verdict = (ok: boolean | null, reason: string) => void

const FIELDS = 100
const HEAD_BYTES = 64 * 1024

export interface ProbeTarget {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
  /** Value of the Host field. */
  readonly host: string
}

export interface ProbeParts {
  readonly target: (index: number) => ProbeTarget
  readonly health: HealthSettings
  readonly timeouts: TimeoutSettings
  readonly resolver: Resolver
  readonly deadlines: Deadlines
  readonly clock: Clock
}

export class Probes implements ProbeTransport {
  readonly #parts: ProbeParts

  constructor(parts: ProbeParts) {
    this.#parts = parts
  }

  probe(index: number, done: Verdict): ProbeHandle {
    const target = this.#parts.target(index)
    const { resolver } = this.#parts
    const tries = Math.max(1, resolver.addresses(target.settings.host).length)
    let current: ProbeConnection | null = null
    const attempt = (left: number): void => {
      const address = resolver.next(target.settings.host)
      if (address === null) return done(false, "name not resolved")
      current = new ProbeConnection(this.#parts, target, (ok, reason, dialed) => {
        // A name may stand for an address that nobody listens on; one that answers is enough.
        if (!dialed && left > 1) attempt(left - 1)
        else done(ok, reason)
      })
      current.begin(address.ip)
    }
    attempt(tries)
    return { abort: () => current?.abort() }
  }
}

class ProbeConnection extends Outbound {
  readonly #parts: ProbeParts
  readonly #target: ProbeTarget
  readonly #done: (ok: boolean | null, reason: string, dialed: boolean) => void
  #partial: PartialHead | null = null

  constructor(
    parts: ProbeParts,
    target: ProbeTarget,
    done: (ok: boolean | null, reason: string, dialed: boolean) => void,
  ) {
    super(target.tls, parts.timeouts)
    this.#parts = parts
    this.#target = target
    this.#done = done
  }

  begin(ip: string): void {
    this.#parts.deadlines.add(this)
    this.dial(ip, this.#target.settings.port, this.#parts.clock.now())
  }

  protected opened(): void {
    const { health } = this.#parts
    if (health.type === "tcp") return this.#judge(true, "connected")
    const request =
      `GET ${health.path} HTTP/1.1\r\nHost: ${health.host ?? this.#target.host}\r\n` +
      "User-Agent: bunlb-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    const bytes = Buffer.from(request)
    this.socket?.write(bytes, 0, bytes.length)
  }

  protected dialFailed(failure: DialFailure): void {
    this.#parts.deadlines.remove(this)
    if (failure.local) this.#done(null, failure.reason, true)
    else this.#done(false, failure.reason, failure.tls || failure.timeout)
  }

  received(bytes: Buffer): void {
    if (this.#partial === null) this.#partial = new PartialHead(bytes, 0, bytes.length, HEAD_BYTES)
    else if (!this.#partial.add(bytes)) return
    const head = new ResponseHead(FIELDS)
    const all = this.#partial.bytes
    let from = 0
    let end = scanResponse(all, 0, all.length, HEAD_BYTES, true, head)
    while (end > 0 && head.status < 200) {
      from = end
      end = scanResponse(all, from, all.length, HEAD_BYTES, true, head)
    }
    if (end < 0) this.#judge(false, "malformed response")
    else if (end > 0) this.#judgeStatus(head.status)
    else if (from > 0) this.#partial = new PartialHead(all, from, all.length, HEAD_BYTES)
  }

  #judgeStatus(status: number): void {
    const { expect } = this.#parts.health
    const expected = expect.some(([from, to]) => status >= from && status <= to)
    this.#judge(expected, `status ${status}`)
  }

  drained(): void {}

  ended(): void {
    this.#judge(false, "closed before a response")
  }

  protected lost(reset: boolean): void {
    this.#parts.deadlines.remove(this)
    this.#done(false, reset ? "connection reset" : "closed before a response", true)
  }

  protected late(): void {}

  crashed(error: Error): void {
    this.#judge(false, `internal error: ${error.message}`)
  }

  #judge(ok: boolean, reason: string): void {
    this.retire()
    this.#done(ok, reason, true)
  }

  override abort(): void {
    this.#parts.deadlines.remove(this)
    super.abort()
  }

  override retire(): void {
    this.#parts.deadlines.remove(this)
    super.retire()
  }
}
