/**
 * What an operator has changed by hand while bunlb runs: drains, weights, backends added and removed. It lies over
 * the configuration, survives reloads and the death of workers, and is handed on in an upgrade. It ends with the
 * process: it is kept nowhere else. A backend is named here as people name it, with its pool unless that is the
 * default one: one address in two pools is two backends.
 *
 * A reload that says the same itself, or another weight, takes the word back.
 */
import { randomBytes } from "node:crypto"
import { backend as backendType } from "../../config/schema/backend.ts"
import {
  DEFAULT_NAME,
  allBackends,
  backendLabel,
  mapPools,
  splitLabel,
  withStickyKey,
} from "../../config/schema/pools.ts"
import type { BackendSettings, Duty, PoolSettings, Settings } from "../../config/schema/settings.ts"
import type { Found } from "./members.ts"

/** Puts members in the place of discovered backends of a pool. */
export type Expand = (
  backends: readonly BackendSettings[],
  pool: string,
) => readonly BackendSettings[]

/** What the configuration says of a backend, as far as it matters here. */
export interface Known {
  readonly name: string
  readonly weight: number
  readonly duty?: Duty | null
}

/** `serve`: it gets requests, although the configuration says otherwise. */
export type Word = Duty | "serve"

/** All of it as one bunlb tells the next: plain data. */
export interface ByHand {
  /** What the configuration said of backends meanwhile. */
  readonly configured: readonly Known[]
  readonly duties: readonly (readonly [name: string, word: Word])[]
  readonly weights: readonly (readonly [name: string, weight: number])[]
  /** As `--backend` takes them, with `POOL/` before those of another pool than the default one. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Milliseconds that clients still come by a cookie to a backend that drains. */
  readonly graces: readonly (readonly [name: string, ms: number])[]
  /** The last good answers of DNS. */
  readonly found: readonly Found[]
  /** What cookies were made with while the configuration had no `sticky.key`. Older versions had none. */
  readonly stickyKey?: string
}

/** What `settings` say of their backends. */
export function knownOf(settings: Settings): readonly Known[] {
  return allBackends(settings).map(({ label: name, backend: { weight, duty = null } }) => {
    return { name, weight, duty }
  })
}

interface Added {
  readonly pool: string
  readonly backend: BackendSettings
}

export class Overrides {
  readonly #duties = new Map<string, Word>()
  readonly #weights = new Map<string, number>()
  readonly #added = new Map<string, Added>()
  readonly #removed = new Set<string>()
  /** Makes sticky cookies while the configuration names no key; random, so that nobody can guess it. */
  #stickyKey = randomBytes(32).toString("base64url")

  /** `undefined`: as the configuration has it. */
  setDuty(name: string, word: Word | undefined): void {
    if (word === undefined) this.#duties.delete(name)
    else this.#duties.set(name, word)
  }

  dutyOf(name: string): Word | undefined {
    return this.#duties.get(name)
  }

  /** `undefined`: as the configuration has it. */
  setWeight(name: string, weight: number | undefined): void {
    if (weight === undefined) this.#weights.delete(name)
    else this.#weights.set(name, weight)
  }

  add(backend: BackendSettings, pool = DEFAULT_NAME): void {
    const name = backendLabel(pool, backend.name)
    this.forget(name)
    this.#added.set(name, { pool, backend })
  }

  remove(name: string): void {
    this.forget(name)
    this.#removed.add(name)
  }

  /** The settings without the removed backends and with the added ones; members have yet to be found. */
  named(settings: Settings): Settings {
    return mapPools(settings, (pool) => ({ ...pool, backends: this.#namedIn(pool) }))
  }

  #namedIn({ name: pool, backends }: PoolSettings): readonly BackendSettings[] {
    const configured = backends.filter(({ name }) => {
      const label = backendLabel(pool, name)
      return !this.#removed.has(label) && !this.#added.has(label)
    })
    const added = [...this.#added.values()].filter((each) => each.pool === pool)
    return [...configured, ...added.map(({ backend }) => backend)]
  }

  /**
   * The settings with everything that was changed by hand. `expand` puts members in the place of those that are
   * discovered; what is said of such a name holds for all its members, unless one is told otherwise. Settings without
   * a key for sticky cookies get the random one of this bunlb, which is handed on in an upgrade.
   */
  over(settings: Settings, expand: Expand = (backends) => backends): Settings {
    const settled = mapPools(settings, (pool) => {
      const present = expand(this.#namedIn(pool), pool.name)
      const backends = present.flatMap((backend) => this.#settled(backend, pool.name))
      return { ...pool, backends }
    })
    return withStickyKey(settled, this.#stickyKey)
  }

  /** Nothing when it was removed. */
  #settled(backend: BackendSettings, pool: string): readonly BackendSettings[] {
    const { duty: configured, ...plain } = backend
    const label = backendLabel(pool, backend.name)
    if (this.#removed.has(label)) return []
    const of = backendLabel(pool, backend.member?.of ?? backend.name)
    const word = this.#duties.get(label) ?? this.#duties.get(of) ?? configured
    const weight = this.#weights.get(label) ?? this.#weights.get(of) ?? backend.weight
    const serves = word === undefined || word === "serve"
    return [serves ? { ...plain, weight } : { ...plain, weight, duty: word }]
  }

  /** A member has left by itself: whoever comes back under its address is another. */
  forgetMember(name: string): void {
    if (!this.#added.has(name)) this.forget(name)
  }

  /**
   * The configuration was read again: forgets what it now says itself, and what it no longer speaks of. `members`: the
   * names of those that were discovered.
   */
  settle(
    before: readonly Known[],
    after: readonly Known[],
    members: ReadonlySet<string> = new Set(),
  ): void {
    const old = byName(before)
    const fresh = byName(after)
    for (const name of this.#added.keys()) if (fresh.has(name)) this.#added.delete(name)
    const isThere = (name: string): boolean => {
      return this.#added.has(name) || fresh.has(name) || members.has(name)
    }
    for (const name of this.#removed) if (!isThere(name)) this.#removed.delete(name)
    for (const name of this.#weights.keys()) {
      const unchanged = old.get(name)?.weight === fresh.get(name)?.weight
      if (!unchanged || !isThere(name)) this.#weights.delete(name)
    }
    for (const name of this.#duties.keys()) {
      const unchanged = (old.get(name)?.duty ?? null) === (fresh.get(name)?.duty ?? null)
      if (!unchanged || !isThere(name)) this.#duties.delete(name)
    }
  }

  handOver(): Pick<ByHand, "duties" | "weights" | "added" | "removed" | "stickyKey"> {
    return {
      stickyKey: this.#stickyKey,
      duties: [...this.#duties],
      weights: [...this.#weights],
      added: [...this.#added.values()].map(({ pool, backend }) => {
        return backendLabel(pool, backendType.format(backend))
      }),
      removed: [...this.#removed],
    }
  }

  inherit({ duties, weights, added, removed, stickyKey }: ByHand): void {
    if (stickyKey !== undefined) this.#stickyKey = stickyKey
    for (const name of removed) this.remove(name)
    for (const line of added) {
      const { pool, name: plain } = splitLabel(line)
      const backend = backendType.read(plain, () => undefined)
      if (backend !== undefined) this.add(backend, pool ?? DEFAULT_NAME)
    }
    for (const [name, weight] of weights) this.setWeight(name, weight)
    for (const [name, duty] of duties) this.setDuty(name, duty)
  }

  /** One line for each change that is in force. */
  lines(): string[] {
    return [
      ...[...this.#added.keys()].map((name) => `${name} added`),
      ...[...this.#removed].map((name) => `${name} removed`),
      ...[...this.#weights].map(([name, weight]) => `${name} weight ${weight}`),
      ...[...this.#duties].map(([name, duty]) => `${name} ${words[duty]}`),
    ]
  }

  /** All that was said of it. */
  forget(name: string): void {
    this.#duties.delete(name)
    this.#weights.delete(name)
    this.#added.delete(name)
    this.#removed.delete(name)
  }
}

const words: Readonly<Record<Word, string>> = {
  serve: "enabled",
  linger: "draining, clients with its cookie still come",
  drain: "draining",
  off: "disabled",
}

function byName(backends: readonly Known[]): ReadonlyMap<string, Known> {
  return new Map(backends.map((backend) => [backend.name, backend]))
}
