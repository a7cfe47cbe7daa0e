/**
 * Backends that have vanished: probes in a row could not even connect, because nothing answered or there is no way, and
 * on the open connections nothing answers either. Requests that wait for the first byte of such a backend's response
 * would wait for their time limit; they are given up.
 *
 * A backend that refuses connections or answers badly has not vanished: it may still finish what it has begun. Nor has
 * one whose queue of new connections is full: its kernel drops what would connect, and answers on those that are open.
 *
 * Cost: nothing while probes reach their backends.
 */
import type { Upstream } from "../proxy/backend/upstream.ts"

export class VanishedBackends {
  readonly #upstreams: readonly Upstream[]
  /** Probes in a row, by the index of the backend. */
  readonly #counts: number[] = []
  /** Whose count that is: an index may pass to another backend. */
  readonly #counted: Upstream[] = []
  /** Those that enough probes could not reach. */
  readonly #lost = new Set<Upstream>()
  #failures: number

  constructor(upstreams: readonly Upstream[], failures: number) {
    this.#upstreams = upstreams
    this.#failures = failures
  }

  configure(failures: number): void {
    this.#failures = failures
  }

  /** A probe of the backend has ended: it reached the backend's machine, or it did not. */
  note(index: number, reached: boolean): void {
    const upstream = this.#upstreams[index]
    if (upstream === undefined) return
    const before = this.#counted[index] === upstream ? (this.#counts[index] ?? 0) : 0
    const count = reached ? 0 : before + 1
    this.#counts[index] = count
    this.#counted[index] = upstream
    if (count > 0 || before > 0) upstream.ask(!reached)
    if (reached) this.#lost.delete(upstream)
    else if (count >= this.#failures) this.#lost.add(upstream)
  }

  /** Gives up what waits in vain. Called often: a connection does not show at once that nothing answers. */
  sweep(): void {
    for (const upstream of this.#lost) {
      upstream.giveUpSilent()
      if (upstream.connections.size === 0) this.#lost.delete(upstream)
    }
  }
}
