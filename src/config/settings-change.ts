/**
 * The difference between two versions of the settings, so that a message about one backend of a thousand names one.
 * Applying it gives the new settings, in which everything that is equal is the same object as before: `===` tells what
 * has changed.
 *
 * Cost: linear in the number of backends, one comparison each; the difference is as long as what has changed.
 */
import type { BackendSettings, PoolSettings, Settings } from "./schema/settings.ts"

/** A run of unchanged backends, by their position before. */
type Kept = readonly [from: number, count: number]

/** Backends in their order, the unchanged ones as runs. */
type BackendsChange = readonly (Kept | BackendSettings)[]

interface PoolChange {
  /** Position of the pool of this name before; -1 for a new one. */
  readonly from: number
  readonly others: Partial<PoolSettings>
  /** Null: those of the flat settings, which are the default pool's. */
  readonly backends: BackendsChange | null
}

export interface SettingsChange {
  /** All settings that differ, without backends and pools. */
  readonly others: Partial<Settings>
  readonly backends: BackendsChange
  readonly pools: readonly PoolChange[]
}

const APART: ReadonlySet<string> = new Set(["backends", "pools"])

export function changeOf(before: Settings, after: Settings): SettingsChange {
  return {
    others: othersOf(before, after),
    backends: backendsChange(before.backends, after.backends),
    pools: after.pools.map((pool) => poolChange(before, after, pool)),
  }
}

export function applyChange(before: Settings, change: SettingsChange): Settings {
  const backends = applyBackends(before.backends, change.backends)
  const pools = change.pools.map(({ from, others, backends: own }): PoolSettings => {
    const old = before.pools[from]
    const list = own === null ? backends : applyBackends(old?.backends ?? [], own)
    const same = old?.backends === list && Object.keys(others).length === 0
    // A new pool has all its settings among `others`.
    return same ? old : ({ ...old, ...others, backends: list } as PoolSettings)
  })
  return { ...before, ...change.others, backends, pools }
}

/** Backends are all that differs, and no rule for them. Compares objects by identity. */
export function onlyBackendsChanged(before: Settings, after: Settings): boolean {
  if (!haveSameRules(before, after) || before.pools.length !== after.pools.length) return false
  return after.pools.every((pool, at) => haveSameRules(before.pools[at] ?? {}, pool))
}

/** Nothing but backends differs, or pools of settings. Compares objects by identity. */
export function haveSameRules(before: object, after: object): boolean {
  for (const key in after) {
    if (!APART.has(key) && Reflect.get(before, key) !== Reflect.get(after, key)) return false
  }
  return true
}

function poolChange(before: Settings, after: Settings, pool: PoolSettings): PoolChange {
  const from = before.pools.findIndex(({ name }) => name === pool.name)
  const old = before.pools[from]
  const flat = pool.backends === after.backends
  const backends = flat ? null : backendsChange(old?.backends ?? [], pool.backends)
  return { from, others: othersOf<PoolSettings>(old ?? {}, pool), backends }
}

function othersOf<T extends object>(before: Partial<T>, after: T): Partial<T> {
  const others: Partial<T> = {}
  for (const key in after) {
    if (!APART.has(key) && !isEqual(before[key], after[key])) others[key] = after[key]
  }
  return others
}

function backendsChange(
  before: readonly BackendSettings[],
  after: readonly BackendSettings[],
): BackendsChange {
  const places = new Map(before.map(({ name }, at) => [name, at]))
  const pieces: (Kept | BackendSettings)[] = []
  let [from, count] = [0, 0]
  const endRun = (): void => {
    if (count > 0) pieces.push([from, count])
    count = 0
  }
  for (const backend of after) {
    const at = places.get(backend.name)
    if (at === undefined || !isEqual(backend, before[at])) {
      endRun()
      pieces.push(backend)
    } else if (count > 0 && at === from + count) count++
    else {
      endRun()
      ;[from, count] = [at, 1]
    }
  }
  endRun()
  return pieces
}

function applyBackends(
  before: readonly BackendSettings[],
  change: BackendsChange,
): readonly BackendSettings[] {
  const [first] = change
  const whole = change.length === 1 && isKept(first) && first[1] === before.length
  if (whole || (change.length === 0 && before.length === 0)) return before
  const backends: BackendSettings[] = []
  for (const piece of change) {
    if (isKept(piece)) backends.push(...before.slice(piece[0], piece[0] + piece[1]))
    else backends.push(piece)
  }
  return backends
}

function isKept(piece: Kept | BackendSettings | undefined): piece is Kept {
  return Array.isArray(piece)
}

function isEqual(some: unknown, other: unknown): boolean {
  return some === other || Bun.deepEquals(some, other)
}
