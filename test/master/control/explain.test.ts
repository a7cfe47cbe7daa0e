/** Who would get a request, and why nobody else. */
import { expect, test } from "bun:test"
import { formatToken, tokenOf } from "../../../src/balance/token.ts"
import type { BackendSettings, Settings } from "../../../src/config/schema/settings.ts"
import { explain, questionTypes, type Question } from "../../../src/master/control/explain.ts"
import type { BackendStatus, FleetStatus } from "../../../src/master/figures/status.ts"
import { testBackend, testSettings } from "../settings.ts"

interface Row {
  readonly settings?: Partial<BackendSettings>
  readonly status?: Partial<BackendStatus>
}

const unasked = { cookie: null, host: null, path: null }

function told(rows: Readonly<Record<string, Row>>, part: Partial<Settings> = {}, cookie?: string) {
  const entries = Object.entries(rows)
  const backends = entries.map(([name, { settings }]) => testBackend(name, settings))
  const statuses = backends.map((backend, at): BackendStatus => {
    const { name, tls, weight, backup } = backend
    return {
      ...{ name, tls, weight, backup, state: "up", healthyWorkers: 2, workers: 2, since: null },
      ...{ reason: "", active: 0, idle: 0, requests: 0, failures: 0, addresses: [] },
      ...entries[at]?.[1].status,
    }
  })
  const fleet: FleetStatus = {
    ...{ version: "1", mode: "mp", port: 1, uptime: 1, draining: false, workers: [] },
    backends: statuses,
  }
  const question = { ...unasked, cookie: cookie ?? null }
  const { verdicts } = explain(testSettings({ backends, ...part }), fleet, question)
  return verdicts.map(({ share, why }) => `${Math.round(share * 100)} ${why}`)
}

const down: Row = {
  status: { state: "down", healthyWorkers: 0, since: 0, reason: "3 failures, last: refused" },
}

test("shares by strategy", () => {
  const rows = { "a:80": { settings: { weight: 3 } }, "b:80": {} }
  expect(told(rows)).toEqual(["50 healthy", "50 healthy"])
  expect(told(rows, { strategy: "weighted" })).toEqual([
    "75 healthy, weight 3",
    "25 healthy, weight 1",
  ])
})

test("why not: unhealthy, draining, disabled, a backup", () => {
  const rows: Record<string, Row> = {
    "a:80": {},
    "b:80": down,
    "c:80": { status: { state: "draining", reason: "by hand" } },
    "d:80": { status: { state: "disabled", reason: "by hand" } },
    "e:80": { settings: { backup: true } },
    "f:80": { status: { state: "degraded", healthyWorkers: 1 } },
  }
  expect(told(rows)).toEqual([
    "50 healthy",
    "0 unhealthy since 1970-01-01T00:00:00.000Z: 3 failures, last: refused",
    "0 draining by hand",
    "0 disabled by hand",
    "0 a backup, and a primary can serve",
    "50 healthy for 1 of 2 workers",
  ])
})

test("a backup when no primary can, and everyone when nobody can", () => {
  expect(told({ "a:80": down, "b:80": { settings: { backup: true } } })[1]).toBe(
    "100 a backup, and no primary can serve",
  )
  expect(told({ "a:80": down, "b:80": down })[0]).toBe(
    "50 no backend is healthy, so all are tried: 3 failures, last: refused",
  )
  expect(told({ "a:80": down }, { whenAllUnhealthy: "fail" })[0]).toStartWith("0 unhealthy")
})

test("without a healthy backend those that only probes are against get all, evenly", () => {
  const page: Row = { status: { ...down.status, against: "page", reason: "status 404" } }
  const dead: Row = { status: { ...down.status, against: "requests" } }
  const rows = { "a:80": page, "b:80": page, "c:80": dead }
  expect(told(rows).map((line) => line.slice(0, 12))).toEqual([
    "50 no backen",
    "50 no backen",
    "0 unhealthy ",
  ])
  expect(told(rows)[0]).toBe(
    "50 no backend is healthy, and only probes are against this one: status 404",
  )
})

test("a cookie names its backend while that serves or lingers, and only with strategy sticky", () => {
  const cookie = formatToken(tokenOf("b:80", ""))
  const sticky: Partial<Settings> = { strategy: "sticky" }
  const both: Record<string, Row> = { "a:80": {}, "b:80": {} }
  expect(told(both, sticky, cookie)).toEqual(["0 the cookie names b:80", "100 the cookie names it"])
  expect(told(both, {}, cookie)).toEqual(["50 healthy", "50 healthy"])
  const draining: Partial<BackendStatus> = { state: "draining", reason: "by hand" }
  const held = (duty: "linger" | "drain"): Record<string, Row> => ({
    "a:80": {},
    "b:80": { settings: { duty }, status: draining },
  })
  expect(told(held("linger"), sticky, cookie)[1]).toBe("100 the cookie names it")
  expect(told(held("drain"), sticky, cookie)[1]).toBe("0 draining by hand")
})

test("host and path change nothing, and whoever names them is told so", () => {
  const fleet: FleetStatus = {
    ...{ version: "1", mode: "mp", port: 1, uptime: 1, draining: false, workers: [] },
    backends: [],
  }
  const noteFor = (part: Partial<Question>) =>
    explain(testSettings({ backends: [] }), fleet, { ...unasked, ...part }).note
  const same = "bunlb routes by neither host nor path, so the answer is the same for all"
  expect([noteFor({ host: "a" }), noteFor({ path: "/" })]).toEqual([same, same])
  expect(noteFor({ cookie: "x" })).toBeUndefined()
})

test.each([
  ["host", "shop.example", true],
  ["host", "[::1]:8080", true],
  ["host", "http://shop.example", false],
  ["host", "shop.example:0", false],
  ["host", "a b", false],
  ["path", "/", true],
  ["path", "/a%20b?c=d&e", true],
  ["path", "shop", false],
  ["path", "/a b", false],
  ["path", "/a#b", false],
  ["cookie", "0123456789abcdef", true],
  ["cookie", "a b", false],
] as const)("%s %s", (name, value, good) => {
  const faults: string[] = []
  const read = questionTypes[name].read(value, (fault) => void faults.push(fault))
  expect([read, faults.length]).toEqual(good ? [value, 0] : [undefined, 1])
  if (!good) expect(faults[0]).toStartWith("expected ")
})
