/**
 * What a run of failed requests has in common: one client and one path, one client, one path, or nothing. Clients and
 * paths are hashes, so that keeping them costs four numbers for each backend and no allocation.
 */

/** What the board must know of a request that was sent to a backend. */
export interface SentRequest {
  /** Hash of the client's address. */
  readonly client: number
  /** Hash of the path without its query. */
  readonly path: number
  /** What `HealthBoard.ticket` gave for the backend when the request was sent. */
  readonly ticket: number
  /** When it was sent, by the board's clock. */
  readonly sentAt: number
}

export class Suspects {
  #client = 0
  #path = 0
  #oneClient = true
  #onePath = true
  /** False while there has been no failure. */
  any = false

  add({ client, path }: SentRequest): void {
    if (!this.any) {
      this.any = true
      this.#client = client
      this.#path = path
      return
    }
    if (client !== this.#client) this.#oneClient = false
    if (path !== this.#path) this.#onePath = false
  }

  clear(): void {
    this.any = false
    this.#oneClient = true
    this.#onePath = true
  }

  /** At least two clients and at least two paths: neither a client nor a page is the cause. */
  get mixed(): boolean {
    return !this.#oneClient && !this.#onePath
  }

  /** Whether a request has what all the failed ones have in common; never when they have nothing in common. */
  match({ client, path }: SentRequest): boolean {
    if (!this.any || this.mixed) return false
    return (!this.#oneClient || client === this.#client) && (!this.#onePath || path === this.#path)
  }

  /** Whether it is a client's, and all its requests have failed, whatever page they were for. */
  matchesClient({ client }: SentRequest): boolean {
    return this.any && this.#oneClient && !this.#onePath && client === this.#client
  }

  copy(from: Suspects): void {
    this.any = from.any
    this.#client = from.#client
    this.#path = from.#path
    this.#oneClient = from.#oneClient
    this.#onePath = from.#onePath
  }

  /** As a person reads it: `one client and one path`. */
  toString(): string {
    if (!this.#oneClient) return this.#onePath ? "one path" : "several clients and paths"
    return this.#onePath ? "one client and one path" : "one client"
  }
}
