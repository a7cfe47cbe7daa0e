/**
 * Backends that have vanished: probes in a row could not even connect, because nothing answered or there is no way.
 * Requests that wait for the first byte of such a backend's response would wait for their time limit; they are given up
 * now. A backend that refuses connections or answers badly has not vanished: it may still finish what it has begun.
 */
import type { Upstream } from "../proxy/upstream.ts"

export class Unreachable {
  readonly #upstreams: readonly Upstream[]
  /** Probes in a row, by the index of the backend. */
  readonly #counts: number[] = []
  /** Whose count that is: an index may pass to another backend. */
  readonly #counted: Upstream[] = []
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
    const before = this.#counted[index] === upstream ? this.#counts[index] : 0
    const count = reached ? 0 : before + 1
    this.#counts[index] = count
    this.#counted[index] = upstream
    if (count >= this.#failures) upstream.giveUp()
  }
}
