/**
 * Idle connections to one backend, last in first out: the warmest is used next and the surplus grows old and is
 * closed. Any byte or close on an idle connection destroys it, for a backend that speaks unasked is about to be
 * misread.
 *
 * Cost: taking, putting and removing are a few pointer writes.
 */
import type { BackendConnection } from "./backend-connection.ts"

export class IdleConnections {
  #limit: number
  #maxAge: number
  #top: BackendConnection | null = null
  #bottom: BackendConnection | null = null
  size = 0

  /** `limit`: connections kept; `maxAge`: milliseconds since the dial after which one is not reused. */
  constructor(limit: number, maxAge: number) {
    this.#limit = limit
    this.#maxAge = maxAge
  }

  /** Other limits from now on; a surplus grows old and goes. 0 keeps none, and closes those there are. */
  configure(limit: number, maxAge: number): void {
    this.#limit = limit
    this.#maxAge = maxAge
    if (limit === 0) this.retireWhere(() => true)
  }

  /** The connection used last, or null. */
  take(now: number): BackendConnection | null {
    while (this.#top !== null) {
      const connection = this.#top
      this.remove(connection)
      if (now - connection.born < this.#maxAge) return connection
      connection.retire()
    }
    return null
  }

  /** Keeps the connection; when the pool is full the one that has waited longest goes. */
  put(connection: BackendConnection): void {
    if (this.#limit === 0) {
      connection.retire()
      return
    }
    if (this.size >= this.#limit) this.retireOldest()
    connection.pooled = true
    connection.below = this.#top
    connection.above = null
    if (this.#top !== null) this.#top.above = connection
    else this.#bottom = connection
    this.#top = connection
    this.size++
  }

  remove(connection: BackendConnection): void {
    if (!connection.pooled) return
    connection.pooled = false
    if (connection.above !== null) connection.above.below = connection.below
    else this.#top = connection.below
    if (connection.below !== null) connection.below.above = connection.above
    else this.#bottom = connection.above
    connection.above = null
    connection.below = null
    this.size--
  }

  /** Closes the connection that has waited longest. */
  retireOldest(): void {
    const oldest = this.#bottom
    if (oldest === null) return
    this.remove(oldest)
    oldest.retire()
  }

  /** Closes every idle connection for which `unwanted` holds. */
  retireWhere(unwanted: (connection: BackendConnection) => boolean): void {
    let connection = this.#top
    while (connection !== null) {
      const below = connection.below
      if (unwanted(connection)) {
        this.remove(connection)
        connection.retire()
      }
      connection = below
    }
  }
}
