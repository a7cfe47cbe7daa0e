/** What the master says of backends that are found through DNS. */

/** One discovered backend, as figures and status show it. */
export interface Discovered {
  /** As configured. */
  readonly name: string
  readonly members: readonly string[]
  /** Why the last answer that was good serves on, or that there is none yet; empty while DNS answers. */
  readonly stale: string
  /** Questions so far, by how they ended. */
  readonly lookups: Readonly<Record<LookupResult, number>>
}

export type LookupResult = "ok" | "empty" | "failed"
