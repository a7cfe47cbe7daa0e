/** Backends of several pools in one table: those of a pool together, under a line that tells of it. */
import { DEFAULT_NAME } from "../config/schema/pools.ts"
import type { BackendStatus, FleetStatus, PoolStatus } from "../master/figures/status.ts"

export interface PoolGroup {
  /** Empty where there is one pool: nothing has to be told apart. */
  readonly heading: string
  /** Where its backends are in the status. */
  readonly places: readonly number[]
}

export function byPool({
  backends,
  pools = [],
}: Pick<FleetStatus, "backends" | "pools">): readonly PoolGroup[] {
  const own = Map.groupBy(backends.keys(), (place) => poolOf(backends[place]))
  const [first, ...others] = [...pools.map(({ name }) => name), ...own.keys()]
  if (others.every((name) => name === first)) return [{ heading: "", places: [...backends.keys()] }]
  const groups = pools.map((pool) => {
    return { heading: headingOf(pool), places: own.get(pool.name) ?? [] }
  })
  // What is left of a pool that has left.
  const gone = [...own].filter(([name]) => !pools.some((pool) => pool.name === name))
  return [...groups, ...gone.map(([name, places]) => ({ heading: `pool ${name}: gone`, places }))]
}

/** `lines` of a table, of which the first is its head, with a heading before the rows of each group. */
export function withHeadings<T>(
  lines: readonly T[],
  groups: readonly PoolGroup[],
  heading: (text: string) => T,
): T[] {
  const shown = lines.slice(0, 1)
  let at = 1
  for (const { heading: text, places } of groups) {
    if (text !== "") shown.push(heading(text))
    shown.push(...lines.slice(at, at + places.length))
    at += places.length
  }
  return shown
}

function poolOf(backend: BackendStatus | undefined): string {
  return backend?.pool ?? DEFAULT_NAME
}

function headingOf({ name, strategy, listeners, backends, usable }: PoolStatus): string {
  const plural = listeners.length === 1 ? "listener" : "listeners"
  const entrances = listeners.length === 0 ? "no listener" : `${plural} ${listeners.join(", ")}`
  return `pool ${name}: ${strategy}, ${usable} of ${backends} usable, ${entrances}`
}
