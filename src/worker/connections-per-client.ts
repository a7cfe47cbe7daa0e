/**
 * Counts the connections of each client address, so that one address cannot use up all connections of a worker
 * (`limits.connections_per_client`). Counts without a limit too, because a reload may set one.
 *
 * Cost: a map access when a client connects and when it leaves, nothing for a request.
 */
export class ConnectionsPerClient {
  readonly #counts = new Map<string, number>()

  /** Addresses that have a connection. */
  get size(): number {
    return this.#counts.size
  }

  /** Adds a connection of `address`. Returns how many it has now. */
  enter(address: string): number {
    const count = (this.#counts.get(address) ?? 0) + 1
    this.#counts.set(address, count)
    return count
  }

  /** Removes one. */
  leave(address: string): void {
    const count = (this.#counts.get(address) ?? 0) - 1
    if (count > 0) this.#counts.set(address, count)
    else this.#counts.delete(address)
  }
}
