/**
 * The indexes of backends. An index belongs to one backend at a time, from `take` to `free`; after that another one may
 * get it, as a place of the next generation. Two backends at one index would share a breaker, a probe and a turn, so
 * a place that is not the current one of its index can neither be used nor freed.
 *
 * Cost: constant for each step.
 */
export interface IndexLease {
  readonly index: number
  /** How many owners the index had before. */
  readonly generation: number
}

export class IndexAllocator {
  /** The latest place of each index. */
  readonly #latest: IndexLease[] = []
  readonly #taken: boolean[] = []
  readonly #free: number[] = []

  take(): IndexLease {
    const index = this.#free.pop() ?? this.#latest.length
    const place = { index, generation: (this.#latest[index]?.generation ?? -1) + 1 }
    this.#latest[index] = place
    this.#taken[index] = true
    return place
  }

  free(place: IndexLease): void {
    this.assertCurrent(place)
    this.#taken[place.index] = false
    this.#free.push(place.index)
  }

  /** Throws when the place has been freed, whoever has its index now. */
  assertCurrent(place: IndexLease): void {
    const { index, generation } = place
    if (this.#latest[index] === place && this.#taken[index]) return
    throw new Error(`the backend of index ${index}, generation ${generation}, has left it`)
  }
}
