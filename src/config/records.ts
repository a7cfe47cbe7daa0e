/**
 * The listeners and pools of a configuration: each record with the values of the top level where it says none of its
 * own.
 */
import type { NamedRecord } from "./schema/named-records.ts"
import { DEFAULT_NAME, listenerOf, ownOfListener, poolOf } from "./schema/pools.ts"
import type { SettingKey } from "./schema/setting.ts"
import type { FlatSettings, ListenAddress, Settings } from "./schema/settings.ts"

type Values = ReadonlyMap<SettingKey, unknown>

export function recordsIn(values: Values, key: "listeners" | "pools"): readonly NamedRecord[] {
  return values.get(key) as readonly NamedRecord[]
}

/** `pools.api.health.path` for everything that a record says. */
export function pathsInRecords(values: Values): readonly string[] {
  return (["listeners", "pools"] as const).flatMap((kind) =>
    recordsIn(values, kind).flatMap((record) => [
      `${kind}.${record.name}`,
      ...Object.keys(record.values).map((key) => `${kind}.${record.name}.${key}`),
    ]),
  )
}

/** `assemble`: makes flat settings of values. The flat backends are those of the default pool, however it was said. */
export function recordsOf(
  values: Values,
  assemble: (values: Map<SettingKey, unknown>) => FlatSettings,
): Pick<Settings, "listeners" | "pools" | "backends"> {
  const flat = assemble(new Map(values))
  const over = (record: NamedRecord): FlatSettings => {
    const own = new Map(values)
    // What a record has besides, as its address, is no setting of the top level.
    const isShared = (key: string): key is SettingKey => values.has(key as SettingKey)
    for (const [key, value] of Object.entries(record.values)) if (isShared(key)) own.set(key, value)
    return assemble(own)
  }
  const pools = recordsIn(values, "pools").map((record) => {
    const pool = poolOf(record.name, over(record))
    const shares = record.name === DEFAULT_NAME || "sticky.cookie" in record.values
    if (shares) return pool
    // Two pools behind one host name must not overwrite each other's cookie.
    const cookie = `${pool.sticky.cookie}_${record.name}`
    return { ...pool, sticky: { ...pool.sticky, cookie } }
  })
  if (pools.length === 0 || flat.backends.length > 0) pools.unshift(poolOf(DEFAULT_NAME, flat))
  const listeners = recordsIn(values, "listeners").map((record) => {
    const { address, pool, socket_mode: mode } = record.values
    // Each was read by the type of its row.
    const own = ownOfListener(
      address as ListenAddress,
      pool as string | undefined,
      mode as number | null | undefined,
    )
    return listenerOf(record.name, own, over(record))
  })
  if (listeners.length === 0) {
    const { host, port } = flat
    listeners.push(listenerOf(DEFAULT_NAME, ownOfListener({ host, port }), flat))
  }
  const main = pools.find(({ name }) => name === DEFAULT_NAME)
  return { listeners, pools, backends: main?.backends ?? [] }
}
