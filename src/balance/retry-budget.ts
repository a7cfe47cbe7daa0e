/**
 * The retry budget: a retry is made only while those of the last ten seconds are fewer than a
 * percentage of the requests of the last ten seconds, or than a floor that lets quiet balancers
 * retry at all, whichever is more. Without it, backends that begin to fail under load get up to
 * three times that load, just when they can bear it least.
 *
 * Cost: a request adds one to a counter and reads no clock; the seconds are only kept when a retry
 * is asked for.
 * Why a share of the requests and not a number of retries each: see tower's `retry::budget` and
 * Finagle's.
 */
const SECONDS = 10

export class RetryBudget {
  #percent: number
  #floor: number
  /** Rings of one-second slots. */
  readonly #requests = new Float64Array(SECONDS)
  readonly #retries = new Float64Array(SECONDS)
  /** The second that the newest slot stands for. */
  #second = 0
  /** Requests since the last settlement. */
  #fresh = 0

  constructor(percent: number, floorPerSecond: number) {
    this.#percent = percent
    this.#floor = floorPerSecond * SECONDS
  }

  /** Another share and floor from now on; what has been counted counts on. */
  configure(percent: number, floorPerSecond: number): void {
    this.#percent = percent
    this.#floor = floorPerSecond * SECONDS
  }

  /** Called for every request, but not again for its retries. */
  deposit(): void {
    this.#fresh++
  }

  /** True when one more retry may be made, which it then counts. `now` is in milliseconds. */
  withdraw(now: number): boolean {
    this.#settle(Math.floor(now / 1000))
    const allowed = Math.max(this.#floor, (total(this.#requests) * this.#percent) / 100)
    if (total(this.#retries) + 1 > allowed) return false
    const slot = this.#second % SECONDS
    this.#retries[slot] = (this.#retries[slot] ?? 0) + 1
    return true
  }

  /** Books the requests since the last settlement, evenly over the seconds that they came in. */
  #settle(second: number): void {
    const passed = second - this.#second
    if (passed <= 0) {
      const slot = this.#second % SECONDS
      this.#requests[slot] = (this.#requests[slot] ?? 0) + this.#fresh
    } else {
      for (let at = Math.max(this.#second + 1, second - SECONDS + 1); at <= second; at++) {
        this.#requests[at % SECONDS] = this.#fresh / passed
        this.#retries[at % SECONDS] = 0
      }
      this.#second = second
    }
    this.#fresh = 0
  }
}

function total(slots: Float64Array): number {
  let total = 0
  for (const slot of slots) total += slot
  return total
}
