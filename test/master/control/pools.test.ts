/** Control of several pools: what is said of HOST:PORT holds in all of them, of POOL/HOST:PORT in one. */
import { afterEach, expect, test } from "bun:test"
import { formatToken, tokenOf } from "../../../src/balance/token.ts"
import { allBackends } from "../../../src/config/schema/pools.ts"
import type { BackendSettings, Settings } from "../../../src/config/schema/settings.ts"
import { Control } from "../../../src/master/control/control.ts"
import type { ByHand } from "../../../src/master/control/overrides.ts"
import type { BackendStatus, FleetStatus } from "../../../src/master/figures/status.ts"
import { pooledSettings, testBackend } from "../settings.ts"

const settings = pooledSettings({
  default: { backends: [testBackend("a:80"), testBackend("b:80")] },
  api: { backends: [testBackend("a:80"), testBackend("c:80", { weight: 3 })], strategy: "sticky" },
  web: { backends: [testBackend("b:80")] },
})

const controls: Control[] = []
afterEach(() => {
  for (const control of controls.splice(0)) control.stop()
})

/** Over a fleet that obeys at once; `saved` is what the file is asked to hold. */
function controlOf(configured: Settings = settings) {
  const saved: Record<string, readonly string[]>[] = []
  const lines: string[] = []
  const hear = (line: string) => void lines.push(line)
  const nobody = () => Promise.reject(new Error("nobody asked for this"))
  const fleet = {
    ...{ prepare: nobody, status: nobody, countReload: () => {}, note: () => {} },
    apply: async () => [],
  }
  const control = new Control(fleet, configured, {
    ...{ load: nobody, upgrade: nobody, reloads: { begin: () => {}, end: () => {} } },
    log: { error: hear, warn: hear, info: hear, debug: hear, debugging: false },
    keep: async (_configured, wanted) => {
      const names = (list: readonly BackendSettings[]) =>
        list.map(({ name, duty }) => (duty === undefined ? name : `${name} ${duty}`))
      saved.push(Object.fromEntries([...wanted].map(([pool, list]) => [pool, names(list)])))
      return "bunlb.yaml"
    },
  })
  controls.push(control)
  const shown = () =>
    allBackends(control.effective).map(
      ({ label, backend: { weight, duty } }) => `${label} ${weight} ${duty ?? "on"}`,
    )
  const refusal = (change: Promise<unknown>) =>
    change.then(
      () => "done",
      ({ code, message }) => `${code}: ${message}`,
    )
  return { control, saved, lines, shown, refusal }
}

test("HOST:PORT is meant in all pools, POOL/HOST:PORT in one", async () => {
  const { control, shown, lines } = controlOf()
  const { changes } = await control.drain("a:80", 0, false)
  expect(changes).toEqual(["backend a:80: draining", "backend api/a:80: draining"])
  await control.setWeight("api/a:80", 7, false)
  await control.disable("default/b:80", false)
  expect(shown()).toEqual([
    ...["a:80 1 drain", "b:80 1 off", "api/a:80 7 drain", "api/c:80 3 on", "web/b:80 1 on"],
  ])
  expect(control.byHand).toEqual([
    ...["api/a:80 weight 7", "a:80 draining", "api/a:80 draining", "b:80 disabled"],
  ])
  expect(lines).toContain("backend api/a:80: weight 7, by hand")
  await control.enable("api/a:80", false)
  expect(shown()[0]).toBe("a:80 1 drain")
  expect(shown()[2]).toBe("api/a:80 7 on")
  const [a, own] = [testBackend("a:80"), control.effective.pools[1]?.backends[0]]
  expect(own && control.isHeldByHand(own, "api")).toBeFalse()
  expect(control.isHeldByHand(a, "default")).toBeTrue()
})

test.each([
  ["aip/a:80", 'unknown_pool: there is no pool aip, did you mean "api"?'],
  ["nowhere/a:80", "unknown_pool: there is no pool nowhere; there are default, api, web"],
  [
    "api/",
    "bad_value: api is a pool, name a backend of it: api/HOST:PORT; there are api/a:80, api/c:80",
  ],
  [
    "api",
    "unknown_backend: api is a pool, name a backend of it: api/HOST:PORT; " +
      "there are api/a:80, api/c:80",
  ],
  ["web/c:80", "unknown_backend: no backend web/c:80; there is api/c:80"],
  ["web/x:80", "unknown_backend: no backend web/x:80; there are web/b:80"],
  ["x:80", "unknown_backend: no backend x:80; there are a:80, b:80, api/a:80, api/c:80, web/b:80"],
])("%s is refused with what to write", async (word, line) => {
  const { control, refusal, shown } = controlOf()
  const before = shown()
  expect(await refusal(control.drain(word, 0, false))).toBe(line)
  expect(shown()).toEqual(before)
})

test("a backend is added to the pool that is named, or to the default one", async () => {
  const { control, shown, refusal } = controlOf()
  const { changes } = await control.add("api/x:80,weight=2", false)
  expect(changes).toEqual(["backend api/x:80: added"])
  await control.add("x:80", false, "web")
  await control.add("x:80", false)
  expect(shown()).toEqual(expect.arrayContaining(["api/x:80 2 on", "web/x:80 1 on", "x:80 1 on"]))
  expect(await refusal(control.add("api/x:80", false))).toStartWith("exists: backend api/x:80 is")
  expect(await refusal(control.add("x:81", false, "wbe"))).toStartWith(
    "unknown_pool: there is no pool",
  )
  expect(await refusal(control.add("api/x:81", false, "web"))).toStartWith("bad_value: ")
  const only = controlOf(pooledSettings({ api: { backends: [testBackend("a:80")] } }))
  expect((await only.control.add("x:80", false)).changes).toEqual(["backend api/x:80: added"])
  const two = pooledSettings({ api: {}, web: { backends: [testBackend("a:80")] } })
  expect(await refusal(controlOf(two).control.add("x:80", false))).toBe(
    "bad_value: no pool is called default; write POOL/HOST:PORT, or --pool NAME: " +
      "there are api, web",
  )
})

test("each pool keeps a backend; what is refused in one pool is done in none", async () => {
  const { control, shown, refusal } = controlOf()
  expect(await refusal(control.remove("b:80", false))).toBe(
    "last: backend web/b:80 is the last one; add another first",
  )
  expect(shown()).toHaveLength(5)
  await control.remove("a:80", false)
  expect(shown()).toEqual(["b:80 1 on", "api/c:80 3 on", "web/b:80 1 on"])
})

test("saved within the pools that are meant, in one go", async () => {
  const { control, saved, shown } = controlOf()
  const { changes, saved: file } = await control.drain("a:80", 0, true)
  expect([changes, file]).toEqual([
    ["backend a:80: draining", "backend api/a:80: draining"],
    "bunlb.yaml",
  ])
  await control.add("web/x:80", true)
  await control.remove("api/c:80", true)
  expect(saved).toEqual([
    { default: ["a:80 drain", "b:80"], api: ["a:80 drain", "c:80"] },
    { web: ["b:80", "x:80"] },
    { api: ["a:80 drain"] },
  ])
  expect(control.byHand).toEqual([])
  expect(shown()).toEqual([
    "a:80 1 drain",
    "b:80 1 on",
    "api/a:80 1 drain",
    "web/b:80 1 on",
    "web/x:80 1 on",
  ])
})

test("what is said by hand is handed on with its pools, and one of a single pool reads as ever", async () => {
  const { control } = controlOf()
  await control.disable("api/a:80", false)
  await control.add("web/x:80,weight=4", false)
  await control.remove("default/b:80", false)
  const told = JSON.parse(JSON.stringify(control.handOver())) as ByHand
  expect(told).toMatchObject({
    ...{ duties: [["api/a:80", "off"]], removed: ["b:80"] },
    configured: [{ name: "a:80" }, { name: "b:80" }, { name: "api/a:80" }, {}, {}],
  })
  const next = controlOf()
  next.control.inherit(told)
  expect(next.shown()).toEqual([
    ...["a:80 1 on", "api/a:80 1 off", "api/c:80 3 on", "web/b:80 1 on", "web/x:80 4 on"],
  ])
})

test("a grace is of a sticky pool alone", async () => {
  const { control, shown } = controlOf()
  await control.drain("a:80", 60_000, false)
  expect(shown().filter((line) => line.includes("a:80"))).toEqual([
    ...["a:80 1 drain", "api/a:80 1 linger"],
  ])
})

const fleet: FleetStatus = {
  ...{ version: "1", mode: "mp", port: 1, uptime: 1, draining: false, workers: [] },
  backends: allBackends(settings).map(({ label: name, pool, backend }): BackendStatus => {
    const { tls, weight, backup } = backend
    return {
      ...{ name, pool, tls, weight, backup, state: "up", healthyWorkers: 2, workers: 2 },
      ...{ since: null, reason: "", active: 0, idle: 0, requests: 0, failures: 0, addresses: [] },
    }
  }),
}

const unasked = { cookie: null, host: null, path: null }

test("explain answers for the pool of a listener, by its strategy and its cookie", async () => {
  const { control, refusal } = controlOf()
  const shares = (more: object) => {
    const { pool, strategy, verdicts, note } = control.explain({ ...unasked, ...more }, fleet)
    return [pool, strategy, verdicts.map(({ backend, share }) => `${backend} ${share}`), note]
  }
  const others = "this is for pool default; name another with pool, or a listener: api, web"
  expect(shares({})).toEqual(["default", "round_robin", ["a:80 0.5", "b:80 0.5"], others])
  const api = ["api", "sticky", ["api/a:80 0.25", "api/c:80 0.75"], undefined]
  expect(shares({ pool: "api" })).toEqual(api)
  expect(shares({ listener: "api" })).toEqual(api)
  const key = control.effective.pools[1]?.sticky.key ?? ""
  const cookie = formatToken(tokenOf("a:80", key))
  expect(shares({ pool: "api", cookie })[2]).toEqual(["api/a:80 1", "api/c:80 0"])
  const asked = async (more: object) => control.explain({ ...unasked, ...more }, fleet)
  expect(await refusal(asked({ listener: "wbe" }))).toBe(
    'unknown_listener: there is no listener wbe, did you mean "web"?',
  )
  expect(await refusal(asked({ pool: "x" }))).toStartWith("unknown_pool: there is no pool x")
  expect(await refusal(asked({ pool: "api", listener: "web" }))).toStartWith("bad_value: ")
})
