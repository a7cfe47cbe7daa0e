/**
 * What a change by hand makes of the configured backends when it is to be kept: the list that the file shall have.
 * Pure; who writes the file is told by `KeepBackends`.
 */
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

/** One change of a backend, on its way to be said by hand or kept in the file. */
export interface Change {
  /** Throws `Refused` when it cannot be. */
  judge(): void
  readonly rewrite: Rewrite
  /** Lays it over the configuration. */
  say(): void
  /** The configuration says it now. */
  kept(): void
}

export function withDuty(name: string, duty: BackendSettings["duty"]): Rewrite {
  return altered(name, ({ duty: _, ...backend }) =>
    duty === undefined ? backend : { ...backend, duty },
  )
}

export function withWeight(name: string, weight: number): Rewrite {
  return altered(name, (backend) => ({ ...backend, weight }))
}

/** In the place of one that has the name already. */
export function withBackend(backend: BackendSettings): Rewrite {
  return (backends) => [...without(backends, backend.name), backend]
}

export function withoutBackend(name: string): Rewrite {
  return (backends) => {
    const rest = without(backends, name)
    if (rest.length > 0) return rest
    throw new Refused("last", `backend ${name} is the last one in the file; add another first`)
  }
}

function without(backends: readonly BackendSettings[], name: string): readonly BackendSettings[] {
  return backends.filter((backend) => backend.name !== name)
}

function altered(name: string, change: (backend: BackendSettings) => BackendSettings): Rewrite {
  return (backends) => {
    if (!backends.some((backend) => backend.name === name)) {
      const advice = "keep it first: bunlb add BACKEND --save"
      throw new Refused("not_in_file", `backend ${name} is not in the file itself; ${advice}`)
    }
    return backends.map((backend) => (backend.name === name ? change(backend) : backend))
  }
}
