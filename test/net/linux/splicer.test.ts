/** Bytes moved by the kernel from one real socket to another, and what becomes of those that it cannot hand over. */
import { afterEach, expect } from "bun:test"
import type { Socket } from "bun"
import { libc } from "../../../src/net/linux/libc.ts"
import { Kernel } from "../../../src/net/linux/kernel.ts"
import { poller } from "../../../src/net/linux/poller.ts"
import { Splicer, splicerOf } from "../../../src/net/linux/splicer.ts"
import { onLinux } from "../../support/left-out.ts"
import { PATIENCE_MS, rng, until } from "../../support/until.ts"

const test = onLinux("moving bytes in the kernel", "splice(2) is of Linux")

const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SMALL = new Uint8Array(new Int32Array([4096]).buffer)

const cleanups: (() => void)[] = []
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()))

/** Two ends of a connection. Of `near` nothing is read by Bun, so that its descriptor can be moved from and to. */
async function pair() {
  const accepted = Promise.withResolvers<Socket<undefined>>()
  const received: Buffer[] = []
  const listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => accepted.resolve(socket),
      data: (_socket, bytes) => void received.push(bytes),
    },
  })
  const near = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    socket: { data() {} },
  })
  near.pause()
  const far = await accepted.promise
  cleanups.push(() => {
    near.terminate()
    far.terminate()
    listener.stop(true)
  })
  const fd = "fd" in near ? Number(near.fd) : -1
  return { fd, far, received: () => Buffer.concat(received) }
}

function splicer() {
  const direct = poller()
  if (direct === null) throw new Error("no poller here")
  return splicerOf(direct)
}

test("bytes arrive as they were, no more of them than allowed", async () => {
  const from = await pair()
  const to = await pair()
  const bytes = rng(1).bytes(20_000)
  from.far.write(bytes)
  await Bun.sleep(5)
  expect(splicer().move(from.fd, to.fd, 15_000)).toBe(15_000)
  expect(splicer().rest).toHaveLength(0)
  await until(() => to.received().length === 15_000, PATIENCE_MS, "what was allowed")
  expect(splicer().move(from.fd, to.fd, 15_000)).toBe(5_000)
  await until(() => to.received().length === 20_000, PATIENCE_MS, "the others")
  expect(to.received().equals(bytes)).toBe(true)
})

test("nothing to move is null, a FIN is 0, a reset is -1", async () => {
  const from = await pair()
  const to = await pair()
  expect(splicer().move(from.fd, to.fd, 1000)).toBeNull()
  from.far.end()
  await until(() => splicer().move(from.fd, to.fd, 1000) === 0, PATIENCE_MS, "the FIN")
  const other = await pair()
  other.far.terminate()
  await until(() => splicer().move(other.fd, to.fd, 1000) === -1, PATIENCE_MS, "the reset")
})

test("what the receiver does not take is the rest, in order, and the pipe is empty for the next", async () => {
  const from = await pair()
  const to = await pair()
  libc().setsockopt(to.fd, SOL_SOCKET, SO_SNDBUF, SMALL)
  to.far.pause()
  const bytes = rng(2).bytes(4_000_000)
  const kept: Buffer[] = []
  let moved = 0
  let at = 0
  while (moved < bytes.length) {
    at += Math.max(0, from.far.write(bytes, at))
    const count = splicer().move(from.fd, to.fd, bytes.length - moved) ?? 0
    if (count > 0) {
      moved += count
      kept.push(Buffer.from(splicer().rest))
      // From here on a real owner would write the rest first.
      if (splicer().rest.length > 0) break
    } else await Bun.sleep(1)
  }
  const rest = Buffer.concat(kept)
  expect(rest.length).toBeGreaterThan(0)
  to.far.resume()
  await until(() => to.received().length === moved - rest.length, PATIENCE_MS, "what was taken")
  expect(Buffer.concat([to.received(), rest]).equals(bytes.subarray(0, moved))).toBe(true)

  const next = await pair()
  const other = await pair()
  next.far.write("mine alone")
  await until(() => splicer().move(next.fd, other.fd, 100) === 10, PATIENCE_MS, "the next")
  await until(() => other.received().toString() === "mine alone", PATIENCE_MS, "its bytes")
})

test("a receiver that is gone leaves all of it as the rest", async () => {
  const from = await pair()
  const to = await pair()
  from.far.write("for nobody")
  to.far.terminate()
  await Bun.sleep(10)
  libc().shutdown(to.fd, 1)
  expect(splicer().move(from.fd, to.fd, 100)).toBe(10)
  expect(splicer().rest.toString()).toBe("for nobody")
})

test("where the kernel cannot move bytes they are left to be received, then and later", async () => {
  const kernel = new Kernel()
  const unable = new Splicer(kernel)
  const from = await pair()
  const to = await pair()
  const epoll = kernel.createEpoll()
  // Nothing can be moved out of an epoll descriptor: EINVAL, as a sandbox without splice says of a socket.
  for (let i = 0; i < 3; i++) expect(unable.move(epoll, to.fd, 100)).toBeNull()
  kernel.close(epoll)
  from.far.write("received")
  await Bun.sleep(5)
  expect(unable.move(from.fd, to.fd, 100)).toBeNull()
})
