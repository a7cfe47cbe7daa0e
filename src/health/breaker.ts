/**
 * The circuit breaker of one backend. Closed: it serves. Open: it does not. There is no half-open
 * state, because probes and not requests find out whether an open breaker may close.
 *
 *     level                     state   on failure                       on success
 *     0                         closed  1                                0 (steady: one compare)
 *     1 .. failures-1           closed  level+1; at `failures` it opens  0
 *     -successes .. -1          open    -successes                       level+1; at 0 it closes
 *
 * So only *consecutive* failures open it and only consecutive successes close it.
 */
export class CircuitBreaker {
  #failures: number
  #successes: number
  #level = 0

  /**
   * How many consecutive failures open it and how many consecutive successes close it, each at
   * least 1.
   */
  constructor(failures: number, successes: number) {
    this.#failures = failures
    this.#successes = successes
  }

  /** Other thresholds from now on; it stays open or closed as it is. */
  configure(failures: number, successes: number): void {
    this.#failures = failures
    this.#successes = successes
    this.#level = Math.max(-successes, Math.min(this.#level, failures - 1))
  }

  /** As if it had just opened. */
  open(): void {
    this.#level = -this.#successes
  }

  get isOpen(): boolean {
    return this.#level < 0
  }

  /** Counts a failure; true when this one opened the breaker. */
  fail(): boolean {
    if (this.#level < 0) {
      this.#level = -this.#successes
      return false
    }
    this.#level++
    if (this.#level < this.#failures) return false
    this.#level = -this.#successes
    return true
  }

  /** Counts a success; true when this one closed the breaker. Called for every response. */
  succeed(): boolean {
    if (this.#level === 0) return false
    if (this.#level > 0) {
      this.#level = 0
      return false
    }
    this.#level++
    return this.#level === 0
  }
}
