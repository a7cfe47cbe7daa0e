/** The backends of several pools, told apart for the table. Pure. */
import type { BackendStatus, PoolStatus } from "../../master/figures/status.ts"

const DEFAULT = "default"

type Named = Pick<BackendStatus, "name" | "pool">

interface Group<Backend> {
  readonly pool: string
  /** Null for one that has left the configuration and still has requests under way. */
  readonly status: PoolStatus | null
  readonly backends: readonly Backend[]
}

/** The pools of the configuration in its order, those without a backend too; then pools that have left. */
export function byPool<Backend>(
  pools: readonly PoolStatus[],
  backends: readonly Backend[],
  read: (backend: Backend) => Named,
): Group<Backend>[] {
  const members = Map.groupBy(backends, (backend) => read(backend).pool ?? DEFAULT)
  const known = pools.map((status) => status.name)
  const gone = [...members.keys()].filter((pool) => !known.includes(pool))
  return [...known, ...gone].map((pool) => ({
    pool,
    status: pools.find(({ name }) => name === pool) ?? null,
    backends: members.get(pool) ?? [],
  }))
}

/** The name of a backend below the heading of its pool: without `POOL/`. */
export function nameInPool({ name, pool }: Named): string {
  const prefix = `${pool}/`
  return pool !== undefined && name.startsWith(prefix) ? name.slice(prefix.length) : name
}

/** "round_robin, listeners web and api". */
export function describePool(pool: PoolStatus | null): string {
  if (pool === null) return "removed"
  const { strategy, listeners } = pool
  if (listeners.length === 0) return `${strategy}, no listener`
  const word = listeners.length === 1 ? "listener" : "listeners"
  return `${strategy}, ${word} ${listeners.join(", ")}`
}
