/** What the kernel says about a connection, and that a changed `errno` is never taken for the loss of one. */
import { afterEach, describe, expect } from "bun:test"
import type { Socket } from "bun"
import { DirectSocket } from "../../../src/net/linux/direct-socket.ts"
import { Kernel } from "../../../src/net/linux/kernel.ts"
import { libc } from "../../../src/net/linux/libc.ts"
import { hasFailed, isOver, isQuiet, unacknowledged } from "../../../src/net/linux/peek.ts"
import { Poller } from "../../../src/net/linux/poller.ts"
import { onLinux } from "../../support/left-out.ts"
import { shrinkReceiving, shrinkSending } from "../../support/socket-buffers.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"

const test = onLinux("asking the kernel about connections", "the sockets asked about are direct")

const cleanups: (() => void)[] = []
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()))

/** A connection whose `near` end Bun no longer reads, so that its descriptor is ours to ask about. */
async function pair() {
  const received: string[] = []
  const accepted = Promise.withResolvers<Socket<undefined>>()
  const listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => accepted.resolve(socket),
      data: (_socket, bytes) => void received.push(bytes.toString()),
    },
  })
  const near = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    allowHalfOpen: true,
    socket: { data() {} },
  })
  near.pause()
  const far = await accepted.promise
  cleanups.push(() => {
    libc().close(fd)
    near.terminate()
    far.terminate()
    listener.stop(true)
  })
  // Bun closes its own descriptor at a reset.
  const fd = libc().dup(fdOf(near))
  return { near, far, fd, farFd: fdOf(far), received }
}

function fdOf(socket: object): number {
  return "fd" in socket ? Number(socket.fd) : -1
}

const turns = (): Promise<void> => Bun.sleep(10)
const socketOf = (fd: number) => ({ fd }) as unknown as DirectSocket

describe("the kernel says", () => {
  test("of a silent connection: quiet, neither over nor failed, nothing unacknowledged", async () => {
    const { fd } = await pair()
    expect([isQuiet(socketOf(fd)), isOver(fd), hasFailed(fd)]).toEqual([true, false, false])
    expect(unacknowledged(fd)).toBe(0)
  })

  test("of one with a byte, with a FIN, with a reset: not quiet", async () => {
    const [byte, fin, reset] = [await pair(), await pair(), await pair()]
    byte.far.write("x")
    fin.far.shutdown()
    reset.far.terminate()
    await turns()
    for (const { fd } of [byte, fin, reset]) expect(isQuiet(socketOf(fd))).toBe(false)
    expect([isOver(byte.fd), isOver(fin.fd)]).toEqual([false, false])
    expect(isOver(reset.fd)).toBe(true)
  })

  test("of a reset whose reason somebody has taken: over all the same", async () => {
    const { fd, far } = await pair()
    far.terminate()
    await turns()
    new Kernel().connectFault(fd)
    expect([isOver(fd), hasFailed(fd)]).toEqual([true, false])
  })

  test("how many bytes a peer that does not read has still to acknowledge, its FIN included", async () => {
    const { near, fd, far, farFd } = await pair()
    far.pause()
    shrinkReceiving(farFd, 64 * 1024)
    shrinkSending(fd, 1024 * 1024)
    near.write("x".repeat(500_000))
    await turns()
    const waiting = unacknowledged(fd)
    expect(waiting).toBeGreaterThan(100_000)
    libc().shutdown(fd, 1)
    expect(unacknowledged(fd)).toBe(waiting + 1)
    far.resume()
    await until(() => unacknowledged(fd) === 0, PATIENCE_MS, "the acknowledgement")
  })

  test("of no descriptor: not quiet, over, nothing unacknowledged", () => {
    expect([isQuiet(socketOf(-1)), isOver(-1), unacknowledged(-1)]).toEqual([false, true, 0])
    expect([isQuiet(socketOf(99_999)), isOver(99_999)]).toEqual([false, true])
  })
})

/** Fails a few calls as the kernel may, and has other calls leave another reason in `errno`. */
class Clobbered extends Kernel {
  failures = 0

  override receive(fd: number, address: number, length: number): number {
    return this.failures > 0 ? this.#fail() : super.receive(fd, address, length)
  }

  override send(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.failures > 0 ? this.#fail() : super.send(fd, bytes, from, length)
  }

  #fail(): number {
    this.failures--
    // EBADF, the reason of another call than the one that failed.
    libc().close(-1)
    return -1
  }
}

describe("a call that fails while the connection stands, with a reason that is not its own,", () => {
  test("is no loss, neither of what comes nor of what goes", async () => {
    const kernel = new Clobbered()
    const epoll = kernel.createEpoll()
    const { fd, far, received } = await pair()
    const events: string[] = []
    const socket = new DirectSocket(new Poller(kernel, epoll, -1), libc().dup(fd), null)
    socket.owner = {
      received: (bytes) => events.push(bytes.toString()),
      drained: () => events.push("drained"),
      ended: () => events.push("ended"),
      closed: (reset) => events.push(reset ? "reset" : "closed"),
      crashed: (error) => events.push(error.message),
    }
    cleanups.push(() => {
      socket.terminate()
      kernel.close(epoll)
    })
    kernel.failures = 2
    far.write("in")
    await until(() => events.includes("in"), PATIENCE_MS, "the bytes")
    kernel.failures = 1
    expect(socket.write(Buffer.from("out"), 0, 3)).toBe(0)
    await until(() => events.includes("drained"), PATIENCE_MS, "room")
    expect(socket.write(Buffer.from("out"), 0, 3)).toBe(3)
    await until(() => received.join("") === "out", PATIENCE_MS, "the bytes at the peer")
    expect(events).toEqual(["in", "drained"])
  })
})
