/** Scenario 20, the rest: many tunnels, much in a tunnel, and tunnels through a reload and a drain. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import { PATIENCE_MS, rng, until } from "../support/until.ts"
import { Stage, WHOLE, crowd, cutsOf, sendCut } from "./driver.ts"

const MIB = 2 ** 20
const asking = (target: string, ...lines: string[]): string =>
  [
    `GET ${target} HTTP/1.1`,
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: echo",
    ...lines,
    "",
    "",
  ].join("\r\n")
const accepted = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const plain = "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"

/** Echoes in tunnels, and answers everything else with its name. */
function echoing(name: string): Promise<ScriptedBackend> {
  return ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { field } = await connection.receiveRequestHead()
      if (field("upgrade") === null) {
        await connection.send(answer(200, name))
        continue
      }
      await connection.send(accepted)
      connection.sink((bytes) => void connection.send(bytes))
      await connection.closed(Infinity)
      return connection.close()
    }
  })
}

async function open(balancer: TestBalancer): Promise<RawClient> {
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(asking("/"))).status).toBe(101)
  return client
}

async function echoes(client: RawClient, text: string): Promise<void> {
  void client.send(text)
  expect((await client.receiveBytes(text.length)).toString()).toBe(text)
}

test("20: 100 MiB are echoed through a tunnel as they were", async () => {
  using backend = await echoing("a")
  const balancer = await TestBalancer.start([backend.port])
  const client = await open(balancer)
  const sent = new Bun.CryptoHasher("sha256")
  const received = new Bun.CryptoHasher("sha256")
  let count = 0
  client.sink((bytes) => {
    count += bytes.length
    received.update(bytes)
  })
  const block = Buffer.from(rng(20).bytes(MIB))
  for (let i = 0; i < 100; i++) {
    block.writeUInt32BE(i, 1000 * i)
    sent.update(block)
    await client.send(block)
  }
  await until(() => count === 100 * MIB, 15_000, "the echo")
  expect(received.digest("hex")).toBe(sent.digest("hex"))
  expect(balancer.figure("bunlb_bytes_total", "from_client")).toBeGreaterThan(100 * MIB)
  await client.close()
  await comesToRest(balancer)
}, 30_000)

test("20: 1,000 tunnels at once have each its own bytes, and leave nothing behind", async () => {
  using backend = await echoing("a")
  const balancer = await TestBalancer.start([backend.port])
  const clients: RawClient[] = []
  const numbers = Array.from({ length: 1000 }, (_, index) => index)
  await crowd(numbers, async () => void clients.push(await open(balancer)))
  expect(balancer.figure("bunlb_tunnels")).toBe(1000)
  expect(balancer.figure("bunlb_client_connections")).toBe(1000)
  await Promise.all(clients.map((client, index) => echoes(client, `tunnel ${index} `.repeat(100))))
  // Half of them leave in each way; the others do not notice.
  for (const client of clients.splice(0, 250)) client.reset()
  for (const client of clients.splice(0, 250)) await client.close()
  await until(() => balancer.figure("bunlb_tunnels") === 500, PATIENCE_MS, "500 tunnels")
  await Promise.all(clients.map((client, index) => echoes(client, `still ${index}`)))
  for (const client of clients) await client.close()
  await comesToRest(balancer)
  expect(balancer.figure("bunlb_backend_connections")).toBe(0)
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
}, 30_000)

describe("20: the switch", () => {
  test("is for this hop: no other hop-by-hop field passes, either way, cut at every byte", async () => {
    const secrets = ["Keep-Alive: 1", "X-Hop: 1", "TE: x", "Proxy-Connection: x"]
    const heads: string[] = []
    using backend = await ScriptedBackend.start(async (connection) => {
      heads.push((await connection.receiveRequestHead()).head)
      const lines = ["Connection: upgrade, X-Hop", "Upgrade: echo", "A: b", ...secrets]
      await connection.send(["HTTP/1.1 101 X", ...lines, "", ""].join("\r\n"))
      await connection.closed(Infinity)
    })
    const balancer = await TestBalancer.start([backend.port])
    const request = asking("/", "Connection: X-Hop", ...secrets)
    await crowd([WHOLE, ...cutsOf(request)], async (cut) => {
      const client = await RawClient.connect(balancer.port)
      void sendCut(client, request, cut)
      const head = (await client.receiveUntil("\r\n\r\n")).toString()
      expect(head).toBe("HTTP/1.1 101 X\r\nUpgrade: echo\r\nA: b\r\nConnection: Upgrade\r\n\r\n")
      client.reset()
    })
    expect(heads).toHaveLength(request.length)
    for (const head of heads) expect(head).not.toMatch(/keep-alive|x-hop|te: x|proxy-connection/i)
    await comesToRest(balancer)
  })

  test("may be followed by the first bytes at once, wherever they are cut", async () => {
    using stage = await Stage.open()
    const first = "GET / HTTP/1.1\r\nHost: evil\r\n\r\n"
    stage.script = async (connection, { field }) => {
      await sendCut(connection, accepted + first, Number(field("x-cut")))
      await connection.closed(Infinity)
      await connection.close()
    }
    await crowd([WHOLE, ...cutsOf(accepted + first)], async (cut) => {
      const client = await stage.connect()
      await client.send(asking("/scripted", `X-Cut: ${cut}`))
      expect((await client.receiveUntil("\r\n\r\n")).toString()).toStartWith("HTTP/1.1 101 X\r\n")
      expect((await client.receiveBytes(first.length)).toString()).toBe(first)
      await client.close()
    })
    await comesToRest(stage.balancer)
    await stage.bystander()
  })
})

describe("20: a tunnel", () => {
  test("stays through reloads: of other settings, of other backends, and of its own backend", async () => {
    using one = await echoing("one")
    using two = await echoing("two")
    using three = await echoing("three")
    const balancer = await TestBalancer.start([one.port, two.port])
    const tunnels = [await open(balancer), await open(balancer)]
    const far = [one.connections[0], two.connections[0]]
    const still = async (text: string): Promise<void> => {
      for (const tunnel of tunnels) await echoes(tunnel, text)
      expect(balancer.figure("bunlb_tunnels")).toBe(2)
    }
    await balancer.apply([one.port, two.port], { strategy: "random", timeouts: { connect: 999 } })
    await still("other settings")
    await balancer.apply([one.port, { port: two.port, weight: 3 }, three.port])
    await still("another backend, another weight")
    for (let i = 0; i < 20; i++) await balancer.apply([one.port, three.port].slice(i % 2))
    await still("its own backend is gone")
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(plain)).body.toString()).toBe("three")
    await client.close()
    expect(far.map((connection) => connection?.ending)).toEqual([null, null])
    for (const tunnel of tunnels) await tunnel.close()
    await comesToRest(balancer)
  })

  test("that is half-closed either way when a drain begins ends in good order", async () => {
    const ended = Promise.withResolvers<void>()
    using backend = await ScriptedBackend.start(async (connection) => {
      const { target } = await connection.receiveRequestHead()
      await connection.send(accepted)
      if (target === "/backend-first") {
        await connection.halfClose()
        ended.resolve()
        expect((await connection.receiveRest()).toString()).toBe("last of the client")
      } else {
        expect((await connection.receiveRest()).length).toBe(0)
        await connection.send("last of the backend")
      }
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port])
    const one = await RawClient.connect(balancer.port)
    const two = await RawClient.connect(balancer.port)
    await one.exchange(asking("/backend-first"))
    await two.exchange(asking("/client-first"))
    await ended.promise
    await one.closed()
    const drained = balancer.drain(5000)
    await one.send("last of the client")
    await one.close()
    await two.halfClose()
    expect((await two.receiveRest()).toString()).toBe("last of the backend")
    await two.close()
    expect(await drained).toBe(0)
    await comesToRest(balancer)
  })

  test("with its backend frozen ends with tunnel_idle, and other clients are served", async () => {
    using backend = await echoing("served")
    const balancer = await TestBalancer.start([backend.port], { timeouts: { tunnelIdle: 400 } })
    const tunnel = await open(balancer)
    backend.connections[0]?.pause()
    await tunnel.send("into the void")
    const other = await RawClient.connect(balancer.port)
    expect((await other.exchange(plain)).body.toString()).toBe("served")
    await tunnel.closed(2000)
    await tunnel.close()
    await other.close()
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_backend_up")).toBe(1)
  })
})
