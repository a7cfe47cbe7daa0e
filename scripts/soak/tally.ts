/** What came of the soak's exchanges, in numbers: by kind, by error, and their times. */

export interface Failure {
  readonly kind: string
  /** `status 502`, `reset`, `end`, `refused`, `late`, or what was wrong. */
  readonly what: string
  /** Milliseconds of `performance.now()`. */
  readonly from: number
  readonly to: number
}

export class Tally {
  requests = 0
  readonly byKind = new Map<string, number>()
  readonly failures: Failure[] = []
  /** Milliseconds of each timed exchange that succeeded. */
  readonly #times: number[] = []

  done(kind: string): void {
    this.requests++
    this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + 1)
  }

  timed(ms: number): void {
    this.#times.push(ms)
  }

  /** `share` 0.99 is the p99. */
  percentiles(...shares: number[]): number[] {
    const sorted = Float64Array.from(this.#times).sort()
    return shares.map((share) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
  }
}
