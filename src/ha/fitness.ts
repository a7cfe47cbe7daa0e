/**
 * Is the bunlb beside us fit to hold the address that clients know? What has been seen goes in with its time, a verdict
 * comes out; no socket and no clock here.
 *
 * Quick to find a fault, slower to forgive: silence for longer than `deadlineMs` is a fault, a port that nobody listens
 * on is one at once, and only after `riseMs` without any is all well again. For a change of mind may move the address,
 * and whoever is connected at that moment is cut off.
 *
 * Not a fault, unless asked for: that no backend is healthy. The other bunlb has the same backends, and if both called
 * it a fault nobody would hold the address.
 */
export interface FitnessLimits {
  readonly deadlineMs: number
  readonly riseMs: number
}

/** One refusal may be a moment between two processes. */
const REFUSALS = 3

export class Fitness {
  readonly #limits: FitnessLimits
  /** The last answer, or when the waiting for one began. */
  #heardAt: number
  #told: string | null = null
  /** The last dial to the admin address was refused. */
  #adminGone = false
  /** Refusals of the traffic port in a row. */
  #refusals = 0
  #wellSince: number | null = null
  #verdict: string | null = "not yet known to be well"

  constructor(limits: FitnessLimits, now: number) {
    this.#limits = limits
    this.#heardAt = now
  }

  /** The admin listener has answered: null when all is well, or what is not. */
  answered(fault: string | null, now: number): void {
    this.#heardAt = now
    this.#told = fault
    this.#adminGone = false
  }

  /** Nobody listens at the admin address. */
  adminRefused(): void {
    this.#adminGone = true
  }

  /** The port that clients use takes a connection, or nobody listens there. */
  port(open: boolean): void {
    this.#refusals = open ? 0 : this.#refusals + 1
  }

  /** Who looks was away for a while: nobody was silent, it did not listen. */
  excuse(now: number): void {
    this.#heardAt = Math.max(this.#heardAt, now)
  }

  /** True when the next look may change the verdict, so that it should come soon. */
  get suspicious(): boolean {
    return this.#adminGone || this.#refusals > 0
  }

  /** What is wrong, or null when this bunlb may hold the address. */
  look(now: number): string | null {
    const fault = this.#fault(now)
    if (fault !== null) {
      this.#wellSince = null
      this.#verdict = fault
      return fault
    }
    this.#wellSince ??= now
    if (now - this.#wellSince >= this.#limits.riseMs) this.#verdict = null
    return this.#verdict
  }

  #fault(now: number): string | null {
    if (this.#adminGone && this.#refusals > 0) return "nobody listens"
    if (this.#refusals >= REFUSALS) return "nobody listens on the port of clients"
    if (this.#told !== null) return this.#told
    const { deadlineMs } = this.#limits
    return now - this.#heardAt > deadlineMs ? `no answer for ${deadlineMs} ms` : null
  }
}
