/**
 * What one exchange has tried so far, and whether and where it may try again. Kept by the exchange from one request to
 * the next; nothing is made for a request that needs one attempt.
 */
import type { Candidate } from "../balance/strategy.ts"
import { HealthBitmap } from "../health/bitmap.ts"
import type { DialFailure } from "../net/dial-failure.ts"
import type { Gateway } from "./gateway.ts"
import type { RequestRelay } from "./request-relay.ts"

export class Attempts {
  readonly #gateway: Gateway
  #tried: HealthBitmap | null = null
  #resends = 0
  #timeouts = 0

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  reset(): void {
    this.#tried = null
    this.#resends = 0
    this.#timeouts = 0
  }

  /**
   * Whether a request whose connection died may be sent again; it is counted if so. A stale connection costs the
   * budget nothing: the next attempt is on a fresh one, which cannot be stale.
   */
  mayResend(request: RequestRelay, answered: boolean, stale: boolean): boolean {
    const { settings, budget, clock, figures } = this.#gateway
    const repeatable = request.idempotent && request.replayable
    if (answered || !repeatable || this.#resends >= settings.retries.max) return false
    if (!stale && !budget.withdraw(clock.now())) {
      figures.budgetExhausted++
      return false
    }
    this.#resends++
    figures.retries[stale ? "stale" : "closed"]++
    return true
  }

  /** Another backend than those that have failed, `index` now among them; null when there is none. */
  other(index: number, token: number): Candidate | null {
    const { roster, upstreams } = this.#gateway
    this.#tried ??= new HealthBitmap(upstreams.length)
    this.#tried.set(index)
    return roster.pickOther(token, this.#tried)
  }

  /** After a dial that failed: false when dials, to whichever address, have cost the client too much time already. */
  mayDialOn(timeout: boolean): boolean {
    if (timeout) this.#timeouts++
    return this.#timeouts <= this.#gateway.settings.retries.max
  }
}

/** When nobody could be reached: 502 for a bad certificate, 503 when all are known to be down, else 502 or 504. */
export function dialStatus(failure: DialFailure, down: boolean): number {
  if (down && !failure.tls) return 503
  return failure.timeout ? 504 : 502
}
