/** What another configuration would change of listeners and of pools, a line for each change. */
import { camelCase } from "./resolve.ts"
import { formatListen } from "./schema/listen-address.ts"
import type { RecordRow } from "./schema/record.ts"
import { addressOf, backendLabel } from "./schema/pools.ts"
import { listeners as listenerRows, pools as poolRows } from "./schema/schema.ts"
import type { BackendSettings, PoolSettings, Settings } from "./schema/settings.ts"

export interface ListenerChanges {
  /** Of the addresses: one more, one less, another. */
  readonly addresses: readonly string[]
  readonly others: readonly string[]
}

export function listenerChanges(running: Settings, asked: Settings): ListenerChanges {
  const addresses: string[] = []
  const others: string[] = []
  const old = byName(running.listeners)
  const fresh = byName(asked.listeners)
  for (const [name, listener] of fresh) {
    const was = old.get(name)
    const label = `listener ${name}`
    const address = formatListen(listener)
    if (was === undefined) {
      addresses.push(`${label}: added, ${address} for pool ${listener.pool}`)
      continue
    }
    if (!isSame(addressOf(was), addressOf(listener))) {
      addresses.push(`${label}: ${formatListen(was)} -> ${address}`)
    }
    const values = { rows: listenerRows.rows, was, is: listener }
    others.push(...valueChanges(label, values, running, asked))
  }
  for (const [name, listener] of old) {
    if (!fresh.has(name)) addresses.push(`listener ${name}: removed, ${formatListen(listener)}`)
  }
  return { addresses, others }
}

export function poolChanges(running: Settings, asked: Settings): readonly string[] {
  const lines: string[] = []
  const old = byName(running.pools)
  const fresh = byName(asked.pools)
  for (const [name, pool] of fresh) {
    const was = old.get(name)
    if (was === undefined) {
      lines.push(`pool ${name}: added, ${counted(pool)}`)
      continue
    }
    lines.push(...backendChanges(name, was.backends, pool.backends))
    const values = { rows: poolRows.rows, was, is: pool }
    lines.push(...valueChanges(`pool ${name}`, values, running, asked))
  }
  for (const [name, pool] of old) {
    if (!fresh.has(name)) lines.push(`pool ${name}: removed, ${counted(pool)}`)
  }
  return lines
}

function counted({ backends }: PoolSettings): string {
  return backends.length === 1 ? "1 backend" : `${backends.length} backends`
}

function byName<T extends { readonly name: string }>(some: readonly T[]): ReadonlyMap<string, T> {
  return new Map(some.map((each) => [each.name, each]))
}

interface Values {
  readonly rows: readonly RecordRow[]
  readonly was: object
  readonly is: object
}

/** Where both have the value of the top level, the change is told there. */
function valueChanges(
  label: string,
  { rows, was, is }: Values,
  running: Settings,
  asked: Settings,
): readonly string[] {
  return rows.flatMap(({ key, type, secret = false }) => {
    if (key === "address" || key === "backends") return []
    const [before, after] = [valueIn(was, key), valueIn(is, key)]
    if (isSame(before, after)) return []
    // `pool` is the pool of a listener, and at the top level a group of settings.
    const isOwn = key === "pool"
    const isInherited =
      !isOwn && isSame(before, valueOf(running, key)) && isSame(after, valueOf(asked, key))
    if (isInherited) return []
    const shown = (value: unknown): string =>
      secret && value !== null ? "***" : type.format(value)
    return [`${label}: ${key} ${shown(before)} -> ${shown(after)}`]
  })
}

/** The value of a listener or of a pool: `pool.max_age` is among the `connections` of a pool. */
function valueIn(record: object, key: string): unknown {
  return valueOf(record, key.replace(/^pool\./, "connections."))
}

/** `health.same_site` is `settings.health.sameSite`. */
export function valueOf(settings: object, key: string): unknown {
  let value: unknown = settings
  for (const word of key.split(".").map(camelCase)) {
    value = (value as Readonly<Record<string, unknown>>)[word]
  }
  return value
}

function backendChanges(
  pool: string,
  before: readonly BackendSettings[],
  after: readonly BackendSettings[],
): readonly string[] {
  const old = byName(before)
  const fresh = byName(after)
  const lines: string[] = []
  for (const [name, backend] of fresh) {
    const was = old.get(name)
    const label = `backend ${backendLabel(pool, name)}`
    if (was === undefined) lines.push(`${label}: added${suffix(backend)}`)
    else if (!isSame(was, backend)) lines.push(`${label}: ${optionChanges(was, backend)}`)
  }
  for (const name of old.keys()) {
    if (!fresh.has(name)) lines.push(`backend ${backendLabel(pool, name)}: removed`)
  }
  return lines
}

function optionChanges(before: BackendSettings, after: BackendSettings): string {
  const keys = ["weight", "backup", "tls", "ca", "duty"] as const
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key} ${before[key] ?? "none"} -> ${after[key] ?? "none"}`)
    .join(", ")
}

function suffix({ tls, weight, backup }: BackendSettings): string {
  const words = [tls ? "tls" : "", weight === 1 ? "" : `weight ${weight}`, backup ? "backup" : ""]
  const said = words.filter((word) => word !== "")
  return said.length === 0 ? "" : ` (${said.join(", ")})`
}

export function isSame(some: unknown, other: unknown): boolean {
  return JSON.stringify(some) === JSON.stringify(other)
}
