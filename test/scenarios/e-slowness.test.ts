/** Scenarios 32 and 33: clients that trickle, and readers that do not read. */
import { describe, expect, test as oneByOne } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"
import type { Wire } from "../support/wire.ts"
import { Stage } from "./driver.ts"
import { sideBySide } from "../support/side-by-side.ts"

const test = sideBySide()

const MIB = 2 ** 20
const BLOCK = Buffer.alloc(64 * 1024, "bunlb ")

/** Sends `length` bytes (a multiple of a block) as fast as they are taken, and returns their hash. */
async function stream(wire: Wire, length: number): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256")
  for (let sent = 0; sent < length; sent += BLOCK.length) {
    if (!(await wire.send(BLOCK))) break
    hasher.update(BLOCK)
  }
  return hasher.digest("hex")
}

/** Hashes the next `length` bytes without keeping them. */
async function hashOf(wire: Wire, length: number): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256")
  let received = 0
  wire.sink((bytes) => {
    received += bytes.length
    hasher.update(bytes)
  })
  await until(() => received >= length, 15_000, `${length} bytes`)
  return hasher.digest("hex")
}

describe("32: a client that trickles", () => {
  const head =
    "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"
  const timeouts = { clientHead: 300, clientIdle: 5000, clientBody: 300 }

  /** A byte each 40 ms: always far less than the limit after the last one. */
  async function trickle(client: RawClient, bytes: string): Promise<void> {
    for (const byte of bytes) {
      if (client.ending !== null || !(await client.send(byte))) return
      await Bun.sleep(40)
    }
  }

  test.each([
    ["its head", ""],
    ["its second head", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["its head, cut after half of a line", "GET / HTTP/1.1\r\nHo"],
  ])("%s gets 408 when client_head is over, however steadily it comes", async (_what, first) => {
    using stage = await Stage.open({ timeouts })
    const client = await stage.connect()
    if (first.endsWith("\r\n\r\n")) await client.exchange(first)
    else await client.send(first)
    const began = performance.now()
    void trickle(client, first === "" || first.endsWith("\r\n\r\n") ? head : `st: ${head}`)
    expect((await client.receiveResponse()).status).toBe(408)
    expect(performance.now() - began).toBeWithin(290, 1000)
    expect(stage.backend.requests.filter(({ head }) => head.includes("X-Slow"))).toEqual([])
    await client.close()
    await comesToRest(stage.balancer)
  })

  test("a body without progress for client_body gets 408", async () => {
    using stage = await Stage.open({ timeouts })
    const client = await stage.connect()
    await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    expect((await client.receiveResponse({}, 1500)).status).toBe(408)
    expect(stage.backend.requests).toHaveLength(0)
    await client.close()
    await comesToRest(stage.balancer)
  })

  test("a deadline survives every change of phase: head, body, response, next head", async () => {
    using stage = await Stage.open({ timeouts: { ...timeouts, clientIdle: 300 } })
    for (const stop of [
      "",
      "GET / ",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
    ]) {
      const client = await stage.connect()
      await client.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
      if (stop !== "") await client.send(stop)
      await client.closed(1500)
      await client.close()
    }
    await comesToRest(stage.balancer)
  })
})

describe("33: a reader that does not read", () => {
  oneByOne(
    "20 of them hold back 64 MiB each, and memory does not grow by it",
    async () => {
      using backend = await ScriptedBackend.start(async (connection) => {
        for (;;) {
          const { target } = await connection.receiveRequest()
          if (target === "/small") await connection.send(answer(200, "small"))
          else {
            await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * MIB}\r\n\r\n`)
            await stream(connection, 64 * MIB)
          }
        }
      })
      const balancer = await TestBalancer.start([backend.port])
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      const readers: RawClient[] = []
      for (let i = 0; i < 20; i++) {
        const reader = await RawClient.connect(balancer.port)
        reader.pause()
        await reader.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        readers.push(reader)
      }
      const drawn = (): number => balancer.figure("bunlb_bytes_total", "from_backend")
      let last = -1
      await until(() => drawn() === last || ((last = drawn()), false), 10_000, "a standstill")
      const other = await RawClient.connect(balancer.port)
      const times: number[] = []
      for (let i = 0; i < 200; i++) {
        const began = performance.now()
        await other.exchange("GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
        times.push(performance.now() - began)
      }
      // The median and not the 99th percentile: other tests share this machine.
      expect(times.toSorted((a, b) => a - b)[100]).toBeLessThan(10)
      // Backend and readers live in this process too; what counts is that it is not 20 times 64 MiB.
      expect(process.memoryUsage.rss() - before).toBeLessThan(20 * 4 * MIB)
      for (const reader of readers.slice(1)) reader.reset()
      const [reader] = readers
      if (reader === undefined) throw new Error("no reader")
      reader.resume()
      await reader.receiveUntil("\r\n\r\n")
      const expected = new Bun.CryptoHasher("sha256")
      for (let i = 0; i < 64 * 16; i++) expected.update(BLOCK)
      expect(await hashOf(reader, 64 * MIB)).toBe(expected.digest("hex"))
      await reader.close()
      await other.close()
      await comesToRest(balancer)
      expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    },
    30_000,
  )

  oneByOne(
    "a backend that stalls holds back an upload of 64 MiB, which arrives whole",
    async () => {
      const arrived = Promise.withResolvers<BackendConnection>()
      using backend = await ScriptedBackend.start(async (connection) => {
        await connection.receiveRequestHead()
        connection.pause()
        arrived.resolve(connection)
      })
      const balancer = await TestBalancer.start([backend.port])
      const client = await RawClient.connect(balancer.port)
      await client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${64 * MIB}\r\n\r\n`)
      const far = await arrived.promise
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      const sent = stream(client, 64 * MIB)
      await Bun.sleep(300)
      const taken = (): number => balancer.figure("bunlb_bytes_total", "from_client")
      expect(taken()).toBeLessThan(48 * MIB)
      expect(process.memoryUsage.rss() - before).toBeLessThan(32 * MIB)
      far.resume()
      const received = hashOf(far, 64 * MIB)
      expect(await received).toBe(await sent)
      await far.send(answer(200, "all of it"))
      expect((await client.receiveResponse()).body.toString()).toBe("all of it")
      await client.close()
      await comesToRest(balancer)
    },
    30_000,
  )
})
