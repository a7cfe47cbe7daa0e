/**
 * The health of all backends as one worker sees it: a breaker each, since when it stands as it does
 * and why, and what failures were counted. The data path and the prober report here; `onChange`
 * hears of every transition once.
 *
 * Cost: a success in the steady state is two array reads and a compare. Failures may take their
 * time.
 */
import type { Clock } from "../observe/clock.ts"
import type { HealthSettings } from "../config/settings.ts"
import { HealthBitmap } from "./bitmap.ts"
import { CircuitBreaker } from "./breaker.ts"

/** `reason` is as a person reads it: `3 failures, last: connect refused` or `2 successes`. */
type OnHealthChange = (index: number, healthy: boolean, reason: string) => void

/**
 * Reasons kept apart for each backend; what comes beyond them is `other`. They become labels of
 * figures.
 */
const REASON_LIMIT = 32

/** Who fails again so soon after coming back has to show more successes each time. */
const RELAPSE_MS = 60_000

type Thresholds = Pick<HealthSettings, "failures" | "successes" | "backoff">

export class HealthBoard {
  readonly healthy: HealthBitmap
  #settings: Thresholds
  readonly #wallClock: Clock
  readonly #onChange: OnHealthChange
  readonly #breakers: CircuitBreaker[] = []
  readonly #since: number[] = []
  readonly #reasons: string[] = []
  readonly #failures: Map<string, number>[] = []
  /** When a backend came back last; -Infinity for never. */
  readonly #cameBack: number[] = []
  /** How many times the successes of the settings it has to show. */
  readonly #factors: number[] = []

  /** All begin healthy. `wallClock` is in milliseconds since 1970: what `since` shows to people. */
  constructor(size: number, settings: Thresholds, wallClock: Clock, onChange: OnHealthChange) {
    this.healthy = new HealthBitmap(size)
    this.#settings = settings
    this.#wallClock = wallClock
    this.#onChange = onChange
    for (let index = 0; index < size; index++) this.admit(index)
  }

  /**
   * A backend takes the place `index`, healthy and with nothing said against it. `heirOf`: the place whose count of
   * failures goes on here, because it was the same backend under other settings.
   */
  admit(index: number, heirOf = -1): void {
    const { failures, successes } = this.#settings
    this.healthy.set(index)
    this.#breakers[index] = new CircuitBreaker(failures, successes)
    this.#since[index] = this.#wallClock.now()
    this.#reasons[index] = ""
    this.#cameBack[index] = -Infinity
    this.#factors[index] = 1
    this.#failures[index] = new Map(this.#failures[heirOf])
  }

  /** It was found unhealthy before it came here, at `since` and for `reason`: no news to anybody. */
  recall(index: number, since: number, reason: string): void {
    this.#breakers[index].open()
    this.healthy.clear(index)
    this.#since[index] = since
    this.#reasons[index] = reason
  }

  /** Other thresholds from now on. What is unhealthy stays so until it has earned the new ones. */
  configure(settings: Thresholds): void {
    this.#settings = settings
    const { failures, successes, backoff } = settings
    this.#breakers.forEach((breaker, index) => {
      this.#factors[index] = Math.min(this.#factors[index], backoff)
      breaker.configure(failures, successes * this.#factors[index])
    })
  }

  /** `reason` names one failure: `connect refused`. It should come from a small fixed set. */
  fail(index: number, reason: string): void {
    this.#countFailure(this.#failures[index], reason)
    if (!this.#breakers[index].fail()) return
    this.#demand(index)
    this.healthy.clear(index)
    this.#change(index, `${plural(this.#settings.failures, "failure")}, last: ${reason}`)
  }

  succeed(index: number): void {
    if (!this.#breakers[index].succeed()) return
    this.healthy.set(index)
    this.#cameBack[index] = this.#wallClock.now()
    this.#change(index, plural(this.#settings.successes * this.#factors[index], "success"))
  }

  /** What the breaker that has just opened takes to close. */
  #demand(index: number): void {
    const { failures, successes, backoff } = this.#settings
    const relapse = this.#wallClock.now() - this.#cameBack[index] < RELAPSE_MS
    this.#factors[index] = relapse ? Math.min(2 * this.#factors[index], backoff) : 1
    this.#breakers[index].configure(failures, successes * this.#factors[index])
    this.#breakers[index].open()
  }

  /** When the backend's health last changed, or the board was made, in milliseconds since 1970. */
  since(index: number): number {
    return this.#since[index]
  }

  /** Why it is as it is; empty when it never changed. */
  reason(index: number): string {
    return this.#reasons[index]
  }

  /** All failures counted so far, by reason. */
  failures(index: number): ReadonlyMap<string, number> {
    return this.#failures[index]
  }

  #countFailure(counts: Map<string, number>, reason: string): void {
    const label = counts.has(reason) || counts.size < REASON_LIMIT ? reason : "other"
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }

  #change(index: number, reason: string): void {
    this.#since[index] = this.#wallClock.now()
    this.#reasons[index] = reason
    this.#onChange(index, this.healthy.has(index), reason)
  }
}

function plural(count: number, noun: "failure" | "success"): string {
  if (count === 1) return `1 ${noun}`
  return `${count} ${noun === "failure" ? "failures" : "successes"}`
}
