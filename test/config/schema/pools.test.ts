/** Listeners and pools made of flat settings: what each takes over, and that a change of one is seen in both places. */
import { expect, test } from "bun:test"
import { camelCase, defaultSettings } from "../../../src/config/resolve.ts"
import { backend as backendType } from "../../../src/config/schema/backend.ts"
import {
  backendLabel,
  poolsInWords,
  withBackends,
  withDefaults,
  withStickyKey,
} from "../../../src/config/schema/pools.ts"
import type { RecordKind } from "../../../src/config/schema/named-records.ts"
import {
  listeners as listenerKind,
  pools as poolKind,
  settingRows,
} from "../../../src/config/schema/schema.ts"
import type { BackendSettings, Settings } from "../../../src/config/schema/settings.ts"

const defaults = defaultSettings({ cpus: 2, platform: "linux" })

function backend(line: string): BackendSettings {
  const read = backendType.read(line, (message) => {
    throw new Error(message)
  })
  if (read === undefined) throw new Error(line)
  return read
}

test("a flat configuration is one listener and one pool", () => {
  const flat = { ...defaults, host: "10.0.0.1", port: 81, backends: [backend("a:80")] }
  const { listeners, pools } = withDefaults(flat)
  expect(listeners).toHaveLength(1)
  expect(listeners[0]).toMatchObject({
    ...{ name: "default", host: "10.0.0.1", port: 81, pool: "default" },
    timeouts: { clientHead: 10_000, clientIdle: 75_000 },
    limits: { headBytes: 16_384, connections: 0 },
    keepalive: { client: 60_000 },
  })
  expect(pools).toHaveLength(1)
  expect(pools[0]).toMatchObject({
    ...{ name: "default", backends: [{ name: "a:80" }], strategy: "round_robin" },
    timeouts: { connect: 3_000, responseHead: 60_000 },
    limits: { responseHeadBytes: 65_536 },
    connections: { idle: 512 },
    health: defaults.health,
  })
})

test("the backends of the default pool are the flat ones", () => {
  const changed = withBackends(defaults, "default", [backend("b:80")])
  expect(changed.backends).toEqual([backend("b:80")])
  expect(changed.pools[0]?.backends).toEqual([backend("b:80")])
})

test("the backends of another pool are its own", () => {
  const [main] = defaults.pools
  if (main === undefined) throw new Error("no pool")
  const two: Settings = { ...defaults, pools: [main, { ...main, name: "api" }] }
  const changed = withBackends(two, "api", [backend("b:80")])
  expect(changed.backends).toEqual([])
  expect(changed.pools.map(({ backends }) => backends.length)).toEqual([0, 1])
})

test("a pool without a key for its cookies gets the one that is given", () => {
  const [main] = defaults.pools
  if (main === undefined) throw new Error("no pool")
  const own = { ...main, name: "api", sticky: { ...main.sticky, key: "own" } }
  const keyed = withStickyKey({ ...defaults, pools: [main, own] }, "random")
  expect(keyed.sticky.key).toBe("random")
  expect(keyed.pools.map(({ sticky }) => sticky.key)).toEqual(["random", "own"])
})

test("a backend is shown with its pool, unless that is the default one", () => {
  expect(backendLabel("default", "a:80")).toBe("a:80")
  expect(backendLabel("api", "[::1]:80")).toBe("api/[::1]:80")
})

test.each(settingRows.map(({ key }) => key))("%s is a value of those that say it has", (key) => {
  if (key === "listeners" || key === "pools") return
  const flat = structuredClone(defaults) as unknown as Record<string, Record<string, unknown>>
  const [first = "", second] = key.split(".").map(camelCase)
  const marked = { toJSON: () => "marked" }
  if (second === undefined) Object.assign(flat, { [first]: marked })
  else Object.assign(flat[first] ?? {}, { [second]: marked })
  const { listeners, pools } = withDefaults(flat as unknown as Settings)
  const has = (part: unknown): boolean => JSON.stringify(part).includes('"marked"')
  const rows = (kind: RecordKind): boolean => kind.rows.some((row) => row.key === key)
  expect(has(listeners)).toBe(rows(listenerKind) || key === "host" || key === "port")
  expect(has(pools)).toBe(rows(poolKind))
})

test("pools in words: how many backends, in how many pools, and how they are chosen", () => {
  const one = withBackends(defaults, "default", [backend("a:80")]).pools
  expect(poolsInWords(one)).toEqual({ backends: "1 backend", strategies: "round_robin" })
  const other = one.map((pool) => ({ ...pool, name: "api", strategy: "random" as const }))
  expect(poolsInWords([...one, ...other, ...other])).toEqual({
    backends: "3 backends in 3 pools",
    strategies: "round_robin and random",
  })
})
