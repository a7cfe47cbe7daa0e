/**
 * Allocates the indexes of backends. An index belongs to one backend at a time, from `take` to `free`; then another
 * backend may get it, with the next generation. Two backends at one index would share a circuit breaker, a probe and a
 * turn in the rotation, so a lease that is not the current one of its index can neither be used nor freed.
 *
 * Cost: constant for each step.
 */
export interface IndexLease {
  readonly index: number
  /** How many owners the index had before. */
  readonly generation: number
}

export class IndexAllocator {
  /** The latest lease of each index. */
  readonly #latest: IndexLease[] = []
  readonly #taken: boolean[] = []
  readonly #free: number[] = []

  take(): IndexLease {
    const index = this.#free.pop() ?? this.#latest.length
    const lease = { index, generation: (this.#latest[index]?.generation ?? -1) + 1 }
    this.#latest[index] = lease
    this.#taken[index] = true
    return lease
  }

  free(lease: IndexLease): void {
    this.assertCurrent(lease)
    this.#taken[lease.index] = false
    this.#free.push(lease.index)
  }

  /** Throws when the lease has been freed, also if its index is taken again. */
  assertCurrent(lease: IndexLease): void {
    const { index, generation } = lease
    if (this.#latest[index] === lease && this.#taken[index]) return
    throw new Error(`the lease of index ${index}, generation ${generation}, has ended`)
  }
}
