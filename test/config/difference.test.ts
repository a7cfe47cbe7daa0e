/** What a reload would change, said before it is done. */
import { expect, test } from "bun:test"
import { differenceOf, withoutRestart } from "../../src/config/difference.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { settingRows } from "../../src/config/schema.ts"
import type { BackendSettings, Settings } from "../../src/config/settings.ts"

const defaults = defaultSettings({ platform: "linux", cpus: 2 })

function backend(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  return { name, host: "h", port: 80, tls: false, weight: 1, backup: false, ca: null, ...more }
}

test("nothing differs from itself", () => {
  expect(differenceOf(defaults, structuredClone(defaults))).toEqual({ changes: [], restart: [] })
})

test("backends come, go and change", () => {
  const before: Settings = { ...defaults, backends: [backend("a:80"), backend("b:80")] }
  const after: Settings = {
    ...defaults,
    backends: [
      backend("c:80", { weight: 3, backup: true }),
      backend("b:80", { weight: 2, tls: true, ca: "x.pem" }),
    ],
  }
  expect(differenceOf(before, after).changes).toEqual([
    "backend c:80: added (weight 3, backup)",
    "backend b:80: weight 1 -> 2, tls false -> true, ca none -> x.pem",
    "backend a:80: removed",
  ])
})

test("what belongs to the process waits for a restart, and is not taken over", () => {
  const asked: Settings = {
    ...defaults,
    port: 81,
    workers: 7,
    mode: "sp",
    admin: null,
    adminToken: "0123456789abcdef",
    strategy: "sticky",
    health: { ...defaults.health, path: "/up" },
    sticky: { ...defaults.sticky, sameSite: "strict" },
  }
  const { changes, restart } = differenceOf(defaults, asked)
  expect(changes).toEqual([
    "strategy: round_robin -> sticky",
    "health.path: / -> /up",
    "sticky.same_site: lax -> strict",
  ])
  expect(restart).toEqual([
    "port: 8080 -> 81 needs a restart",
    "admin: 127.0.0.1:9900 -> off needs a restart",
    "admin_token: none -> *** needs a restart",
    "mode: mp -> sp needs a restart",
    "workers: 2 -> 7 needs a restart",
  ])
  const { health, sticky } = asked
  const taken = withoutRestart(defaults, asked)
  expect(taken).toEqual({ ...defaults, strategy: "sticky", health, sticky })
  expect(differenceOf(taken, asked)).toEqual({ changes: [], restart })
})

test("every setting is either taken over or named: none is ignored", () => {
  const other = JSON.parse(JSON.stringify(defaults), (_key, value: unknown) =>
    typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : value,
  ) as Settings
  const numbers = settingRows.filter(({ setting }) => {
    const kind = typeof setting.default({ platform: "linux", cpus: 2 })
    return kind === "number" || kind === "boolean"
  })
  const { changes, restart } = differenceOf(defaults, other)
  const named = [...changes, ...restart].map((line) => line.slice(0, line.indexOf(":")))
  for (const { key } of numbers) expect(named).toContain(key)
})
