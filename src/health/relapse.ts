/**
 * How much longer a backend that fails again and again has to wait: a factor that doubles each time it fails within a
 * minute of coming back, up to a limit, and that is 1 again for one that stayed in for longer.
 */
const RELAPSE_MS = 60_000

export class Relapse {
  factor = 1
  #cameBack = -Infinity

  /** It has failed. */
  left(now: number, limit: number): void {
    const relapsed = now - this.#cameBack < RELAPSE_MS
    this.factor = relapsed ? Math.min(2 * this.factor, limit) : 1
  }

  returned(now: number): void {
    this.#cameBack = now
  }

  limit(limit: number): void {
    this.factor = Math.min(this.factor, limit)
  }
}
