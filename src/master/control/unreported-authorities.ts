/**
 * CA files whose change was taken over by a reload that nobody asked for (`watch`, SIGHUP). Whoever renews a CA and
 * then asks for a reload, to be sure, is told that the new one is in effect already, and since when.
 */
import { AUTHORITY_CHANGE } from "../../net/tls/authorities.ts"
import type { Outcome } from "./outcome.ts"

export class UnreportedAuthorities {
  #lines: readonly string[] = []

  /** `outcome`, with what nobody has seen so far if somebody sees this one. */
  add(outcome: Outcome, isSeen: boolean): Outcome {
    const before = this.#lines
    if (isSeen) {
      this.#lines = []
      return { ...outcome, changes: [...before, ...outcome.changes] }
    }
    const since = new Date().toISOString()
    const fresh = outcome.changes.filter((line) => line.startsWith(AUTHORITY_CHANGE))
    this.#lines = [...before, ...fresh.map((line) => `${line}, in effect since ${since}`)].slice(
      -64,
    )
    return outcome
  }
}
