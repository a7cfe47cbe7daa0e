/** Certificates that prove nothing: no byte of a request leaves, the client gets 502, the log names the fault. */
import { describe, expect } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import type { Certificate } from "../support/certificates.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { GET, TLS_1_2, TLS_1_3, over, plainServer, tlsBackend } from "./tls-backend.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

const { good, expired, wrongHost, selfSigned, unknownCa, addressOnly, addressUnknownCa } =
  certificates()
const POST =
  "POST /pay HTTP/1.1\r\nHost: shop.example\r\nAuthorization: secret\r\nContent-Length: 2\r\n\r\nhi"

const bad: readonly [string, Certificate, string][] = [
  ["expired", expired, "certificate expired"],
  ["for another host", wrongHost, "certificate is for another host"],
  ["self-signed", selfSigned, "certificate self-signed"],
  ["of an unknown CA", unknownCa, "certificate from an unknown CA"],
]
const cases = bad.flatMap(([name, certificate, fault]) =>
  ["localhost", "127.0.0.1"].flatMap((host) =>
    [TLS_1_2, TLS_1_3].map((version) => ({ name, certificate, fault, host, version })),
  ),
)

describe.each(cases)("$name, $host, version $version", ({ certificate, fault, host, version }) => {
  test("502, nothing sent, and the breaker opens", async () => {
    using backend = await tlsBackend({ certificate, maxVersion: version })
    const balancer = await TestBalancer.start([over(backend, { host })])
    const client = await RawClient.connect(balancer.port)
    for (const request of [GET, POST, GET]) {
      const response = await client.exchange(request)
      expect(response.status).toBe(502)
      expect(response.body.toString()).toContain(fault)
    }
    // The breaker is open, and with nobody better the backend is tried once more: no session helps it.
    expect((await client.exchange(GET)).status).toBe(502)
    expect(backend.scripted.accepted).toBe(4)
    expect(backend.scripted.connections.map((each) => each.bytesReceived)).toEqual([0, 0, 0, 0])
    expect(balancer.changes.map(({ healthy, reason }) => [healthy, reason])).toEqual([
      [false, `3 requests failed, last: ${fault}`],
    ])
    expect(balancer.figure("bunlb_backend_failures_total", `reason="${fault}"`)).toBe(4)
  })
})

test.each([
  ["for addresses alone, at a name", addressOnly, "localhost", "certificate is for another host"],
  [
    "of an unknown CA, at an address",
    addressUnknownCa,
    "127.0.0.1",
    "certificate from an unknown CA",
  ],
])("a certificate %s", async (_name, certificate, host, fault) => {
  using backend = await tlsBackend({ certificate })
  const balancer = await TestBalancer.start([over(backend, { host })])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(GET)
  expect([response.status, response.body.toString()]).toEqual([502, expect.stringContaining(fault)])
  expect(backend.scripted.connections[0]?.bytesReceived).toBe(0)
})

test("a good backend takes over from one with a bad certificate, also for POST", async () => {
  using bad = await tlsBackend({ certificate: expired })
  using fine = await tlsBackend()
  const balancer = await TestBalancer.start([over(bad), over(fine)])
  const client = await RawClient.connect(balancer.port)
  for (const request of [GET, POST, GET, POST, GET, POST]) {
    expect((await client.exchange(request)).status).toBe(200)
  }
  expect(bad.scripted.connections.every((each) => each.bytesReceived === 0)).toBe(true)
  expect(fine.scripted.requests.length).toBe(6)
})

test("without a CA file the system's CAs decide, and they do not know ours", async () => {
  using backend = await tlsBackend()
  const balancer = await TestBalancer.start([over(backend, { ca: null })])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(GET)
  expect(response.status).toBe(502)
  expect(response.body.toString()).toContain("certificate from an unknown CA")
  expect(backend.scripted.connections[0]?.bytesReceived).toBe(0)
})

test("NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing: only --insecure does", async () => {
  const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
  try {
    using backend = await tlsBackend({ certificate: selfSigned })
    const balancer = await TestBalancer.start([over(backend)])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(GET)).status).toBe(502)
    expect(backend.scripted.connections[0]?.bytesReceived).toBe(0)
  } finally {
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before
  }
})

test("a probe finds the fault before any request does", async () => {
  using backend = await tlsBackend({ certificate: wrongHost })
  const balancer = await TestBalancer.start([over(backend)], {
    health: { type: "tcp", interval: 100, timeout: 1000 },
  })
  await until(() => balancer.changes.length > 0, PATIENCE_MS, "the change")
  expect(balancer.changes[0]?.reason).toBe("3 probes failed, last: certificate is for another host")
  expect(backend.scripted.connections.every((each) => each.bytesReceived === 0)).toBe(true)
})

test.each(bad)("--insecure accepts a certificate %s", async (_name, certificate) => {
  for (const host of ["localhost", "127.0.0.1"]) {
    for (const maxVersion of [TLS_1_2, TLS_1_3]) {
      using backend = await tlsBackend({ certificate, maxVersion })
      const balancer = await TestBalancer.start([over(backend, { host })], { insecure: true })
      for (let dial = 0; dial < 3; dial++) {
        const client = await RawClient.connect(balancer.port)
        expect((await client.exchange(POST)).body.toString()).toBe("secure")
      }
      expect(balancer.changes).toEqual([])
    }
  }
})

test("--insecure is about certificates: what speaks no TLS is refused all the same", async () => {
  using backend = await ScriptedBackend.start(plainServer)
  const balancer = await TestBalancer.start([over(backend)], { insecure: true })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(POST)).status).toBe(502)
  expect(backend.connections[0]?.received.toString("latin1")).not.toContain("POST")
})

test("the certificates themselves are what this file says", async () => {
  using backend = await tlsBackend({ certificate: good })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(200)
})
