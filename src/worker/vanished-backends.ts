/**
 * Detects backends that have vanished: several probes in a row could not connect, because nothing answered or there is
 * no route, and nothing answers on the open connections either. Requests that wait for the first byte of such a
 * backend's response are given up, instead of waiting for their time limit.
 *
 * A backend that refuses connections or answers badly has not vanished: it may still finish its requests. Neither has
 * a backend whose accept queue is full: its kernel drops new connections, and answers on the open ones.
 *
 * Cost: nothing while probes reach their backends.
 */
import type { Upstream } from "../proxy/backend/upstream.ts"

export class VanishedBackends {
  readonly #upstreams: readonly Upstream[]
  /** Consecutive probes without a connection, by the index of the backend. */
  readonly #counts: number[] = []
  /** The backend of each count, because an index may pass to another backend. */
  readonly #counted: Upstream[] = []
  /** Backends that enough probes could not reach. */
  readonly #lost = new Set<Upstream>()
  #failures: number

  constructor(upstreams: readonly Upstream[], failures: number) {
    this.#upstreams = upstreams
    this.#failures = failures
  }

  configure(failures: number): void {
    this.#failures = failures
  }

  /** A probe of the backend has ended. `reached`: the backend's machine has answered. */
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

  /** Gives up the requests that wait in vain. Called often, because a connection takes time to show its silence. */
  sweep(): void {
    for (const upstream of this.#lost) {
      upstream.giveUpSilent()
      if (upstream.connections.size === 0) this.#lost.delete(upstream)
    }
  }
}
