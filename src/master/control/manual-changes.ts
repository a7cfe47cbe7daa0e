/**
 * Changes of backends as people ask for them: each call judges whether all of it can be done and makes one change for
 * each backend that is meant, or throws `Refused`. Nothing is done yet.
 */
import { MAX_BACKENDS } from "../../config/schema/backend.ts"
import { allBackends, backendLabel, splitLabel } from "../../config/schema/pools.ts"
import type { Milliseconds, PoolSettings, Settings } from "../../config/schema/settings.ts"
import type { Log } from "../../core/log.ts"
import { addAuthorities } from "../../net/tls/authorities.ts"
import { checkCa, readBackend } from "./backend-checks.ts"
import type { DrainGraces } from "./drain-graces.ts"
import { meantBackends, poolForNew, requirePool, type Present } from "./meant-backends.ts"
import type { Overrides, Word } from "./overrides.ts"
import { Refused } from "./refused.ts"
import {
  type Change,
  type Target,
  withBackend,
  withDuty,
  withWeight,
  withoutBackend,
} from "./saved-changes.ts"

/** What changes are made of. */
export interface ChangeParts {
  readonly overrides: Overrides
  readonly graces: DrainGraces
  readonly log: Log
  /** What file, environment and flags say. */
  configured(): Settings
  /** What is in force. */
  effective(): Settings
}

export class ManualChanges {
  readonly #parts: ChangeParts

  constructor(parts: ChangeParts) {
    this.#parts = parts
  }

  /** No new requests, except, for `graceMs`, from clients whose sticky cookie names it. */
  drain(word: string, graceMs: Milliseconds): readonly Change[] {
    return this.#each(word, "draining", (target) => {
      const { label, pool } = target
      const lingers = graceMs > 0 && this.#poolOf(pool).strategy === "sticky"
      const say = (duty: Word | undefined): void => {
        this.setDuty(label, lingers ? "linger" : duty)
        if (lingers) this.#parts.graces.allow(label, graceMs)
      }
      return {
        rewrite: withDuty(target, "drain"),
        say: () => say("drain"),
        kept: () => say(undefined),
      }
    })
  }

  disable(word: string): readonly Change[] {
    return this.#each(word, "disabled", (target) => ({
      rewrite: withDuty(target, "off"),
      say: () => this.setDuty(target.label, "off"),
      kept: () => this.setDuty(target.label, undefined),
    }))
  }

  /** Back to work after `drain` or `disable`. */
  enable(word: string): readonly Change[] {
    return this.#each(word, "enabled", (target) => {
      const { label } = target
      return {
        rewrite: withDuty(target, undefined),
        say: () => this.setDuty(label, this.isHeldBack(label) ? "serve" : undefined),
        kept: () => this.setDuty(label, undefined),
      }
    })
  }

  setWeight(word: string, weight: number): readonly Change[] {
    return this.#each(word, `weight ${weight}`, (target) => {
      const { label } = target
      const named = this.#named().find((each) => each.label === label)
      if (named?.backend.discover === "srv") {
        throw new Refused("bad_value", `backend ${label} has the weights of its SRV records`)
      }
      const { overrides } = this.#parts
      return {
        rewrite: withWeight(target, weight),
        say: () => overrides.setWeight(label, weight),
        kept: () => overrides.setWeight(label, undefined),
      }
    })
  }

  /** `line` is as `--backend` takes it, and may begin with `POOL/`; `asked`: the pool, null when nobody says it. */
  add(line: string, asked: string | null, save: boolean): readonly Change[] {
    const { overrides, log } = this.#parts
    const { pool, plain } = this.#place(line, asked)
    const backend = readBackend(plain)
    const { name } = backend
    const label = backendLabel(pool, name)
    const { insecure } = this.#poolOf(pool)
    const target = { pool, name, label }
    // One that was added by hand may be kept now.
    const isKept = allBackends(this.#parts.configured()).some((each) => each.label === label)
    if (this.#isThere(label) && (!save || isKept)) {
      throw new Refused("exists", `backend ${label} is there already`)
    }
    const effective = this.#parts.effective().pools.find((each) => each.name === pool)
    if ((effective?.backends.length ?? 0) >= MAX_BACKENDS) {
      throw new Refused("too_many", `there are ${MAX_BACKENDS} backends already`)
    }
    addAuthorities(checkCa(backend, insecure, log))
    const say = () => overrides.add(backend, pool)
    const kept = () => overrides.forget(label)
    const done = `backend ${label}: added`
    return [{ target, line: done, rewrite: withBackend(backend), say, kept }]
  }

  /** Each pool keeps at least one. */
  remove(word: string): readonly Change[] {
    const { overrides } = this.#parts
    return this.#each(word, "removed", (target) => {
      const { label, pool } = target
      const named = this.#named().filter((each) => each.pool === pool)
      const effective = allBackends(this.#parts.effective()).filter((each) => each.pool === pool)
      if (effective.length === 1 || named.every((each) => each.label === label)) {
        throw new Refused("last", `backend ${label} is the last one; add another first`)
      }
      const leave = (): void => this.setDuty(label, undefined)
      return {
        rewrite: withoutBackend(target),
        say: () => (leave(), overrides.remove(label)),
        kept: () => (leave(), overrides.forget(label)),
      }
    })
  }

  /** What is said of the backend by hand; a grace that it has ends. */
  setDuty(label: string, word: Word | undefined): void {
    this.#parts.graces.cancel(label)
    this.#parts.overrides.setDuty(label, word)
  }

  /** By the configuration itself. */
  isHeldBack(label: string): boolean {
    return allBackends(this.#parts.configured()).some((each) => {
      return each.label === label && each.backend.duty !== undefined
    })
  }

  #each(
    word: string,
    done: string,
    change: (target: Target) => Omit<Change, "target" | "line">,
  ): readonly Change[] {
    return meantBackends(word, this.#present()).map((target) => {
      return { target, line: `backend ${target.label}: ${done}`, ...change(target) }
    })
  }

  /** The pool of a backend that is to be added, and the line without it. */
  #place(line: string, asked: string | null): { readonly pool: string; readonly plain: string } {
    const pools = this.#parts.configured().pools.map(({ name }) => name)
    const { pool: written, name: plain } = splitLabel(line)
    if (written !== null && asked !== null && written !== asked) {
      throw new Refused("bad_value", `${line} is of pool ${written}, and not of ${asked}`)
    }
    const pool = asked ?? written ?? poolForNew(pools)
    requirePool(pool, pools)
    return { pool, plain }
  }

  #poolOf(name: string): PoolSettings {
    const pool = this.#parts.configured().pools.find((each) => each.name === name)
    if (pool === undefined) throw new Refused("unknown_pool", `there is no pool ${name}`)
    return pool
  }

  /** Configured ones and those added by hand; a discovered one is itself, not its members. */
  #named() {
    const { overrides, configured } = this.#parts
    return allBackends(overrides.named(configured()))
  }

  #isThere(label: string): boolean {
    return this.#present().backends.some((each) => each.label === label)
  }

  #present(): Present {
    const targets = new Map<string, Target>()
    for (const { pool, label, backend } of [
      ...allBackends(this.#parts.effective()),
      ...this.#named(),
    ]) {
      targets.set(label, { pool, label, name: backend.name })
    }
    const pools = this.#parts.configured().pools.map(({ name }) => name)
    return { pools, backends: [...targets.values()] }
  }
}
