/**
 * Backends by name. The name server is the one thing that is not real here: the test answers in its place. The
 * addresses are real ones of this machine's loopback network, of which some have nobody listening.
 */
import { afterEach, describe, expect, test } from "bun:test"
import type { Lookup } from "../../src/net/names/resolver.ts"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { blackhole } from "../support/blackhole.ts"
import { onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"

let addresses: readonly string[] = []
const lookup: Lookup = async () => {
  if (addresses.length === 0) throw Object.assign(new Error("no"), { code: "ENOTFOUND" })
  return addresses.map((address) => ({ address, family: 4 as const, ttl: 1 }))
}
afterEach(() => void (addresses = []))

async function named(backend: ScriptedBackend, settings: SettingsPart = {}) {
  const part = { port: backend.port, host: "app.test", name: `app.test:${backend.port}` }
  const balancer = await TestBalancer.start([part], settings, null, lookup)
  return { balancer, client: await RawClient.connect(balancer.port) }
}

describe("a name with two addresses, one of them dead,", () => {
  test("serves every request, POST too, and counts no failure", async () => {
    addresses = ["127.0.0.9", "127.0.0.1"]
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const { balancer, client } = await named(backend, { pool: { idle: 0 } })
    for (let i = 0; i < 6; i++) {
      expect((await client.exchange(i % 2 === 0 ? get : post)).status).toBe(200)
    }
    // The dead one is dialled once, and is then avoided for a while.
    expect(balancer.figure("bunlb_dials_total", '"failed"')).toBe(1)
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    expect(balancer.figure("bunlb_failovers_total")).toBe(0)
    expect(balancer.report().backends[0]?.addresses).toEqual(addresses)
    await client.close()
    await comesToRest(balancer)
  })

  test("serves many requests at once, with probes between them", async () => {
    addresses = ["127.0.0.9", "127.0.0.1", "127.0.0.8"]
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const health = { type: "http", interval: 20, failures: 1 } as const
    const { balancer } = await named(backend, { pool: { idle: 0 }, health })
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => RawClient.connect(balancer.port)),
    )
    const statuses = await Promise.all(
      clients.map(async (client) => {
        const seen: number[] = []
        for (let i = 0; i < 40; i++) seen.push((await client.exchange(get)).status)
        return seen
      }),
    )
    expect(new Set(statuses.flat())).toEqual(new Set([200]))
    expect(balancer.changes).toHaveLength(0)
  })

  test("is healthy to probes", async () => {
    addresses = ["127.0.0.9", "127.0.0.1"]
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const { balancer } = await named(backend, {
      health: { type: "http", interval: 100, failures: 1 },
    })
    await until(() => balancer.figure("bunlb_probes_total", '"ok"') >= 4, 3000, "4 probes")
    expect(balancer.changes).toHaveLength(0)
  })
})

test("a name with all addresses dead is one failure a request", async () => {
  addresses = ["127.0.0.9", "127.0.0.8"]
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const { balancer, client } = await named(backend)
  expect((await client.exchange(get)).status).toBe(502)
  expect(balancer.figure("bunlb_dials_total", '"failed"')).toBe(2)
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(1)
})

onLinux("a backend at 127.0.0.2", "it is no address there")(
  "the addresses of a name take turns",
  async () => {
    addresses = ["127.0.0.1", "127.0.0.2"]
    using one = await ScriptedBackend.start(answering(() => "1"))
    using two = await ScriptedBackend.start(
      answering(() => "2"),
      {
        host: "127.0.0.2",
        port: one.port,
      },
    )
    const { client } = await named(one, { pool: { idle: 0 } })
    let answers = ""
    for (let i = 0; i < 6; i++) answers += (await client.exchange(get)).body.toString()
    expect(["121212", "212121"]).toContain(answers)
    expect(two.accepted).toBe(3)
  },
)

test("a name that does not resolve is 502, and served as soon as it does", async () => {
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const { balancer, client } = await named(backend, { health: { failures: 100 } })
  expect((await client.exchange(get)).status).toBe(502)
  addresses = ["127.0.0.1"]
  await until(() => balancer.report().backends[0]?.addresses.length === 1, 3000, "an address")
  expect((await client.exchange(get)).status).toBe(200)
})

test("idle connections to an address that the name has left are closed", async () => {
  addresses = ["127.0.0.1"]
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const { balancer, client } = await named(backend)
  await client.exchange(get)
  addresses = ["127.0.0.2"]
  expect(await backend.connections[0]?.closed(4000)).toEqual({ by: "end" })
  expect(balancer.figure("bunlb_backend_connections", 'state="idle"')).toBe(0)
})

test("while the name server fails the last answer serves on", async () => {
  addresses = ["127.0.0.1"]
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const { balancer, client } = await named(backend, { pool: { idle: 0 } })
  await client.exchange(get)
  addresses = []
  await until(() => balancer.lines.some((line) => line.includes("keeping 127.0.0.1")), 4000, "it")
  expect((await client.exchange(get)).status).toBe(200)
})

test("a name with many addresses that swallow every dial holds a request for retries.max of them more", async () => {
  addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"]
  using hole = await blackhole("0.0.0.0")
  const part = { port: hole.port, host: "app.test", name: "app.test" }
  const settings = { timeouts: { connect: 150 }, retries: { max: 1 } }
  const balancer = await TestBalancer.start([part], settings, null, lookup)
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get)).status).toBe(504)
  expect(balancer.figure("bunlb_dials_total", '"failed"')).toBe(2)
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(1)
  await client.close()
  await comesToRest(balancer)
})

onLinux("a backend at 127.0.0.2", "it is no address there")(
  "an address that swallows every dial holds up those who meet it first, and nobody after them",
  async () => {
    using hole = await blackhole("127.0.0.1")
    using backend = await ScriptedBackend.start(
      answering(() => "a"),
      { host: "127.0.0.2", port: hole.port },
    )
    addresses = ["127.0.0.1", "127.0.0.2"]
    const health = { type: "http", interval: 100, timeout: 600, failures: 1 } as const
    const timeouts = { connect: 600 }
    const { balancer } = await named(backend, { pool: { idle: 0 }, health, timeouts })
    const failed = (): number => balancer.figure("bunlb_dials_total", '"failed"')
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => RawClient.connect(balancer.port)),
    )
    const round = async (): Promise<void> => {
      const responses = await Promise.all(clients.map((client) => client.exchange(get)))
      expect(responses.map(({ status }) => status)).toEqual(clients.map(() => 200))
    }
    await round()
    const first = failed()
    expect(first).toBeLessThanOrEqual(clients.length)
    for (let i = 0; i < 5; i++) await round()
    expect(failed()).toBe(first)
    // A probe gives each address its part of the time, so that the backend is never unhealthy.
    await until(() => balancer.figure("bunlb_probes_total", '"ok"') >= 4, 5000, "4 probes")
    expect(balancer.changes).toHaveLength(0)
  },
)
