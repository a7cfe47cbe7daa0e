/** `health` and `status` against an admin listener that answers as the test wants. */
import { afterAll, expect, test } from "bun:test"
import { statusPage } from "../../src/cli/status.ts"
import type { FleetStatus } from "../../src/master/figures/status.ts"
import { bunlb } from "./fake-terminal.ts"

const NOW = 1_800_000_000_000

const fleet: FleetStatus = {
  version: "1.2.3",
  mode: "mp",
  port: 8080,
  uptime: 93_784_000,
  draining: false,
  workers: [
    { index: 0, pid: 4711, state: "ready", uptime: 61_000, clients: 12, inFlight: 3, restarts: 0 },
    { index: 1, pid: null, state: "down", uptime: 0, clients: 0, inFlight: 0, restarts: 2 },
  ],
  backends: [
    {
      name: "127.0.0.1:9001",
      tls: false,
      weight: 1,
      backup: false,
      state: "up",
      healthyWorkers: 2,
      workers: 2,
      since: null,
      reason: "",
      active: 3,
      idle: 12,
      requests: 123_456,
      failures: 0,
      addresses: ["127.0.0.1"],
    },
    {
      name: "b.example.com:443",
      tls: true,
      weight: 10,
      backup: true,
      state: "degraded",
      healthyWorkers: 1,
      workers: 2,
      since: NOW - 12_000,
      reason: "3 failures, last: connect refused",
      active: 0,
      idle: 0,
      requests: 7,
      failures: 3,
      addresses: [],
    },
  ],
}

let answer: () => Response = () => new Response("")
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => answer() })
afterAll(() => server.stop(true))

const ask = (command: string, ...more: string[]) =>
  bunlb([command, "--admin", `127.0.0.1:${server.port}`, ...more])

test("health is one line and an exit code", async () => {
  answer = () => new Response("ok\n")
  expect(await ask("health")).toEqual({ code: 0, out: "healthy", complaints: "" })
  answer = () => new Response("no backend is eligible\n", { status: 503 })
  const complaints = "bunlb: unhealthy: no backend is eligible"
  expect(await ask("health")).toEqual({ code: 1, out: "", complaints })
})

test("a listener that is not there is one line and exit code 1", async () => {
  const gone = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") })
  const place = `127.0.0.1:${gone.port}`
  await gone.stop(true)
  for (const command of ["health", "status"]) {
    expect(await bunlb([command, "--admin", place])).toEqual({
      code: 1,
      out: "",
      complaints: `bunlb: admin ${place} does not answer: is bunlb running, and with this --admin?`,
    })
  }
})

test("all addresses are asked on the loopback one, and no proxy is", async () => {
  process.env.HTTP_PROXY = "http://127.0.0.1:1"
  answer = () => new Response("ok")
  const said = await bunlb(["health", "--admin", `0.0.0.0:${server.port}`])
  delete process.env.HTTP_PROXY
  expect(said.code).toBe(0)
})

test("status --json is what the listener said", async () => {
  answer = () => Response.json(fleet)
  const { code, out } = await ask("status", "--json")
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual(fleet)
})

test("something else at the address is not taken for bunlb", async () => {
  for (const other of ["<html>", "{}", "null"]) {
    answer = () => new Response(other)
    expect(await ask("status")).toEqual({
      code: 1,
      out: "",
      complaints: "bunlb: the admin address answered 200 and no status: is it bunlb's?",
    })
  }
})

test("status is a table", async () => {
  answer = () => Response.json(fleet)
  expect((await ask("status")).out).toContain("BACKEND")
  const found = { name: "dns+http://a:80", members: ["10.0.0.1:80"], lookups: {} as never }
  const discovered = [
    { ...found, stale: "" },
    { ...found, stale: "ENOTFOUND", members: [] },
  ]
  expect(
    statusPage({ ...fleet, discovered }, NOW)
      .split("\n")
      .slice(1, 3),
  ).toEqual([
    "dns+http://a:80: 1 backend",
    "dns+http://a:80: 0 backends, does not resolve (ENOTFOUND)",
  ])
  expect(statusPage({ ...fleet, draining: true }, NOW)).toBe(
    `bunlb 1.2.3, port 8080, up 1d 2h, draining

BACKEND                       STATE         SINCE  WEIGHT  ACTIVE  IDLE  REQUESTS  FAILURES  REASON
127.0.0.1:9001                up            -           1       3    12    123456         0
b.example.com:443 tls backup  degraded 1/2  12s        10       0     0         7         3  3 failures, last: connect refused

WORKER   PID  STATE  UP     CLIENTS  IN FLIGHT  RESTARTS
0       4711  ready  1m 1s       12          3         0
1          -  down   0s           0          0         2`,
  )
})
