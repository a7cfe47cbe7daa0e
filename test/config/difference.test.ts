/** What a reload would change, said before it is done. */
import { expect, test } from "bun:test"
import { differenceOf, withoutRestart } from "../../src/config/difference.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import type { BackendSettings, Settings } from "../../src/config/schema/settings.ts"

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
