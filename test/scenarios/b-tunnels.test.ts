/** Scenarios 16 to 20: protocol switches asked for and not, CONNECT, and tunnels that live. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { rng, until } from "../support/until.ts"
import { Stage, WHOLE, chunked, crowd, cutsOf, sendCut } from "./driver.ts"

const asking = (target: string, protocol: string = "websocket"): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
const plain = "GET /scripted HTTP/1.1\r\nHost: x\r\n\r\n"
const switching = (protocol: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`

describe("16: a 101 that was not agreed on is 502 and the end of the backend's connection", () => {
  test.each([
    ["nobody asked", plain, "websocket"],
    ["another protocol was asked for", asking("/scripted"), "foo"],
  ])("%s, cut at every byte of the 101", async (_what, request, protocol) => {
    using stage = await Stage.open({ health: { failures: 10_000 } })
    const bytes = `${switching(protocol)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`
    let cut = WHOLE
    stage.script = (connection) => sendCut(connection, bytes, cut)
    for (cut of [WHOLE, ...cutsOf(bytes)]) {
      const client = await stage.connect()
      expect((await client.exchange(request)).status).toBe(502)
      expect(client.incoming.length).toBe(0)
      await client.close()
    }
    await stage.settled()
    expect(stage.balancer.figure("bunlb_tunnels")).toBe(0)
    expect(stage.balancer.figure("bunlb_backend_connections", 'state="idle"')).toBe(0)
    await stage.bystander()
  })
})

describe("17: a switch that the backend refuses is a response like any other", () => {
  const body = "refused!"
  test.each(
    [200, 403, 404].flatMap((status) => [
      [status, "a length", answer(status, body)] as const,
      [
        status,
        "chunks",
        `HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(body, 3)}`,
      ] as const,
    ]),
  )("%d with %s, and what follows on either side is HTTP", async (status, _framing, bytes) => {
    using stage = await Stage.open()
    stage.script = async (connection) => void (await connection.send(bytes))
    const request = asking("/scripted", "foo")
    await crowd([WHOLE, ...cutsOf(request)], async (cut) => {
      const client = await stage.connect()
      void sendCut(client, request, cut)
      const response = await client.receiveResponse()
      expect([response.status, response.body.toString()]).toEqual([status, body])
      expect(response.field("upgrade")).toBeNull()
      const next = await client.exchange("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
      expect(next.body.toString()).toBe("/next")
      await client.close()
    })
    await stage.settled()
    await stage.bystander()
    expect(stage.balancer.figure("bunlb_tunnels")).toBe(0)
    expect(stage.balancer.figure("bunlb_pool_reuses_total")).toBeGreaterThan(0)
  })
})

describe("18: bytes that come early with a request to switch", () => {
  const early = "GET /early HTTP/1.1\r\nHost: x\r\n\r\n"

  test("are not at the backend before its 101, wherever they are cut", async () => {
    const request = asking("/") + early
    const tooEarly: string[] = []
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done))
      tooEarly.push(connection.incoming.peek().toString())
      await connection.send(switching("websocket"))
      connection.sink((bytes) => void connection.send(bytes))
    })
    const balancer = await TestBalancer.start([backend.port])
    await crowd([WHOLE, ...cutsOf(request)], async (cut) => {
      const client = await RawClient.connect(balancer.port)
      void sendCut(client, request, cut)
      expect((await client.receiveResponse()).status).toBe(101)
      expect((await client.receiveBytes(early.length)).toString()).toBe(early)
      client.reset()
    })
    // A cut behind the head may let the 101 pass between the pieces; before it nothing may.
    expect(tooEarly.filter((bytes) => bytes !== "")).toEqual([])
    await comesToRest(balancer)
  })

  test("are the next request when the backend refuses, on whatever connection is free", async () => {
    using stage = await Stage.open()
    stage.script = async (connection) => void (await connection.send(answer(403, "no")))
    const request = asking("/scripted") + early
    await crowd([WHOLE, ...cutsOf(request)], async (cut) => {
      const client = await stage.connect()
      void sendCut(client, request, cut)
      expect((await client.receiveResponse()).status).toBe(403)
      expect((await client.receiveResponse()).body.toString()).toBe("/early")
      await client.close()
    })
    await stage.settled()
    await stage.bystander()
  })

  test("more of them than are held wait in the kernel, and arrive whole", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      await Bun.sleep(100)
      expect(connection.incoming.length).toBe(0)
      await connection.send(switching("websocket"))
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    void client.send(asking("/"))
    void client.send("e".repeat(4 * 1024 * 1024))
    expect((await client.receiveResponse()).status).toBe(101)
    const far = backend.connections[0]
    expect((await far?.receiveBytes(4 * 1024 * 1024))?.every((byte) => byte === 101)).toBe(true)
    client.reset()
    await comesToRest(balancer)
  })
})

describe("19: CONNECT is refused with 501 and reaches no backend", () => {
  test.each([
    ["alone", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"],
    ["with a length", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\n\r\nhi"],
    [
      "with chunks",
      "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["with more in line", `CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n${plain}`],
    ["in lower case", "connect a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"],
  ])("%s", async (_what, request) => {
    using stage = await Stage.open()
    await stage.refuses(request, { status: 501, reason: "connect" })
  })
})

describe("20: an established tunnel", () => {
  async function echoing(settings = {}) {
    const backend = await ScriptedBackend.start(async (connection) => {
      const { target } = await connection.receiveRequestHead()
      if (target !== "/ws") return void (await connection.send(answer(200, target)))
      await connection.send(switching("websocket"))
      connection.sink((bytes) => void connection.send(bytes))
    })
    const balancer = await TestBalancer.start([backend.port], settings)
    return { backend, balancer, [Symbol.dispose]: () => backend.stop() }
  }

  async function open(balancer: TestBalancer): Promise<RawClient> {
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(asking("/ws"))).status).toBe(101)
    return client
  }

  test("echoes 16 MiB in random pieces as they were", async () => {
    using setup = await echoing()
    const client = await open(setup.balancer)
    const random = rng(20)
    const bytes = random.bytes(16 * 1024 * 1024)
    for (let from = 0; from < bytes.length;) {
      const to = from + random.between(1, 300_000)
      void client.send(bytes.subarray(from, to))
      from = to
    }
    const echo = await client.receiveBytes(bytes.length)
    expect(Bun.SHA1.hash(echo, "hex")).toBe(Bun.SHA1.hash(bytes, "hex"))
    await client.close()
    await setup.backend.connections[0]?.closed()
    await setup.backend.connections[0]?.close()
    await comesToRest(setup.balancer)
  })

  test("lives on by pings alone, and has no other limit than its own", async () => {
    const timeouts = { clientHead: 100, clientBody: 100, clientIdle: 100, responseHead: 100 }
    using setup = await echoing({
      timeouts: { ...timeouts, backendBody: 100, poolIdle: 100, tunnelIdle: 400 },
    })
    const client = await open(setup.balancer)
    for (let ping = 0; ping < 4; ping++) {
      await Bun.sleep(250)
      await client.send("ping")
      expect((await client.receiveBytes(4)).toString()).toBe("ping")
    }
    await client.closed(1500)
    await client.close()
    await comesToRest(setup.balancer)
  })

  test("dies with its backend's connection, and no other tunnel does", async () => {
    using setup = await echoing()
    const clients = [await open(setup.balancer), await open(setup.balancer)]
    expect(setup.balancer.figure("bunlb_tunnels")).toBe(2)
    const far = setup.backend.connections[0] as BackendConnection
    far.reset()
    await clients[0]?.closed()
    await clients[0]?.close()
    await until(() => setup.balancer.figure("bunlb_tunnels") === 1, 2000, "one tunnel less")
    await clients[1]?.send("still here")
    expect((await clients[1]?.receiveBytes(10))?.toString()).toBe("still here")
    clients[1]?.reset()
    await comesToRest(setup.balancer)
  })

  test("gives nothing back to the pool", async () => {
    using setup = await echoing()
    const client = await open(setup.balancer)
    await client.send("bytes")
    await client.receiveBytes(5)
    await client.close()
    await setup.backend.connections[0]?.closed()
    await setup.backend.connections[0]?.close()
    await comesToRest(setup.balancer)
    expect(setup.balancer.figure("bunlb_backend_connections", 'state="idle"')).toBe(0)
    const other = await RawClient.connect(setup.balancer.port)
    expect((await other.exchange("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")).body.toString()).toBe("/a")
    expect(setup.backend.accepted).toBe(2)
    await other.close()
  })
})
