/**
 * Durations in fixed buckets, as Prometheus adds them up over workers. Cost: a few compares and two additions.
 */
import type { Samples } from "./snapshot.ts"

/** Upper bounds in milliseconds: fine where a local backend answers, coarse where people begin to wait. */
export const DURATION_BOUNDS: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
]
const bounds = Float64Array.from(DURATION_BOUNDS)

export class Histogram {
  readonly #counts = new Float64Array(DURATION_BOUNDS.length + 1)
  #sum = 0

  /** Milliseconds. */
  observe(duration: number): void {
    let bucket = 0
    while (bucket < bounds.length && duration > (bounds[bucket] ?? 0)) bucket++
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += duration
  }

  /** Writes the sum, in milliseconds, and the count of each bucket into `row`. */
  copyTo(row: Float64Array, sum: number, buckets: number): void {
    row[sum] = this.#sum
    row.set(this.#counts, buckets)
  }

  /** Adds this histogram to `samples` as the family `name`, in seconds, with `labels` in front of `le`. */
  collect(samples: Samples, name: string, labels: string): void {
    const buckets = (samples[`${name}_bucket`] ??= {})
    let total = 0
    for (const [i, bound] of bounds.entries()) {
      total += this.#counts[i] ?? 0
      buckets[`${labels},le="${bound / 1000}"`] = total
    }
    total += this.#counts[bounds.length] ?? 0
    buckets[`${labels},le="+Inf"`] = total
    ;(samples[`${name}_sum`] ??= {})[labels] = this.#sum / 1000
    ;(samples[`${name}_count`] ??= {})[labels] = total
  }
}
