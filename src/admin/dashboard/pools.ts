/** Backends by their pool, for the table and the headline. Pure. */
import type { BackendStatus } from "../../master/figures/status.ts"

type Named = Pick<BackendStatus, "name" | "pool">

interface Group<Backend> {
  readonly pool: string
  readonly backends: readonly Backend[]
}

/** One group for each pool that has a backend, in the order in which they first come. */
export function byPool<Backend>(
  backends: readonly Backend[],
  read: (backend: Backend) => Named,
): Group<Backend>[] {
  const groups = Map.groupBy(backends, (backend) => read(backend).pool ?? "default")
  return [...groups].map(([pool, members]) => ({ pool, backends: members }))
}

/** The name of a backend below the heading of its pool: without `POOL/`. */
export function nameInPool({ name, pool }: Named): string {
  const prefix = `${pool}/`
  return pool !== undefined && name.startsWith(prefix) ? name.slice(prefix.length) : name
}
