/** TLS that goes wrong in other ways than by its certificate: silence, other protocols, breaks in the stream. */
import { createServer, connect } from "node:net"
import type { AddressInfo, Server } from "node:net"
import { afterEach, expect } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { GET, over, plainServer, tlsBackend } from "./tls-backend.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

const POST = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\nhi"

const relays = new Set<Server>()
afterEach(() => {
  for (const relay of relays) relay.close()
  relays.clear()
})

/** Passes bytes between bunlb and the backend at `port`; `change` may alter those of the backend. */
async function relayTo(port: number, change: (bytes: Buffer) => void): Promise<{ port: number }> {
  const relay = createServer((near) => {
    const far = connect(port, "127.0.0.1")
    for (const socket of [near, far]) socket.on("error", () => {})
    near.on("data", (bytes) => far.write(bytes))
    far.on("data", (bytes: Buffer) => {
      change(bytes)
      near.write(bytes)
    })
    near.on("close", () => far.destroy())
    far.on("close", () => near.destroy())
  })
  relays.add(relay)
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve))
  return { port: (relay.address() as AddressInfo).port }
}

const silent: ConnectionHandler = async (connection) => {
  await connection.receiveRest(60_000)
}

test("a backend that accepts and never shakes hands: 504 within the handshake limit", async () => {
  using backend = await ScriptedBackend.start(silent)
  const timeouts = { connect: 60_000, tlsHandshake: 200 }
  const balancer = await TestBalancer.start([over(backend)], { timeouts })
  const client = await RawClient.connect(balancer.port)
  const began = performance.now()
  const response = await client.exchange(GET)
  const took = performance.now() - began
  expect(response.status).toBe(504)
  expect(response.body.toString()).toContain("TLS handshake timed out")
  // Up to two sweeps: one that sees TCP stand, one that ends the wait.
  expect(took).toBeGreaterThanOrEqual(200)
  expect(took).toBeLessThan(1000)
  expect(balancer.figure("bunlb_backend_failures_total", "TLS handshake timed out")).toBe(1)
  await backend.connections[0]?.closed()
})

test("the handshake has its own limit, not what the connection left over", async () => {
  using slow = await ScriptedBackend.start(silent)
  const timeouts = { connect: 100, tlsHandshake: 600 }
  const balancer = await TestBalancer.start([over(slow)], { timeouts })
  const client = await RawClient.connect(balancer.port)
  const began = performance.now()
  const response = await client.exchange(GET)
  expect(response.body.toString()).toContain("TLS handshake timed out")
  expect(performance.now() - began).toBeGreaterThanOrEqual(600)
})

test("a silent backend costs others nothing: the next one answers", async () => {
  using backend = await ScriptedBackend.start(silent)
  using fine = await tlsBackend()
  const timeouts = { tlsHandshake: 100 }
  const balancer = await TestBalancer.start([over(backend), over(fine)], { timeouts })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(200)
  expect((await client.exchange(POST)).status).toBe(200)
})

test("a backend that closes in the handshake is 502, with that reason", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveBytes(1)
    await connection.close()
  })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(GET)
  expect(response.status).toBe(502)
  expect(response.body.toString()).toMatch(/TLS: closed in handshake|connection reset/)
})

test("TLS spoken to a plain port: 502 that says so, and no request", async () => {
  using backend = await ScriptedBackend.start(plainServer)
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(POST)
  expect(response.status).toBe(502)
  expect(response.body.toString()).toContain("TLS handshake failed: wrong version number")
  expect(backend.connections[0]?.received.toString("latin1")).not.toContain("POST")
})

test("plain text spoken to a TLS port: 502, and it is counted", async () => {
  using backend = await tlsBackend()
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  for (let request = 0; request < 3; request++) {
    expect((await client.exchange(GET)).status).toBe(502)
  }
  expect(balancer.figure("bunlb_backend_failures_total")).toBeGreaterThanOrEqual(3)
  expect(backend.scripted.requests).toEqual([])
})

test("one altered bit: the client sees a cut, and it is no fault of bunlb's own", async () => {
  const body = "x".repeat(4000)
  using backend = await tlsBackend({
    handler: async (connection) => {
      await connection.receiveRequest()
      // Ends by close: a break that passed for a close would look whole.
      await connection.send(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${body}`)
      await connection.receiveUntil("go")
    },
  })
  let spoil = false
  const relay = await relayTo(backend.port, (bytes) => {
    if (spoil && bytes.length > 0) bytes[bytes.length - 1] = 1 ^ (bytes.at(-1) ?? 0)
  })
  const balancer = await TestBalancer.start([over(relay)])
  const client = await RawClient.connect(balancer.port)
  void client.send(GET)
  await client.receiveUntil(body)
  spoil = true
  await backend.scripted.connections[0]?.send("more")
  expect(await client.closed()).toEqual({ by: "reset" })
  expect(balancer.figure("bunlb_truncated_responses_total")).toBe(1)
  expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
})

test("a pooled connection closed by the backend: GET is sent again, POST goes out on a fresh one", async () => {
  using backend = await tlsBackend({
    handler: async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(200, "first"))
      await connection.receiveUntil("never").catch(() => {})
    },
  })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  const methods = ["GET", "POST", "POST", "GET", "POST"]
  for (const method of methods) {
    const idle = backend.scripted.connections.at(-1)
    const response = client.exchange(method === "GET" ? GET : POST)
    // In the kernel already when bunlb reads the request, and not yet heard of by its event loop.
    idle?.reset()
    expect((await response).status).toBe(200)
  }
  expect(backend.scripted.requests.map((each) => each.method)).toEqual(methods)
  expect(balancer.changes).toEqual([])
})

test("an alert after the handshake is the backend's failure, told without alarm", async () => {
  // In TLS 1.3 a server refuses a client without certificate when the client's handshake is long over.
  const tls = { ...certificates().good, requestCert: true, rejectUnauthorized: true }
  using backend = await ScriptedBackend.start(silent, { tls })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(POST)).status).toBe(502)
  await until(() => balancer.report().inFlight === 0, PATIENCE_MS, "the end of the request")
  expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
})
