/**
 * How often, and after how long a rest, a kept connection to a backend may carry a request that must not be sent twice,
 * as lost connections have shown. Some backends close kept connections without notice: after so many requests (often
 * after one), or when a request comes after a rest. A GET is sent again and nobody notices, a POST is answered 502. So
 * after a loss such requests keep to connections that have carried fewer requests and rested for less; others get a new
 * connection.
 *
 * A loss may also have a cause that is over, such as a restart. The limits end when enough requests in a row have been
 * answered on connections beyond them, or after a pause, which is longer each time that losses follow it.
 *
 * Cost: two compares for each request on a kept connection; it allocates nothing.
 */

/** A shorter rest is that of a busy connection, and not why the backend has closed it. */
const SHORTEST_REST = 10
/** Share of a rest before its end in which the backend may close already. */
const SPREAD = 0.1
/** Answers in a row, without a loss between them, that disprove a limit. */
const PROOFS = 16
const FIRST_PAUSE = 60_000
const LONGEST_PAUSE = 3_600_000
/** So many pauses without a loss, and the next one is the first again. */
const PAUSES_TO_FORGET = 4

export class ReuseLimit {
  /** Of the connection that was lost last. */
  lastCarried = 0
  lastRest = 0
  /** A connection that has carried so many may be lost with the next request. */
  #requests = Infinity
  /** And so may one that has rested for so many milliseconds. */
  #rest = Infinity
  #requestProofs = 0
  #restProofs = 0
  #pause = FIRST_PAUSE
  #endsAt = -Infinity
  #lostAt = -Infinity

  /** Whether a request that must not be sent twice may use the connection. */
  allows(carried: number, rest: number, now: number): boolean {
    if (carried < this.#requests && rest < this.#rest) return true
    if (now < this.#endsAt) return false
    this.#lift()
    return true
  }

  /** A connection has ended between a request and the first byte of its response. */
  lost(carried: number, rest: number, now: number): void {
    if (now >= this.#endsAt) this.#lift()
    if (this.#requests === Infinity && this.#rest === Infinity) this.#beginPause(now)
    this.lastCarried = carried
    this.lastRest = rest
    this.#lostAt = now
    this.#endsAt = now + this.#pause
    this.#requests = Math.min(this.#requests, carried)
    if (rest >= SHORTEST_REST) this.#rest = Math.min(this.#rest, rest * (1 - SPREAD))
    this.#requestProofs = this.#restProofs = 0
  }

  /** A connection that had carried and rested so much has brought an answer. */
  answered(carried: number, rest: number): void {
    if (carried >= this.#requests && ++this.#requestProofs === PROOFS) this.#requests = Infinity
    if (rest >= this.#rest && ++this.#restProofs === PROOFS) this.#rest = Infinity
  }

  #beginPause(now: number): void {
    const forgotten = now - this.#lostAt > this.#pause * PAUSES_TO_FORGET
    this.#pause = forgotten ? FIRST_PAUSE : Math.min(this.#pause * 2, LONGEST_PAUSE)
  }

  #lift(): void {
    this.#requests = this.#rest = Infinity
  }
}
