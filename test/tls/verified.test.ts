/** Backends over TLS whose certificates are good: names, versions, sessions, pools. */
import { networkInterfaces } from "node:os"
import { expect } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import { isLeftOut } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { GET, TLS_1_2, TLS_1_3, over, tlsBackend } from "./tls-backend.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

/** Ends the connection after one answer, so that the next request needs another dial. */
const once: ConnectionHandler = async (connection) => {
  await connection.receiveRequest()
  await connection.send(answer(200, "once", "Connection: close"))
  await connection.close()
}

test.each([
  ["localhost", TLS_1_3, { version: "TLSv1.3", name: "localhost", resumed: false }],
  ["localhost", TLS_1_2, { version: "TLSv1.2", name: "localhost", resumed: false }],
  ["127.0.0.1", TLS_1_3, { version: "TLSv1.3", name: "none", resumed: false }],
  ["127.0.0.1", TLS_1_2, { version: "TLSv1.2", name: "none", resumed: false }],
])("%s, version %p: SNI for a name alone, one connection for all", async (host, version, seen) => {
  using backend = await tlsBackend({ maxVersion: version })
  const balancer = await TestBalancer.start([over(backend, { host })])
  const client = await RawClient.connect(balancer.port)
  for (let round = 0; round < 5; round++) {
    const response = await client.exchange(GET)
    expect([response.status, response.body.toString()]).toEqual([200, "secure"])
  }
  expect(backend.handshakes).toEqual([seen])
  expect(balancer.figure("bunlb_pool_reuses_total")).toBe(4)
  expect(balancer.report().backends[0]).toMatchObject({ tls: true, healthy: true, idle: 1 })
  expect(backend.scripted.requests[0]?.field("host")).toBe(`${host}:${backend.port}`)
  expect(backend.scripted.requests[0]?.field("x-forwarded-host")).toBe("shop.example")
})

test.each([
  ["localhost", TLS_1_3],
  ["localhost", TLS_1_2],
  ["127.0.0.1", TLS_1_3],
  ["127.0.0.1", TLS_1_2],
])("%s, version %p: every dial but the first resumes the session", async (host, version) => {
  using backend = await tlsBackend({ maxVersion: version, handler: once })
  const balancer = await TestBalancer.start([over(backend, { host })])
  for (let dial = 0; dial < 4; dial++) {
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(GET)).status).toBe(200)
  }
  expect(backend.handshakes.map(({ resumed }) => resumed)).toEqual([false, true, true, true])
  expect(balancer.figure("bunlb_dials_total")).toBe(4)
})

test("a session is never offered under another name", async () => {
  using backend = await tlsBackend({ handler: once, host: "0.0.0.0" })
  const balancer = await TestBalancer.start([
    over(backend),
    over(backend, { host: "127.0.0.1" }),
    // The certificate is not for this address, so a session that crossed over would be a hole.
    over(backend, { host: "127.0.0.2" }),
  ])
  const statuses = new Map<number, number>()
  for (let request = 0; request < 6; request++) {
    const client = await RawClient.connect(balancer.port)
    const { status } = await client.exchange(GET)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  expect(statuses).toEqual(new Map([[200, 6]]))
  const seen = backend.handshakes
  const first = (name: string) => seen.find((each) => each.name === name)?.resumed
  expect([first("localhost"), first("none")]).toEqual([false, false])
  expect(seen.filter(({ resumed }) => resumed).length).toBeGreaterThanOrEqual(2)
  const [, , stranger] = balancer.report().backends
  expect(stranger).toMatchObject({ requests: 0, failures: 2 })
  expect(balancer.figure("bunlb_backend_failures_total", "certificate is for another host")).toBe(2)
})

test("a discovered backend proves that it has the name it was found by, and another name is another", async () => {
  using backend = await tlsBackend()
  const found = (name: string) =>
    over(backend, { host: "127.0.0.1", member: { of: `dns+https://${name}`, host: name } })
  const balancer = await TestBalancer.start([found("localhost")])
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(200)
  expect(backend.handshakes).toEqual([{ version: "TLSv1.3", name: "localhost", resumed: false }])
  expect(backend.scripted.requests[0]?.field("host")).toBe(`localhost:${backend.port}`)
  await balancer.apply([found("other.example")])
  expect((await client.exchange(GET)).status).toBe(502)
  expect(balancer.figure("bunlb_backend_failures_total", "certificate is for another host")).toBe(1)
})

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
)

const addressOnlyAt = async (host: string): Promise<void> => {
  using backend = await tlsBackend({
    certificate: certificates().addressOnly,
    handler: once,
    host,
  })
  const balancer = await TestBalancer.start([over(backend, { host })], { tlsTrace: true })
  for (let dial = 0; dial < 2; dial++) {
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(GET)).status).toBe(200)
  }
  expect(backend.handshakes.map(({ resumed }) => resumed)).toEqual([false, true])
  expect(balancer.lines.map((line) => line.split(", ").at(-1))).toEqual(["verified", "verified"])
  const bracketed = host === "::1" ? "[::1]" : host
  expect(backend.scripted.requests[0]?.field("host")).toBe(`${bracketed}:${backend.port}`)
}

test("a certificate for addresses alone is good at 127.0.0.1", () => addressOnlyAt("127.0.0.1"))
const noIpv6 = isLeftOut("TLS at ::1", hasIpv6, "this machine has no such address")
test.skipIf(noIpv6)("and at ::1", () => addressOnlyAt("::1"))

test("a session is never offered to the same host on another port", async () => {
  using one = await tlsBackend({ handler: once })
  using two = await tlsBackend({ handler: once })
  const balancer = await TestBalancer.start([over(one), over(two)])
  for (let request = 0; request < 4; request++) {
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(GET)).status).toBe(200)
  }
  for (const backend of [one, two]) {
    const resumed = backend.handshakes.map((each) => each.resumed)
    expect(resumed).toEqual([false, true])
  }
})

test("a CA of its own for each backend", async () => {
  const { unknownCa, caFile, unknownCaFile } = certificates()
  using one = await tlsBackend()
  using two = await tlsBackend({ certificate: unknownCa })
  const right = await TestBalancer.start([
    over(one, { ca: caFile }),
    over(two, { ca: unknownCaFile }),
  ])
  const client = await RawClient.connect(right.port)
  for (let request = 0; request < 4; request++) {
    expect((await client.exchange(GET)).status).toBe(200)
  }
  expect([one.scripted.requests.length, two.scripted.requests.length]).toEqual([2, 2])

  const crossed = await TestBalancer.start([over(one, { ca: unknownCaFile })])
  const other = await RawClient.connect(crossed.port)
  expect((await other.exchange(GET)).status).toBe(502)
})

test("plain and TLS backends side by side; only the TLS one gets its own name as Host", async () => {
  using secure = await tlsBackend()
  using plain = await ScriptedBackend.start(answering(() => "plain"))
  const balancer = await TestBalancer.start([over(secure), plain.port])
  const client = await RawClient.connect(balancer.port)
  for (let request = 0; request < 4; request++) {
    expect((await client.exchange(GET)).status).toBe(200)
  }
  expect(secure.scripted.requests.map((each) => each.field("host"))).toEqual([
    `localhost:${secure.port}`,
    `localhost:${secure.port}`,
  ])
  expect(plain.requests.map((each) => each.field("host"))).toEqual(["shop.example", "shop.example"])
})

test("host_header goes before the backend's name", async () => {
  using backend = await tlsBackend()
  const balancer = await TestBalancer.start([over(backend)], { hostHeader: "api.example" })
  const client = await RawClient.connect(balancer.port)
  await client.exchange(GET)
  expect(backend.scripted.requests[0]?.field("host")).toBe("api.example")
})

test("probes verify and keep to their own connections", async () => {
  using backend = await tlsBackend()
  const balancer = await TestBalancer.start([over(backend)], {
    health: { type: "http", interval: 100, timeout: 1000 },
  })
  await until(() => backend.scripted.requests.length >= 3, PATIENCE_MS, "three probes")
  expect(backend.scripted.requests.every((each) => each.field("connection") === "close")).toBe(true)
  expect(new Set(backend.scripted.requests.map((each) => each.connection)).size).toBe(
    backend.scripted.requests.length,
  )
  expect(balancer.figure("bunlb_probes_total", 'result="ok"')).toBeGreaterThanOrEqual(2)
  expect(balancer.figure("bunlb_probes_total", 'result="failed"')).toBe(0)
})
