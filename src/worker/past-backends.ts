/**
 * What a worker has counted for backends that have left. It stays counted, so that no total falls when a backend is
 * removed, and goes on where one comes back under its name. Those that left longest ago are forgotten when there are
 * too many: DNS can name others for ever.
 */
import { isCounted } from "../observe/families.ts"
import type { Samples } from "../observe/snapshot.ts"

/** Remembered by each worker. */
const MOST_PAST = 64

interface Past {
  readonly samples: Samples
  readonly requests: number
  readonly failures: number
}

export class PastBackends {
  /** Who left last is last. */
  readonly #past = new Map<string, Past>()

  /** `name` has left with these figures. `isThere`: backends that have come back, whose past must not be forgotten. */
  bury(name: string, { samples, requests, failures }: Past, isThere: (name: string) => boolean) {
    const before = this.#past.get(name)
    const counted: Samples = {}
    for (const past of [before?.samples ?? {}, samples]) addCounters(counted, past)
    this.#past.delete(name)
    this.#past.set(name, {
      samples: counted,
      requests: requests + (before?.requests ?? 0),
      failures: failures + (before?.failures ?? 0),
    })
    for (const each of this.#past.keys()) {
      if (this.#past.size <= MOST_PAST) return
      if (!isThere(each)) this.#past.delete(each)
    }
  }

  /** Adds all of it. */
  collect(samples: Samples): void {
    for (const past of this.#past.values()) addCounters(samples, past.samples)
  }

  /** What was counted under a name before it was this backend's. */
  of(name: string): { readonly requests: number; readonly failures: number } {
    return this.#past.get(name) ?? { requests: 0, failures: 0 }
  }
}

/** What a backend held is gone with it: connections, health. */
function addCounters(total: Samples, samples: Samples): void {
  for (const [name, series] of Object.entries(samples)) {
    if (!isCounted(name)) continue
    const sums = (total[name] ??= {})
    for (const [labels, value] of Object.entries(series)) {
      sums[labels] = (sums[labels] ?? 0) + value
    }
  }
}
