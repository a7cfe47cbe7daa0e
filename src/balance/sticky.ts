/**
 * Sticky: a client that brings the token of an eligible backend gets that backend; any other client
 * is placed by the inner strategy, and keeps its place through the cookie that the proxy then sets.
 *
 * Cost: a pick is one look into a table at most half full, about 1.5 probes; allocates nothing,
 * where a Map would box a 48-bit key. The table is made anew on every change of the eligible
 * backends.
 */
import { NO_TOKEN, type Candidate, type Strategy } from "./strategy.ts"

export class Sticky implements Strategy {
  readonly #inner: Strategy
  /** Whom a token may name: the eligible and the lingering. */
  #named: readonly Candidate[] = []
  /**
   * Open addressing: tokens and, at the same slot, positions in `#named`. `NO_TOKEN` marks a
   * free slot.
   */
  #tokens = new Float64Array(1).fill(NO_TOKEN)
  #positions = new Uint16Array(1)
  #mask = 0

  constructor(inner: Strategy) {
    this.#inner = inner
  }

  update(eligible: readonly Candidate[], lingering: readonly Candidate[] = []): void {
    this.#inner.update(eligible)
    const named = lingering.length > 0 ? [...eligible, ...lingering] : eligible
    this.#named = named
    const slots = slotsFor(named.length)
    this.#tokens = new Float64Array(slots).fill(NO_TOKEN)
    this.#positions = new Uint16Array(slots)
    this.#mask = slots - 1
    named.forEach((candidate, position) => {
      const slot = this.#slotOf(candidate.token)
      this.#tokens[slot] = candidate.token
      this.#positions[slot] = position
    })
  }

  pick(token: number): Candidate | null {
    if (token !== NO_TOKEN) {
      const slot = this.#slotOf(token)
      const named = this.#named[this.#positions[slot] ?? 0]
      if (this.#tokens[slot] === token && named !== undefined) return named
    }
    return this.#inner.pick(token)
  }

  /** The slot that holds `token`, or the free one where it would be put. */
  #slotOf(token: number): number {
    // Tokens are hash bits already: their low ones spread well enough.
    let slot = token & this.#mask
    while (this.#tokens[slot] !== token && this.#tokens[slot] !== NO_TOKEN) {
      slot = (slot + 1) & this.#mask
    }
    return slot
  }
}

/**
 * A power of two, at least twice the entries and so never full: every search ends at a free slot.
 */
function slotsFor(entries: number): number {
  let slots = 2
  while (slots < entries * 2) slots *= 2
  return slots
}
