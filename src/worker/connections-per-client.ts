/**
 * How many connections each client address has, so that one address cannot take every place of a worker
 * (`limits.connections_per_client`). Counted whether or not there is a limit, since one may come with a reload.
 *
 * Costs a look into a map when a client comes and when it goes, nothing for a request.
 */
export class ConnectionsPerClient {
  readonly #counts = new Map<string, number>()

  /** Addresses that have a connection. */
  get size(): number {
    return this.#counts.size
  }

  /** One more connection of `address`. Returns how many it has now. */
  enter(address: string): number {
    const count = (this.#counts.get(address) ?? 0) + 1
    this.#counts.set(address, count)
    return count
  }

  /** One less. */
  leave(address: string): void {
    const count = (this.#counts.get(address) ?? 0) - 1
    if (count > 0) this.#counts.set(address, count)
    else this.#counts.delete(address)
  }
}
