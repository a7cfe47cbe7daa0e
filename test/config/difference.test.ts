/** What a reload would change, said before it is done. */
import { expect, test } from "bun:test"
import { differenceOf, withoutRestart } from "../../src/config/difference.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import type { BackendSettings, Settings } from "../../src/config/schema/settings.ts"
import { settings } from "./said.ts"

const defaults = defaultSettings({ platform: "linux", cpus: 2 })

function backend(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  return { name, host: "h", port: 80, tls: false, weight: 1, backup: false, ca: null, ...more }
}

test("nothing differs from itself", () => {
  expect(differenceOf(defaults, structuredClone(defaults), false)).toEqual({
    changes: [],
    restart: [],
  })
})

test("backends come, go and change", () => {
  const before = withDefaults({ ...defaults, backends: [backend("a:80"), backend("b:80")] })
  const after = withDefaults({
    ...defaults,
    backends: [
      backend("c:80", { weight: 3, backup: true }),
      backend("b:80", { weight: 2, tls: true, ca: "x.pem" }),
    ],
  })
  expect(differenceOf(before, after, false).changes).toEqual([
    "backend c:80: added (weight 3, backup)",
    "backend b:80: weight 1 -> 2, tls false -> true, ca none -> x.pem",
    "backend a:80: removed",
  ])
})

const asked = withDefaults({
  ...defaults,
  host: "127.0.0.1",
  port: 81,
  workers: 7,
  mode: "sp",
  admin: null,
  adminToken: "0123456789abcdef",
  health: { ...defaults.health, path: "/up" },
  sticky: { ...defaults.sticky, sameSite: "strict" },
})

test("all but the mode is taken over", () => {
  const { changes, restart } = differenceOf(defaults, asked, false)
  expect(changes).toEqual([
    "port: 8080 -> 81",
    "host: 0.0.0.0 -> 127.0.0.1",
    "admin: 127.0.0.1:9900 -> off",
    "admin_token: none -> ***",
    "workers: 2 -> 7",
    "health.path: / -> /up",
    "sticky.same_site: lax -> strict",
  ])
  expect(restart).toEqual(["mode: mp -> sp needs `bunlb upgrade` or a restart"])
  const taken = withoutRestart(defaults, asked, false)
  expect(taken).toEqual({ ...asked, mode: "mp" })
  expect(differenceOf(taken, asked, false)).toEqual({ changes: [], restart })
})

test("where the log goes waits for a restart", () => {
  const other: Settings = { ...defaults, logOutput: "stdout" }
  const line = "log_output: stderr -> stdout needs `bunlb upgrade` or a restart"
  expect(differenceOf(defaults, other, false)).toEqual({ changes: [], restart: [line] })
  expect(withoutRestart(defaults, other, false)).toEqual(defaults)
})

test("where the service manager holds the socket, the port is its affair", () => {
  const { restart } = differenceOf(defaults, asked, true)
  expect(restart).toEqual([
    "port: 8080 -> 81 is for the service manager to do, which holds the socket",
    "host: 0.0.0.0 -> 127.0.0.1 is for the service manager to do, which holds the socket",
    "mode: mp -> sp needs `bunlb upgrade` or a restart",
  ])
  const { host, port, mode } = defaults
  expect(withoutRestart(defaults, asked, true)).toEqual(
    withDefaults({ ...asked, host, port, mode }),
  )
})

test("every setting is either taken over or named: none is ignored", () => {
  const other = JSON.parse(JSON.stringify(defaults), (_key, value: unknown) =>
    typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : value,
  ) as Settings
  const numbers = settingRows.filter(({ setting }) => {
    const kind = typeof setting.default({ platform: "linux", cpus: 2 })
    return kind === "number" || kind === "boolean"
  })
  const { changes, restart } = differenceOf(defaults, other, false)
  const named = [...changes, ...restart].map((line) => line.slice(0, line.indexOf(":")))
  for (const { key } of numbers) expect(named).toContain(key)
})

const flat = "port: 81\nbackends: [a:80]\n"

test.each<[string, string, string, string[]]>([
  [
    "a listener more",
    "backends: [a:80]\nlisteners: { web: ':80' }",
    "backends: [a:80]\nlisteners: { web: ':80', x: 'unix:/x' }",
    ["listener x: added, unix:/x for pool default"],
  ],
  [
    "a listener less, and one moved",
    "backends: [a:80]\nlisteners: { web: ':80', x: ':81' }",
    "backends: [a:80]\nlisteners: { web: '10.0.0.1:80' }",
    ["listener web: :80 -> 10.0.0.1:80", "listener x: removed, :81"],
  ],
  [
    "the pool and the values of a listener",
    "backends: [a:80]\nlisteners: { web: ':80' }\npools: { api: [b:80] }",
    "backends: [a:80]\npools: { api: [b:80] }\n" +
      "listeners: { web: { address: ':80', pool: api, timeouts: { client_idle: 5s } } }",
    ["listener web: pool default -> api", "listener web: timeouts.client_idle 75s -> 5s"],
  ],
  [
    "a pool more and a pool less",
    `${flat}pools: { api: [b:80, c:80] }`,
    `${flat}pools: { big: [b:80] }`,
    ["pool big: added, 1 backend", "pool api: removed, 2 backends"],
  ],
  [
    "backends of two pools with one name",
    `${flat}pools: { api: [a:80] }`,
    `${flat}pools: { api: ["a:80,weight=2", d:80] }`,
    ["backend api/a:80: weight 1 -> 2", "backend api/d:80: added"],
  ],
  [
    "the values of a pool, secrets masked",
    `${flat}pools: { api: [a:80] }`,
    `${flat}pools: { api: { backends: [a:80], strategy: sticky, pool: { idle: 7 },
      sticky: { key: 0123456789abcdefg } } }`,
    [
      "pool api: strategy round_robin -> sticky",
      "pool api: sticky.key a random key until bunlb is restarted -> ***",
      "pool api: pool.idle 512 -> 7",
    ],
  ],
  [
    "what all have from the top level is told once",
    `${flat}pools: { api: [a:80], big: [a:80] }`,
    `${flat}health: { path: /x }\npools: { api: [a:80], big: [a:80] }`,
    ["health.path: / -> /x"],
  ],
  [
    "a flat file becomes one with records of the same meaning",
    "port: 80\nhost: 10.0.0.1\nbackends: [a:80]",
    "listeners: { default: '10.0.0.1:80' }\npools: { default: [a:80] }",
    [],
  ],
  [
    "a flat file becomes one with another listener",
    "port: 80\nbackends: [a:80]",
    "listeners: { web: ':80' }\nbackends: [a:80]",
    ["listener web: added, :80 for pool default", "listener default: removed, 0.0.0.0:80"],
  ],
])("%s", (_, before, after, changes) => {
  const [old, fresh] = [settings({ text: before }), settings({ text: after })]
  expect(differenceOf(old, fresh, false)).toEqual({ changes, restart: [] })
  expect(withoutRestart(old, fresh, false)).toEqual(fresh)
})

test("where the service manager holds the sockets, all listeners stay where they are", () => {
  const text = "backends: [a:80]\nlisteners: { web: ':80', x: { address: ':81', pool: api } }\n"
  const old = settings({ text: `${text}pools: { api: [b:80] }` })
  const fresh = settings({
    text: "backends: [a:80]\nlisteners: { web: { address: ':8080', half_close: on }, y: ':82' }",
  })
  const held = "is for the service manager to do, which holds the socket"
  const { changes, restart } = differenceOf(old, fresh, true)
  expect(restart).toEqual([
    `listener web: :80 -> :8080: ${held}`,
    `listener y: added, :82 for pool default: ${held}`,
    `listener x: removed, :81: ${held}`,
  ])
  expect(changes).toEqual([
    "pool api: removed, 1 backend",
    "listener web: half_close false -> true",
  ])
  const taken = withoutRestart(old, fresh, true)
  expect(taken.listeners).toMatchObject([
    { name: "web", port: 80, halfClose: true, pool: "default" },
    { name: "x", port: 81, pool: "default" },
  ])
  expect(differenceOf(taken, fresh, true)).toEqual({ changes: [], restart })
})
