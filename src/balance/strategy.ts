/**
 * Chooses the backend of the next request. A strategy knows only candidates: it gets the eligible ones whenever
 * health, weight or membership changes (the slow path), and picks one per request in constant time.
 */
export interface Candidate {
  /** Position in the configured list of backends. */
  readonly index: number
  /** `host:port`. */
  readonly name: string
  readonly weight: number
  readonly backup: boolean
  /** What the sticky cookie carries: the same number on every worker and instance with the same backends. */
  readonly token: number
}

/** The token of a client that brought no cookie, or one that no backend made. */
export const NO_TOKEN = -1

export interface Strategy {
  /**
   * Called on every change; never per request. `lingering` backends are no longer eligible, but a request
   * with their token may still get them.
   */
  update(eligible: readonly Candidate[], lingering?: readonly Candidate[]): void
  /** The candidate for the next request, or null when none is eligible. `token` is read by sticky only. */
  pick(token: number): Candidate | null
}
