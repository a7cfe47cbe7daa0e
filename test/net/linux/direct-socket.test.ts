/** Sockets without Bun in between, against peers of Bun's: what their owner hears, in every state. */
import { afterEach, expect } from "bun:test"
import type { Socket } from "bun"
import { Acceptor } from "../../../src/net/acceptor.ts"
import { DirectSocket } from "../../../src/net/linux/direct-socket.ts"
import { libc } from "../../../src/net/linux/libc.ts"
import { openListeners } from "../../../src/net/listeners.ts"
import { poller } from "../../../src/net/linux/poller.ts"
import type { SocketOwner, TcpSocket } from "../../../src/net/transport/socket.ts"
import { onLinux } from "../../support/left-out.ts"
import { PATIENCE_MS, rng, until } from "../../support/until.ts"

const test = onLinux("direct sockets", "they are made of calls of Linux")

/** Writes down what it hears. */
class Witness implements SocketOwner {
  readonly events: string[] = []
  readonly pieces: Buffer[] = []
  onReceived: (bytes: Buffer) => void = () => {}

  constructor(
    readonly socket: TcpSocket,
    readonly address: string,
  ) {}

  received(bytes: Buffer): void {
    this.pieces.push(Buffer.from(bytes))
    this.onReceived(bytes)
  }

  drained(): void {
    this.events.push("drained")
  }

  ended(): void {
    this.events.push("ended")
  }

  closed(reset: boolean): void {
    this.events.push(reset ? "reset" : "closed")
  }

  crashed(error: Error): void {
    this.events.push(`crashed: ${error.message}`)
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString("latin1")
  }
}

const cleanups: (() => void)[] = []
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()))

interface Peer {
  readonly socket: Socket<undefined>
  readonly received: Buffer[]
  readonly events: string[]
}

interface Pair {
  readonly owner: Witness
  readonly peer: Peer
}

/** An accepted connection and its peer. */
async function connected(host = "127.0.0.1"): Promise<Pair> {
  const listeners = openListeners(host, 0, 1)
  let owner: Witness | null = null
  const acceptor = new Acceptor<Witness>(listeners.fds[0] ?? -1, poller(), (socket, address) => {
    return (owner = new Witness(socket, address))
  })
  acceptor.resume()
  const received: Buffer[] = []
  const events: string[] = []
  const socket = await Bun.connect({
    hostname: host,
    port: listeners.port,
    allowHalfOpen: true,
    socket: {
      data: (_socket, bytes) => void received.push(bytes),
      end: () => void events.push("ended"),
      close: (_socket, error) => void events.push(error ? "reset" : "closed"),
    },
  })
  await until(() => owner, PATIENCE_MS, "the connection")
  cleanups.push(() => {
    acceptor.close()
    owner?.socket.terminate()
    socket.terminate()
  })
  if (owner === null) throw new Error("not accepted")
  return { owner, peer: { socket, received, events } }
}

test("here sockets are direct", () => {
  expect(poller()).not.toBeNull()
})

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
])("a peer on %s is known by its address", async (host, address) => {
  const { owner } = await connected(host)
  expect(owner.address).toBe(address)
})

test("an IPv4 peer on a socket of both families is known by its IPv4 address", async () => {
  const listeners = openListeners("::", 0, 1)
  const addresses: string[] = []
  const acceptor = new Acceptor<Witness>(listeners.fds[0] ?? -1, poller(), (socket, address) => {
    addresses.push(address)
    return new Witness(socket, address)
  })
  acceptor.resume()
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: listeners.port,
    socket: { data() {} },
  })
  await until(() => addresses.length, PATIENCE_MS, "the connection")
  expect(addresses).toEqual(["127.0.0.1"])
  socket.terminate()
  acceptor.close()
})

test("bytes go both ways as they were, in large pieces and small", async () => {
  const { owner, peer } = await connected()
  const bytes = rng(7).bytes(3_000_000)
  owner.onReceived = (piece) => {
    // Less than the buffers hold together, so it is taken at once or in the second attempt.
    let sent = 0
    while (sent < piece.length) sent += owner.socket.write(piece, sent, piece.length - sent)
  }
  let from = 0
  const random = rng(8)
  while (from < bytes.length) {
    const to = Math.min(bytes.length, from + random.between(1, 200_000))
    let at = from
    while (at < to) {
      at += peer.socket.write(bytes, at, to - at)
      if (at < to) await Bun.sleep(1)
    }
    from = to
  }
  const total = (): number => peer.received.reduce((sum, piece) => sum + piece.length, 0)
  await until(() => total() === bytes.length, PATIENCE_MS, "all bytes back")
  expect(Buffer.concat(peer.received).equals(bytes)).toBe(true)
})

test("a short write says how much, and drained tells when there is room again", async () => {
  const { owner, peer } = await connected()
  peer.socket.pause()
  const bytes = Buffer.alloc(16 * 1024 * 1024, "x")
  const taken = owner.socket.write(bytes, 0, bytes.length)
  expect(taken).toBeGreaterThan(0)
  expect(taken).toBeLessThan(bytes.length)
  let full = 1
  while (full > 0) full = owner.socket.write(bytes, 0, bytes.length)
  expect(full).toBe(0)
  expect(owner.events).toEqual([])
  peer.socket.resume()
  await until(() => owner.events.length > 0, PATIENCE_MS, "room")
  expect(owner.events[0]).toBe("drained")
})

test("a head and a body go out in one call, and a short one says how much went", async () => {
  const { owner, peer } = await connected()
  const socket = owner.socket
  if (!(socket instanceof DirectSocket)) throw new Error("not direct")
  const head = Buffer.from("HEAD|unsent")
  const body = rng(9).bytes(50_000)
  expect(socket.writeBoth(head, 5, body, 10, 40_000)).toBe(40_005)
  const expected = Buffer.concat([head.subarray(0, 5), body.subarray(10, 40_010)])
  const received = (): Buffer => Buffer.concat(peer.received)
  await until(() => received().length === expected.length, PATIENCE_MS, "both")
  expect(received().equals(expected)).toBe(true)
  peer.socket.pause()
  const large = Buffer.alloc(16 * 1024 * 1024)
  const taken = socket.writeBoth(head, 5, large, 0, large.length)
  expect(taken).toBeGreaterThan(5)
  expect(taken).toBeLessThan(large.length)
  peer.socket.resume()
  await until(() => owner.events[0] === "drained", PATIENCE_MS, "room")
  socket.terminate()
  expect(socket.writeBoth(head, 5, body, 0, 1)).toBe(-1)
})

test("while paused nothing is received, after resume all of it", async () => {
  const { owner, peer } = await connected()
  owner.socket.pause()
  peer.socket.write("held back")
  await Bun.sleep(30)
  expect(owner.text).toBe("")
  owner.socket.resume()
  await until(() => owner.text === "held back", PATIENCE_MS, "the bytes")
})

test("pausing while a piece is dealt with stops the reading at once", async () => {
  const { owner, peer } = await connected()
  owner.onReceived = () => owner.socket.pause()
  const bytes = Buffer.alloc(2 * 1024 * 1024, "y")
  peer.socket.write(bytes)
  await until(() => owner.pieces.length > 0, PATIENCE_MS, "a piece")
  await Bun.sleep(30)
  expect(owner.pieces).toHaveLength(1)
})

test("a FIN is told once, and writing goes on", async () => {
  const { owner, peer } = await connected()
  peer.socket.write("last words")
  peer.socket.shutdown()
  await until(() => owner.events.length > 0, PATIENCE_MS, "the end")
  expect(owner.text).toBe("last words")
  owner.socket.write(Buffer.from("heard"), 0, 5)
  await until(() => Buffer.concat(peer.received).toString() === "heard", PATIENCE_MS, "an answer")
  expect(owner.events).toEqual(["ended"])
})

test("after our FIN the peer's closes the connection in good order", async () => {
  const { owner, peer } = await connected()
  owner.socket.shutdown()
  await until(() => peer.events.includes("ended"), PATIENCE_MS, "our end")
  peer.socket.shutdown()
  await until(() => owner.events.length > 0, PATIENCE_MS, "the close")
  expect(owner.events).toEqual(["closed"])
  expect(owner.socket.fd).toBe(-1)
})

test("after the peer's FIN ours closes the connection in good order", async () => {
  const { owner, peer } = await connected()
  peer.socket.shutdown()
  await until(() => owner.events.includes("ended"), PATIENCE_MS, "the peer's end")
  owner.socket.shutdown()
  await until(() => owner.events.length > 1, PATIENCE_MS, "the close")
  expect(owner.events).toEqual(["ended", "closed"])
})

test.each([
  ["while it reads", (): void => {}],
  ["while it is paused", (socket: TcpSocket): void => socket.pause()],
  ["after our FIN", (socket: TcpSocket): void => socket.shutdown()],
])("a reset is told %s", async (_when, prepare) => {
  const { owner, peer } = await connected()
  prepare(owner.socket)
  peer.socket.terminate()
  await until(() => owner.events.length > 0, PATIENCE_MS, "the reset")
  expect(owner.events).toEqual(["reset"])
})

test("what came before a reset is received, also by one who is paused", async () => {
  const { owner, peer } = await connected()
  owner.socket.pause()
  peer.socket.write("before")
  await Bun.sleep(10)
  peer.socket.terminate()
  await until(() => owner.events.length > 0, PATIENCE_MS, "the reset")
  expect(owner.text).toBe("before")
})

test("a write to who has reset fails, and the end is a reset then", async () => {
  const { owner, peer } = await connected()
  owner.socket.pause()
  peer.socket.shutdown()
  peer.socket.terminate()
  await Bun.sleep(0)
  while (owner.events.length === 0 && owner.socket.write(Buffer.from("x"), 0, 1) >= 0) {
    await Bun.sleep(1)
  }
  await until(() => owner.events.length > 0, PATIENCE_MS, "the reset")
  expect(owner.events.at(-1)).toBe("reset")
})

test.each([
  ["paused", [], ({ owner }: Pair): void => owner.socket.pause()],
  ["that has ended", ["ended"], ({ peer }: Pair): void => peer.socket.shutdown()],
])("a write has the news of a reset first, at one %s: it is told all the same", async (...each) => {
  const [, before, prepare] = each
  const pair = await connected()
  const { owner, peer } = pair
  prepare(pair)
  await until(() => owner.events.length === before.length, PATIENCE_MS, "the end before")
  peer.socket.terminate()
  while (owner.socket.write(Buffer.from("x"), 0, 1) >= 0);
  await until(() => owner.events.length > before.length, PATIENCE_MS, "the reset")
  expect(owner.events).toEqual([...before, "reset"])
})

test("both ends, while paused with bytes unread, cost nothing and lose nothing", async () => {
  const { owner, peer } = await connected()
  owner.socket.pause()
  owner.socket.shutdown()
  peer.socket.write("unread")
  peer.socket.shutdown()
  await Bun.sleep(20)
  const before = process.cpuUsage()
  await Bun.sleep(100)
  const { user, system } = process.cpuUsage(before)
  expect(user + system).toBeLessThan(30_000)
  owner.socket.resume()
  await until(() => owner.events.length > 0, PATIENCE_MS, "the close")
  expect(owner.text).toBe("unread")
  expect(owner.events).toEqual(["closed"])
})

test("end sends what was written, terminate resets, and neither is told", async () => {
  const first = await connected()
  first.owner.socket.write(Buffer.from("bye"), 0, 3)
  first.owner.socket.end()
  await until(() => first.peer.events.length > 0, PATIENCE_MS, "the end")
  expect(Buffer.concat(first.peer.received).toString()).toBe("bye")
  const second = await connected()
  second.owner.socket.terminate()
  await until(() => second.peer.events.length > 0, PATIENCE_MS, "the reset")
  expect(second.peer.events).toEqual(["reset"])
  for (const { owner } of [first, second]) {
    expect(owner.events).toEqual([])
    expect(owner.socket.write(Buffer.from("x"), 0, 1)).toBe(-1)
  }
})

test("a handler that throws is told of, and the others are served", async () => {
  const bad = await connected()
  const good = await connected()
  bad.owner.onReceived = () => {
    throw new Error("oops")
  }
  bad.peer.socket.write("a")
  good.peer.socket.write("b")
  await until(() => good.owner.text === "b", PATIENCE_MS, "the other's bytes")
  await until(() => bad.owner.events.length > 0, PATIENCE_MS, "the crash")
  expect(bad.owner.events).toEqual(["crashed: oops"])
})

test("who is closed while another's event is dealt with hears no more", async () => {
  const one = await connected()
  const two = await connected()
  one.owner.onReceived = () => two.owner.socket.terminate()
  two.owner.onReceived = () => one.owner.socket.terminate()
  one.peer.socket.write("a")
  two.peer.socket.write("b")
  await until(() => one.owner.text + two.owner.text !== "", PATIENCE_MS, "the first")
  await Bun.sleep(20)
  expect((one.owner.text + two.owner.text).length).toBe(1)
})

test("while accepting is paused who knocks waits, and is accepted afterwards", async () => {
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  const accepted: Witness[] = []
  const acceptor = new Acceptor<Witness>(fds[0] ?? -1, poller(), (socket, address) => {
    const owner = new Witness(socket, address)
    accepted.push(owner)
    if (accepted.length === 2) acceptor.pause()
    return owner
  })
  acceptor.resume()
  const connect = async () =>
    await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
  const sockets = await Promise.all(Array.from({ length: 5 }, connect))
  await until(() => accepted.length >= 2, PATIENCE_MS, "two")
  await Bun.sleep(20)
  expect(accepted).toHaveLength(2)
  expect(acceptor.accepting).toBe(false)
  acceptor.resume()
  await until(() => accepted.length === 5, PATIENCE_MS, "all")
  acceptor.close()
  for (const { socket } of accepted) socket.terminate()
  for (const socket of sockets) socket.terminate()
})

test("a queue that somebody has shut is left alone, not looked at again and again", async () => {
  const { fds } = openListeners("127.0.0.1", 0, 1)
  const acceptor = new Acceptor<Witness>(fds[0] ?? -1, poller(), (socket, address) => {
    return new Witness(socket, address)
  })
  acceptor.resume()
  libc().shutdown(fds[0] ?? -1, 2)
  await until(() => !acceptor.accepting, PATIENCE_MS, "the pause")
  acceptor.close()
})

test("with no socket of ours nothing keeps the process alive or busy", async () => {
  const script = `
    import { poller } from "${import.meta.dir}/../../../src/net/linux/poller.ts"
    if (poller() === null) throw new Error("no poller")
    console.log("done")`
  const program = Bun.spawn([process.execPath, "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  expect(await program.stdout.text()).toBe("done\n")
  expect(await program.exited).toBe(0)
})
