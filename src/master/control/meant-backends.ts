/**
 * Which backends a person means: `HOST:PORT` is that backend in every pool that has it, `POOL/HOST:PORT` in one. What
 * means none is refused with a line that says what to write.
 */
import { DEFAULT_NAME, backendLabel, isMeant, splitLabel } from "../../config/schema/pools.ts"
import { didYouMean } from "../../config/schema/spelling.ts"
import { Refused } from "./refused.ts"
import type { Target } from "./saved-changes.ts"

/** Names that a line tells. */
const TOLD = 8

/** What there is. */
export interface Present {
  readonly pools: readonly string[]
  /** Each once. */
  readonly backends: readonly Target[]
}

/** At least one. Throws `Refused` when the word means none. */
export function meantBackends(word: string, { pools, backends }: Present): readonly Target[] {
  const { pool, name } = splitLabel(word)
  if (pool !== null) requirePool(pool, pools)
  const found = backends.filter(({ label }) => isMeant(word, label))
  if (found.length > 0) return found
  if (pool !== null && name === "") throw new Refused("bad_value", hintOf(pool, backends))
  if (pool === null && pools.includes(word) && word !== DEFAULT_NAME) {
    throw new Refused("unknown_backend", hintOf(word, backends))
  }
  throw new Refused("unknown_backend", `no backend ${word}; ${whatThereIs(pool, name, backends)}`)
}

/** The pool in which a backend is to be added that is written without one. */
export function poolForNew(pools: readonly string[]): string {
  const [first = DEFAULT_NAME, ...others] = pools
  if (pools.includes(DEFAULT_NAME)) return DEFAULT_NAME
  if (others.length === 0) return first
  const advice = `write POOL/HOST:PORT, or --pool NAME: there are ${pools.join(", ")}`
  throw new Refused("bad_value", `no pool is called ${DEFAULT_NAME}; ${advice}`)
}

/** Throws `Refused` when there is none of this name. */
export function requirePool(pool: string, pools: readonly string[]): void {
  if (pools.includes(pool)) return
  const advice = didYouMean(pool, pools) || `; there are ${pools.join(", ")}`
  throw new Refused("unknown_pool", `there is no pool ${pool}${advice}`)
}

function hintOf(pool: string, backends: readonly Target[]): string {
  const own = backends.filter((each) => each.pool === pool)
  const has = own.length === 0 ? "it has none" : `there are ${told(own)}`
  return `${pool} is a pool, name a backend of it: ${backendLabel(pool, "HOST:PORT")}; ${has}`
}

/** The same address in other pools, if it is there; else those of the pool, or of all. */
function whatThereIs(pool: string | null, name: string, backends: readonly Target[]): string {
  if (backends.length === 0) return "there is none"
  const elsewhere = backends.filter((each) => each.name === name)
  if (elsewhere.length > 0) return `there is ${told(elsewhere)}`
  const own = backends.filter((each) => each.pool === pool)
  return `there are ${told(own.length > 0 ? own : backends)}`
}

function told(backends: readonly Target[]): string {
  const more = backends.length > TOLD ? ", ..." : ""
  const some = backends.slice(0, TOLD).map(({ label }) => label)
  return some.join(", ") + more
}
