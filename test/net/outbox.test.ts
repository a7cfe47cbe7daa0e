/** What a socket does not take at once, on real sockets whose buffers are as small as the kernel lets them be. */
import { expect, test } from "bun:test"
import { Outbox } from "../../src/net/outbox.ts"
import type { TcpSocket } from "../../src/net/transport/socket.ts"
import { shrinkReceiving, shrinkSending } from "../support/socket-buffers.ts"
import { rng, until } from "../support/until.ts"

/** A connected pair: an outbox that writes, and everything that the other end has received. */
async function pair() {
  const outbox = new Outbox()
  const received: Buffer[] = []
  let shortWrites = 0
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_socket, bytes) => void received.push(bytes) },
  })
  if ("fd" in listener) shrinkReceiving(Number(listener.fd))
  const bun = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    socket: {
      data: () => {},
      drain: () => {
        const before = outbox.size
        outbox.flush(socket)
        if (outbox.size > 0 && outbox.size < before) shortWrites++
      },
    },
  })
  // `fd` is there, though Bun's types do not say so.
  const socket = bun as typeof bun & TcpSocket
  if ("fd" in socket) shrinkSending(Number(socket.fd))
  return {
    outbox,
    socket,
    received: () => Buffer.concat(received),
    shortWrites: () => shortWrites,
    [Symbol.dispose]: () => {
      socket.terminate()
      listener.stop(true)
    },
  }
}

test.each([1, 2, 3])("pieces of all sizes arrive in their order, seed %d", async (seed) => {
  using ends = await pair()
  const { outbox, socket } = ends
  const random = rng(seed)
  const expected: Buffer[] = []
  const scratch = Buffer.alloc(8192)
  for (let i = 0; i < 200; i++) {
    const length = random.pick([1, 10, 100, 3000, 5000, 8192] as const)
    const piece = random.bytes(length)
    expected.push(piece)
    // The next piece overwrites it.
    piece.copy(scratch)
    outbox.send(socket, scratch, 0, length)
    if (random.next() < 0.2) await new Promise((turn) => setImmediate(turn))
  }
  const all = Buffer.concat(expected)
  await until(() => ends.received().length >= all.length, 5000, "all bytes")
  expect(Bun.SHA256.hash(ends.received(), "hex")).toBe(Bun.SHA256.hash(all, "hex"))
  expect(outbox.size).toBe(0)
})

test("what the socket takes in parts is sent on from where it stopped", async () => {
  using ends = await pair()
  const bytes = rng(4).bytes(1_000_000)
  ends.outbox.send(ends.socket, bytes, 0, bytes.length)
  await until(() => ends.received().length >= bytes.length, 5000, "all bytes")
  expect(ends.received().equals(bytes)).toBe(true)
  expect(ends.shortWrites()).toBeGreaterThan(0)
})

test("after clear nothing is waiting, and what comes next is sent", async () => {
  using ends = await pair()
  const { outbox, socket } = ends
  outbox.send(socket, Buffer.alloc(4_000_000, "a"), 0, 4_000_000)
  outbox.send(socket, Buffer.from("aaa"), 0, 3)
  expect(outbox.size).toBeGreaterThan(0)
  outbox.clear()
  expect(outbox.size).toBe(0)
  outbox.send(socket, Buffer.from("b"), 0, 1)
  await until(() => ends.received().at(-1) === 98, 5000, "the last byte")
})

test("a socket that is gone takes nothing, says so and throws nothing", async () => {
  using ends = await pair()
  const { outbox, socket } = ends
  socket.terminate()
  expect(outbox.send(socket, Buffer.from("a"), 0, 1)).toBe(false)
  outbox.flush(socket)
  outbox.clear()
})

test("what has been sent is let go of, also when the outbox is never empty", async () => {
  using ends = await pair()
  const { outbox, socket } = ends
  const piece = Buffer.alloc(20_000)
  const before = held()
  let sent = 0
  for (let sends = 0; sends < 200;) {
    while (outbox.size < 100_000) {
      outbox.send(socket, piece, 0, piece.length)
      sent += piece.length
      sends++
    }
    await new Promise((turn) => setImmediate(turn))
    expect(outbox.size).toBeGreaterThan(0)
  }
  expect(held() - before - ends.received().length).toBeLessThan(60 * piece.length)
  await until(() => ends.received().length === sent, 5000, "all bytes")
})

/** Bytes of all buffers that somebody still holds. */
function held(): number {
  Bun.gc(true)
  return process.memoryUsage().arrayBuffers
}
