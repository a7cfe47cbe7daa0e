/**
 * For how long a backend keeps an idle connection, as it has announced (`Keep-Alive: timeout=5`) or as its closes show.
 * A request that may not be sent twice must not go out on a connection that the backend is about to close: the close
 * and the request would pass each other on their way.
 *
 * What was learned holds until a connection is found alive well beyond it: a backend that restarts closes connections
 * of any age, which says nothing of the next ones.
 */

/** No server means so short a limit: closes at such an age have other reasons, and busy connections are never older. */
const SHORTEST = 500
/** Share of a learned limit, before it and after it, in which a close is to be expected. */
const SPREAD = 0.1
/** An announced limit is whole seconds, and the server counts from when it sent its response. */
const SECOND = 1000

export class IdleLimit {
  #learned = Infinity
  #announced = Infinity

  /** The backend has closed a connection that was idle for `age` milliseconds. */
  endedAt(age: number): void {
    if (age >= SHORTEST) this.#learned = age
  }

  /** A response has said `timeout=` so many seconds. */
  announce(seconds: number): void {
    this.#announced = seconds * SECOND
  }

  /** Whether the backend may be closing a connection that has been idle for `age` and is still there. */
  isNear(age: number): boolean {
    if (age >= this.#announced - Math.min(SECOND, this.#announced / 2)) return true
    const spread = this.#learned * SPREAD
    if (age > this.#learned + spread) this.#learned = Infinity
    return age >= this.#learned - spread
  }
}
