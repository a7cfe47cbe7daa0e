/**
 * Requests sent ahead by a client that reads slowly or not at all. Its socket buffers are as small as the kernel
 * lets them be, so that responses wait in bunlb and the test can see how much does.
 */
import { expect, test } from "bun:test"
import { Deadlines, type Deadlined } from "../../src/core/deadlines.ts"
import { openListeners } from "../../src/net/listeners.ts"
import { HIGH_WATER } from "../../src/net/outbox.ts"
import { ClientConnection } from "../../src/proxy/client/client-connection.ts"
import { comesToRest } from "../faults/quiet.ts"
import { type SettingsPart, TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { type BackendConnection, ScriptedBackend, answer } from "../support/scripted-backend.ts"
import { shrinkReceiving, shrinkSending } from "../support/socket-buffers.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const SMALL = 16 * 1024
const CHUNK = `4000\r\n${"x".repeat(16 * 1024)}\r\n`

/** The client connection that a balancer made last. */
let served: ClientConnection | null = null
const add = Deadlines.prototype.add
Deadlines.prototype.add = function (this: Deadlines, entry: Deadlined): void {
  if (entry instanceof ClientConnection) served = entry
  add.call(this, entry)
}

function waiting(): number {
  if (served === null) throw new Error("no client yet")
  return served.outbox.size
}

async function narrow(backend: ScriptedBackend, part: SettingsPart = {}) {
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  shrinkSending(fds[0] ?? -1, SMALL)
  const balancer = await TestBalancer.start([backend.port], { ...part, port }, fds[0])
  const client = await RawClient.connect(port)
  const socket = client.socket
  if (socket !== null && "fd" in socket) {
    shrinkReceiving(Number(socket.fd), SMALL)
  }
  return { balancer, client }
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

/** Sends a chunked response until so many bytes wait in bunlb, then its rest in one piece. */
async function fill(connection: BackendConnection, bytes: number, rest: string): Promise<void> {
  await connection.send("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
  while (waiting() < bytes) {
    await connection.send(CHUNK)
    for (let i = 0; i < 3; i++) await turn()
  }
  await connection.send(rest)
}

test("those that wait for a slow reader are served in their order", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      if (target !== "/1") await connection.send(answer(200, target))
      else await fill(connection, HIGH_WATER - 60_000, `${CHUNK.repeat(5)}0\r\n\r\n`)
    }
  })
  const { balancer, client } = await narrow(backend)
  client.pause()
  await client.send(get("/1"))
  const whole = (): boolean => balancer.figure("bunlb_requests_total") === 1
  await until(whole, PATIENCE_MS, "the first response")
  expect(waiting()).toBeGreaterThan(HIGH_WATER)
  await client.send(get("/2"))
  while (waiting() > HIGH_WATER) {
    client.resume()
    await turn()
    client.pause()
    await turn()
  }
  expect(waiting()).toBeGreaterThan(0)
  await client.send(get("/3"))
  for (let i = 0; i < 10; i++) await turn()
  client.resume()
  expect((await client.receiveResponse()).framing).toBe("chunked")
  expect((await client.receiveResponse()).body.toString()).toBe("/2")
  expect((await client.receiveResponse()).body.toString()).toBe("/3")
  expect(backend.requests.map(({ target }) => target)).toEqual(["/1", "/2", "/3"])
  await client.close()
  await comesToRest(balancer)
})

test("a client that sends two and reads nothing is cut off", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      await fill(connection, target === "/1" ? 50_000 : HIGH_WATER + 1, "0\r\n\r\n")
    }
  })
  const { balancer, client } = await narrow(backend, { timeouts: { clientRead: 500 } })
  client.pause()
  await client.send(get("/1") + get("/2"))
  await until(() => backend.requests.length === 2, PATIENCE_MS, "both requests")
  await comesToRest(balancer)
})

test("those that bunlb answers itself are all answered after a FIN", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await until(() => drained, PATIENCE_MS, "the drain")
    await connection.send(answer(200, "a"))
  })
  let drained = false
  const balancer = await TestBalancer.start([backend.port], { halfClose: true })
  const client = await RawClient.connect(balancer.port)
  await client.send(get("/").repeat(4))
  await client.halfClose()
  await until(() => backend.requests.length === 1, PATIENCE_MS, "the first request")
  await balancer.apply([{ port: backend.port, duty: "drain" }])
  drained = true
  expect((await client.receiveResponse()).status).toBe(200)
  for (let i = 0; i < 3; i++) expect((await client.receiveResponse()).status).toBe(503)
  expect(await client.closed()).toEqual({ by: "end" })
  await comesToRest(balancer)
})

test("5,000 that bunlb answers itself are answered in one go", async () => {
  const balancer = await TestBalancer.start([{ port: 1, duty: "drain" }])
  const client = await RawClient.connect(balancer.port)
  const count = 5_000
  void client.send(get("/").repeat(count))
  for (let i = 0; i < count; i++) expect((await client.receiveResponse()).status).toBe(503)
  await client.close()
  await comesToRest(balancer)
})
