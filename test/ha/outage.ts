/** What clients felt, computed from what became of each of their requests. */

export interface Asked {
  /** Milliseconds of the wall clock. */
  readonly start: number
  readonly took: number
  /** "ok", or what went wrong. */
  readonly outcome: string
}

export interface Felt {
  /** The longest time in which no request was begun that was answered at once; Infinity when it did not end. */
  readonly outage: number
  /** From the first to the last request that was not answered at once, others between them or not. */
  readonly disturbed: number
  readonly requests: number
  /** Requests without an answer. */
  readonly lost: number
  /** What became of these, such as 3 resets. */
  readonly how: Readonly<Record<string, number>>
}

/** How many there were, how many of them failed, and how. */
export type Losses = Pick<Felt, "requests" | "lost" | "how">

/** Whoever waits longer does not feel served. */
export const AT_ONCE_MS = 250

export function felt(asked: readonly Asked[], atOnceMs: number = AT_ONCE_MS): Felt {
  const served = asked.filter(({ outcome, took }) => outcome === "ok" && took <= atOnceMs)
  const starts = served.map(({ start }) => start).toSorted((a, b) => a - b)
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? start))
  const last = Math.max(...asked.map(({ start }) => start))
  const ended = last - (starts.at(-1) ?? -Infinity) < atOnceMs
  const lost = asked.filter(({ outcome }) => outcome !== "ok")
  const kinds = Map.groupBy(lost, ({ outcome }) => outcome)
  const unserved = asked.filter((each) => !served.includes(each)).map(({ start }) => start)
  return {
    disturbed: unserved.length === 0 ? 0 : Math.max(...unserved) - Math.min(...unserved),
    outage: ended ? Math.max(0, ...gaps) : Infinity,
    requests: asked.length,
    lost: lost.length,
    how: Object.fromEntries([...kinds].map(([kind, list]) => [kind, list.length])),
  }
}
