/** Large bodies over TLS: every byte arrives, in both directions, and nothing piles up on the way. */
import { expect, setDefaultTimeout } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { rng } from "../support/until.ts"
import type { Wire } from "../support/wire.ts"
import { over, tlsBackend } from "./tls-backend.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

setDefaultTimeout(30_000)

const MIB = 1024 * 1024
const SIZE = 100 * MIB
const LIMIT_MS = 30_000

/** Of a length that no block of TLS divides, so that a lost or repeated block shows. */
const piece = rng(7).bytes(MIB - 13)

function* pieces(total: number): Generator<Buffer> {
  for (let left = total; left > 0; left -= piece.length) {
    yield left < piece.length ? piece.subarray(0, left) : piece
  }
}

async function sendAll(wire: Wire): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256")
  for (const each of pieces(SIZE)) {
    hash.update(each)
    await wire.send(each)
  }
  return hash.digest("hex")
}

/** Hashes what comes until there are `SIZE` bytes of it. */
function hashAll(wire: Wire): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const hash = new Bun.CryptoHasher("sha256")
  let left = SIZE
  wire.sink((bytes) => {
    hash.update(bytes)
    left -= bytes.length
    if (left <= 0) resolve(left === 0 ? hash.digest("hex") : `${-left} bytes too many`)
  })
  return promise
}

test("100 MiB up and 100 MiB down arrive as they were sent", async () => {
  const received = Promise.withResolvers<string>()
  const answered = Promise.withResolvers<string>()
  using backend = await tlsBackend({
    handler: async (connection) => {
      await connection.receiveRequestHead()
      received.resolve(await hashAll(connection))
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
      answered.resolve(await sendAll(connection))
    },
  })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  void client.send(`PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${SIZE}\r\n\r\n`)
  const sent = await sendAll(client)
  await client.receiveUntil("\r\n\r\n", LIMIT_MS)
  const got = hashAll(client)
  expect(await received.promise).toBe(sent)
  expect(await got).toBe(await answered.promise)
  expect(balancer.figure("bunlb_bytes_total", "to_client")).toBeGreaterThan(SIZE)
})

test("a reader that stops does not make bunlb read the backend dry", async () => {
  let sent = 0
  using backend = await tlsBackend({
    handler: async (connection) => {
      await connection.receiveRequest()
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
      for (const each of pieces(SIZE)) {
        if (!(await connection.send(each))) return
        sent += each.length
      }
    },
  })
  const balancer = await TestBalancer.start([over(backend)])
  const client = await RawClient.connect(balancer.port)
  const hash = new Bun.CryptoHasher("sha256")
  for (const each of pieces(SIZE)) hash.update(each)
  void client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
  await client.receiveUntil("\r\n\r\n")
  client.pause()
  let before = -1
  while (before !== sent) {
    before = sent
    await Bun.sleep(200)
  }
  // What the sockets of both connections hold, and one outbox.
  expect(sent).toBeLessThan(40 * MIB)
  const all = hashAll(client)
  client.resume()
  expect(await all).toBe(hash.digest("hex"))
})
