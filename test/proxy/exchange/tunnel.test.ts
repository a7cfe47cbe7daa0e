/** Connections that switch protocols: bytes are intact both ways, to the last one. */
import { describe, expect, test as oneByOne } from "bun:test"
import { openListeners } from "../../../src/net/listeners.ts"
import { comesToRest, gaugesOf } from "../../faults/quiet.ts"
import { TestBalancer, type SettingsPart } from "../../support/balancer.ts"
import { RawClient } from "../../support/raw-client.ts"
import { ScriptedBackend } from "../../support/scripted-backend.ts"
import type { BackendConnection, ConnectionHandler } from "../../support/scripted-backend.ts"
import { shrinkReceiving, shrinkSending } from "../../support/socket-buffers.ts"
import { rng, until } from "../../support/until.ts"
import { sideBySide } from "../../support/side-by-side.ts"

const test = sideBySide()

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const MEGABYTES = 8 * 1024 * 1024

/** A tunnel from a client to a backend, both in the test's hands. */
async function open(settings: SettingsPart = {}, listenFd: number | null = null) {
  const { promise, resolve } = Promise.withResolvers<BackendConnection>()
  const backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    await connection.send(accepted)
    resolve(connection)
  })
  const balancer = await TestBalancer.start([backend.port], settings, listenFd)
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(upgrade)
  expect(response.status).toBe(101)
  const far = await promise
  return { backend, balancer, client, far, response, [Symbol.dispose]: () => backend.stop() }
}

test("the 101 passes with its Upgrade, and the gauges tell of a tunnel", async () => {
  using tunnel = await open()
  expect(tunnel.response.field("upgrade")).toBe("echo")
  expect(tunnel.response.field("connection")).toBe("Upgrade")
  expect(tunnel.balancer.figure("bunlb_tunnels")).toBe(1)
  expect(tunnel.balancer.figure("bunlb_requests_total", 'code="101"')).toBe(1)
  await tunnel.client.close()
  await tunnel.far.closed()
  await tunnel.far.close()
  await comesToRest(tunnel.balancer)
})

test("random bytes go both ways at once and arrive as they were", async () => {
  using tunnel = await open()
  const { client, far } = tunnel
  const random = rng(7)
  const up = random.bytes(MEGABYTES)
  const down = random.bytes(MEGABYTES)
  void client.send(up)
  void far.send(down)
  const [atFar, atClient] = await Promise.all([
    far.receiveBytes(up.length),
    client.receiveBytes(down.length),
  ])
  expect(Bun.SHA1.hash(atFar, "hex")).toBe(Bun.SHA1.hash(up, "hex"))
  expect(Bun.SHA1.hash(atClient, "hex")).toBe(Bun.SHA1.hash(down, "hex"))
  await client.close()
  await far.closed()
  await far.close()
  await comesToRest(tunnel.balancer)
})

describe("half-close", () => {
  test("by the client: the backend sees FIN after the last byte, and still answers", async () => {
    using tunnel = await open()
    const { client, far } = tunnel
    void client.send("x".repeat(MEGABYTES))
    await client.halfClose()
    expect((await far.receiveRest()).length).toBe(MEGABYTES)
    void far.send("y".repeat(MEGABYTES))
    await far.close()
    expect((await client.receiveRest()).length).toBe(MEGABYTES)
    await comesToRest(tunnel.balancer)
  })

  test("by the backend: the client sees FIN after the last byte, and still speaks", async () => {
    using tunnel = await open()
    const { client, far } = tunnel
    void far.send("y".repeat(MEGABYTES))
    await far.halfClose()
    expect((await client.receiveRest()).length).toBe(MEGABYTES)
    void client.send("x".repeat(MEGABYTES))
    await client.close()
    expect((await far.receiveRest()).length).toBe(MEGABYTES)
    await comesToRest(tunnel.balancer)
  })

  /**
   * The end has to come while the last bytes wait in bunlb. How many the kernel takes before them is its own business,
   * so that is found out first, and then lengths about it are tried in steps smaller than bunlb's high-water mark.
   */
  test.each([
    ["first by the backend", true],
    ["first by the client", false],
  ])("by both, %s, which does not read: it gets every byte when it does", async (_who, first) => {
    let far: BackendConnection | undefined
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      far = connection
      connection.pause()
      await connection.send(accepted)
      if (first) await connection.halfClose()
    })
    const balancer = await TestBalancer.start([backend.port])
    const open = async (): Promise<RawClient> => {
      const client = await RawClient.connect(balancer.port)
      await client.exchange(upgrade)
      if (first) await client.closed()
      return client
    }
    const flood = await open()
    void flood.send("x".repeat(2 * MEGABYTES))
    const limit = await standstill(() => balancer.figure("bunlb_bytes_total", "from_client"))
    flood.reset()
    for (let length = limit; length > limit - 1024 * 1024; length -= 128 * 1024) {
      const client = await open()
      void client.send("x".repeat(length))
      const sent = client.halfClose()
      await Bun.sleep(10)
      if (!first) await far?.halfClose()
      far?.resume()
      expect((await far?.receiveRest())?.length).toBe(length)
      await client.closed()
      await sent
    }
    await comesToRest(balancer)
  })
})

/** The value of `figure` when it has not grown for a while. */
async function standstill(figure: () => number): Promise<number> {
  let last = -1
  let same = 0
  await until(
    () => {
      same = figure() === last ? same + 1 : 0
      last = figure()
      return same > 10
    },
    5000,
    "a standstill",
  )
  return last
}

describe("a tunnel ends", () => {
  test("with the backend's reset, for the client at once", async () => {
    using tunnel = await open()
    tunnel.far.reset()
    await tunnel.client.closed()
    await tunnel.client.close()
    await comesToRest(tunnel.balancer)
    expect(tunnel.balancer.figure("bunlb_backend_failures_total")).toBe(0)
  })

  test("with the client's reset, for the backend at once", async () => {
    using tunnel = await open()
    tunnel.client.reset()
    expect(await tunnel.far.closed()).toEqual({ by: "reset" })
    await comesToRest(tunnel.balancer)
  })

  oneByOne("when nothing has passed for tunnel_idle, and not while something passes", async () => {
    using tunnel = await open({ timeouts: { tunnelIdle: 700, clientIdle: 50, clientBody: 50 } })
    for (let i = 0; i < 8; i++) {
      const [from, to] = i % 2 === 0 ? [tunnel.client, tunnel.far] : [tunnel.far, tunnel.client]
      await Bun.sleep(100)
      await from.send("ping")
      await to.receiveBytes(4)
    }
    await tunnel.client.closed(2000)
    await tunnel.far.closed(2000)
    await comesToRest(tunnel.balancer)
  })
})

describe("bytes that come before the 101", () => {
  const early = "GET /early HTTP/1.1\r\nHost: x\r\n\r\n"

  /** Answers an upgrade with `answer` when `go` says so, and notes what has come until then. */
  function answering(answer: string, go: Promise<void>, noted: string[]): ConnectionHandler {
    return async (connection) => {
      await connection.receiveRequestHead()
      await go
      noted.push(connection.incoming.peek().toString())
      await connection.send(answer)
      if (answer === accepted) return
      const next = await connection.receiveRequest()
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n${next.target}`)
    }
  }

  test.each([
    ["in the same write", [upgrade + early]],
    ["in a write of their own", [upgrade, early]],
  ])("%s wait for it", async (_how, writes) => {
    const go = Promise.withResolvers<void>()
    const noted: string[] = []
    using backend = await ScriptedBackend.start(answering(accepted, go.promise, noted))
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    for (const bytes of writes) {
      await client.send(bytes)
      await Bun.sleep(20)
    }
    go.resolve()
    expect((await client.receiveResponse()).status).toBe(101)
    const [far] = backend.connections
    expect((await far?.receiveBytes(early.length))?.toString()).toBe(early)
    expect(noted).toEqual([""])
  })

  test("are the next request when the backend refuses", async () => {
    const noted: string[] = []
    const refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    using backend = await ScriptedBackend.start(answering(refusal, Bun.sleep(20), noted))
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send(upgrade + early)
    expect((await client.receiveResponse()).status).toBe(403)
    expect((await client.receiveResponse()).body.toString()).toBe("/early")
    expect(noted).toEqual([""])
    await client.close()
    await comesToRest(balancer)
  })
})

describe("a 101 is answered 502, and its connection closed,", () => {
  const plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
  test.each([
    ["when nobody asked", plain, accepted],
    ["for another protocol", upgrade, accepted.replace("Upgrade: echo", "Upgrade: other")],
    ["without a protocol", upgrade, "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["when Connection did not name it", upgrade.replace("Connection: Upgrade", "A: b"), accepted],
    ["when an HTTP/1.0 client asked", upgrade.replace("1.1", "1.0"), accepted],
  ])("%s", async (_when, request, response) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      await connection.send(`${response}GET /smuggled HTTP/1.1\r\n\r\n`)
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(request)).status).toBe(502)
    await until(() => backend.connections[0]?.ending != null, 2000, "the end of the connection")
    await client.close()
    await comesToRest(balancer)
  })
})

test("a client that does not read the rest of a broken tunnel is cut off by client_read", async () => {
  using tunnel = await open({ timeouts: { clientRead: 1000, tunnelIdle: 3_600_000 } })
  const { client, far, balancer } = tunnel
  client.pause()
  void far.send("y".repeat(2 * MEGABYTES))
  await standstill(() => balancer.figure("bunlb_bytes_total", "from_backend"))
  await client.send("x")
  await far.receiveBytes(1)
  far.reset()
  await until(() => balancer.figure("bunlb_tunnels") === 0, 3000, "the end of the tunnel")
  await comesToRest(balancer)
})

describe("a tunnel whose last message overflowed what the kernel takes", () => {
  const SIZE = 3 * 1024 * 1024

  test("to a client that reads late is not cut by client_body", async () => {
    const { port, fds } = openListeners("127.0.0.1", 0, 1)
    shrinkSending(fds[0] ?? -1)
    const timeouts = { clientBody: 200, clientRead: 200 }
    using tunnel = await open({ port, timeouts }, fds[0])
    const { client, far, balancer } = tunnel
    if (client.socket !== null && "fd" in client.socket) shrinkReceiving(Number(client.socket.fd))
    client.pause()
    // Comes in one piece, so that nothing passes after the write that was short.
    void far.send("y".repeat(40_000))
    await standstill(() => balancer.figure("bunlb_bytes_total", "from_backend"))
    await Bun.sleep(1000)
    expect(balancer.figure("bunlb_tunnels")).toBe(1)
    client.resume()
    expect((await client.receiveBytes(40_000)).length).toBe(40_000)
    client.reset()
    await comesToRest(balancer)
  })

  test("to a backend that reads late is not cut by backend_body", async () => {
    using tunnel = await open({ timeouts: { backendBody: 200, clientBody: 200 } })
    const { client, far, balancer } = tunnel
    far.pause()
    void client.send("y".repeat(SIZE))
    await standstill(() => balancer.figure("bunlb_bytes_total", "from_client"))
    await Bun.sleep(1000)
    expect(balancer.figure("bunlb_tunnels")).toBe(1)
    far.resume()
    expect((await far.receiveBytes(SIZE)).length).toBe(SIZE)
    client.reset()
    await comesToRest(balancer)
  })

  test.each(["client", "backend"] as const)(
    "and that has ended: the %s gets its tail",
    async (to) => {
      using tunnel = await open({ timeouts: { clientBody: 500 } })
      const { client, far, balancer } = tunnel
      const [reader, writer] = to === "client" ? [client, far] : [far, client]
      reader.pause()
      void writer.send("y".repeat(SIZE))
      await standstill(() => balancer.figure("bunlb_bytes_total", "from_"))
      await reader.halfClose()
      await writer.receiveRest()
      await Bun.sleep(2500)
      reader.resume()
      void writer.halfClose()
      expect((await reader.receiveRest()).length).toBe(SIZE)
      await comesToRest(balancer)
    },
  )
})

test("a drain waits until a backend has the last of a tunnel whose client has gone", async () => {
  let far: BackendConnection | undefined
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    far = connection
    connection.pause()
    await connection.send(accepted)
    await connection.halfClose()
  })
  const balancer = await TestBalancer.start([backend.port])
  const open = async (): Promise<RawClient> => {
    const client = await RawClient.connect(balancer.port)
    await client.exchange(upgrade)
    await client.closed()
    return client
  }
  const flood = await open()
  void flood.send("x".repeat(2 * MEGABYTES))
  const limit = await standstill(() => balancer.figure("bunlb_bytes_total", "from_client"))
  flood.reset()
  await until(() => balancer.figure("bunlb_tunnels") === 0, 3000, "the end of the flood")
  // So much that a part of it waits in bunlb, and not so much that bunlb stops reading.
  let length = limit
  const clients = (): number => balancer.figure("bunlb_client_connections")
  for (; gaugesOf(balancer).strayDeadlines !== 1 || clients() !== 0; length -= 64 * 1024) {
    const client = await open()
    void client.send("x".repeat(length))
    void client.halfClose()
    await until(() => clients() === 0, 500, "the client's end").catch(() => far?.resume())
    await until(() => clients() === 0, 3000, "the client's end")
    await Bun.sleep(10)
  }
  length += 64 * 1024
  let over = false
  const drained = balancer.drain(10_000).finally(() => (over = true))
  await Bun.sleep(1500)
  expect(over).toBe(false)
  far?.resume()
  expect((await far?.receiveRest())?.length).toBe(length)
  expect(await drained).toBe(0)
})
