/**
 * What a change by hand makes of the configured backends when it is to be kept: the list that the file shall have.
 * Pure; who writes the file is told by `KeepBackends`.
 */
import { withBackends } from "../../config/schema/pools.ts"
import type { BackendSettings, Settings } from "../../config/schema/settings.ts"
import { Refused } from "./refused.ts"

/**
 * Writes the lists of `wanted`, by the names of their pools, into the file from which `configured` was read; resolves
 * with its name. Throws `Refused` or `BunlbError` with nothing written: where there is no file, or it says something
 * else by now, or cannot be written.
 */
export type SaveBackends = (
  configured: Settings,
  wanted: ReadonlyMap<string, readonly BackendSettings[]>,
) => Promise<string>

/** One change of the list. */
type Rewrite = (backends: readonly BackendSettings[]) => readonly BackendSettings[]

/** A backend and its pool. */
export interface Target {
  readonly pool: string
  /** In its pool. */
  readonly name: string
  /** With its pool, unless that is the default one. */
  readonly label: string
}

/** One change of a backend, on its way to be said by hand or kept in the file. */
export interface Change {
  readonly target: Target
  /** What the log and whoever asked are told. */
  readonly line: string
  readonly rewrite: Rewrite
  /** Lays it over the configuration; nothing of it is in the file. */
  say(): void
  /** The configuration says it now. */
  kept(): void
}

/** What `settings` are with these changes. */
export function rewritten(settings: Settings, changes: readonly Change[]): Settings {
  let after = settings
  for (const { target, rewrite } of changes) {
    after = withBackends(after, target.pool, rewrite(backendsIn(after, target.pool)))
  }
  return after
}

/** The lists of the pools that are changed, as they are in `after`. */
export function wantedOf(after: Settings, changes: readonly Change[]) {
  return new Map(changes.map(({ target: { pool } }) => [pool, backendsIn(after, pool)]))
}

function backendsIn({ pools }: Settings, name: string): readonly BackendSettings[] {
  return pools.find((pool) => pool.name === name)?.backends ?? []
}

export function withDuty(target: Target, duty: BackendSettings["duty"]): Rewrite {
  return altered(target, ({ duty: _, ...backend }) =>
    duty === undefined ? backend : { ...backend, duty },
  )
}

export function withWeight(target: Target, weight: number): Rewrite {
  return altered(target, (backend) => ({ ...backend, weight }))
}

/** In the place of one that has the name already. */
export function withBackend(backend: BackendSettings): Rewrite {
  return (backends) => [...without(backends, backend.name), backend]
}

export function withoutBackend({ name, label }: Target): Rewrite {
  return (backends) => {
    const rest = without(backends, name)
    if (rest.length > 0) return rest
    throw new Refused("last", `backend ${label} is the last one in the file; add another first`)
  }
}

function without(backends: readonly BackendSettings[], name: string): readonly BackendSettings[] {
  return backends.filter((backend) => backend.name !== name)
}

function altered(
  { name, label }: Target,
  change: (backend: BackendSettings) => BackendSettings,
): Rewrite {
  return (backends) => {
    if (!backends.some((backend) => backend.name === name)) {
      const advice = "keep it first: bunlb add BACKEND --save"
      throw new Refused("not_in_file", `backend ${label} is not in the file itself; ${advice}`)
    }
    return backends.map((backend) => (backend.name === name ? change(backend) : backend))
  }
}
