/**
 * Backoff for a flapping backend: a factor that doubles each time the backend fails within a minute of its return, up
 * to a limit, and that is 1 again once the backend has stayed healthy for longer.
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
