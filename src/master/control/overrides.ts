/**
 * What an operator has changed by hand while bunlb runs: drains, weights, backends added and removed. It lies over
 * the configuration, survives reloads and the death of workers, and is handed on in an upgrade. It ends with the
 * process: it is kept nowhere else.
 *
 * A reload that says the same itself, or another weight, takes the word back.
 */
import { randomBytes } from "node:crypto"
import { backend as backendType } from "../../config/schema/backend.ts"
import { DEFAULT_NAME, withBackends, withStickyKey } from "../../config/schema/pools.ts"
import type { BackendSettings, Duty, Settings } from "../../config/schema/settings.ts"
import type { Found } from "./members.ts"

/** Puts members in the place of discovered backends. */
export type Expand = (backends: readonly BackendSettings[]) => readonly BackendSettings[]

/** What the configuration says of a backend, as far as it matters here. */
interface Known {
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
  /** As `--backend` takes them. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Milliseconds that clients still come by a cookie to a backend that drains. */
  readonly graces: readonly (readonly [name: string, ms: number])[]
  /** The last good answers of DNS. */
  readonly found: readonly Found[]
  /** What cookies were made with while the configuration had no `sticky.key`. Older versions had none. */
  readonly stickyKey?: string
}

export class Overrides {
  readonly #duties = new Map<string, Word>()
  readonly #weights = new Map<string, number>()
  readonly #added = new Map<string, BackendSettings>()
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

  add(backend: BackendSettings): void {
    this.forget(backend.name)
    this.#added.set(backend.name, backend)
  }

  remove(name: string): void {
    this.forget(name)
    this.#removed.add(name)
  }

  /** Those of the configuration, without the removed and with the added; members have yet to be found. */
  named(settings: Settings): readonly BackendSettings[] {
    const configured = settings.backends.filter(
      ({ name }) => !this.#removed.has(name) && !this.#added.has(name),
    )
    return [...configured, ...this.#added.values()]
  }

  /**
   * The settings with everything that was changed by hand. `expand` puts members in the place of those that are
   * discovered; what is said of such a name holds for all its members, unless one is told otherwise. Settings without
   * a key for sticky cookies get the random one of this bunlb, which is handed on in an upgrade.
   */
  over(settings: Settings, expand: Expand = (backends) => backends): Settings {
    const present = expand(this.named(settings)).filter(({ name }) => !this.#removed.has(name))
    const backends = present.map((backend) => {
      const { duty: configured, ...plain } = backend
      const { name, member } = backend
      const of = member?.of ?? name
      const word = this.#duties.get(name) ?? this.#duties.get(of) ?? configured
      const weight = this.#weights.get(name) ?? this.#weights.get(of) ?? backend.weight
      const serves = word === undefined || word === "serve"
      return serves ? { ...plain, weight } : { ...plain, weight, duty: word }
    })
    return withStickyKey(withBackends(settings, DEFAULT_NAME, backends), this.#stickyKey)
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
      added: [...this.#added.values()].map(backendType.format),
      removed: [...this.#removed],
    }
  }

  inherit({ duties, weights, added, removed, stickyKey }: ByHand): void {
    if (stickyKey !== undefined) this.#stickyKey = stickyKey
    for (const name of removed) this.remove(name)
    for (const line of added) {
      const backend = backendType.read(line, () => undefined)
      if (backend !== undefined) this.add(backend)
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
