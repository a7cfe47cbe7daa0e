/**
 * Clients that go away, at every moment of a request, with a FIN and with a reset, alone and together with the
 * backend. After each: nothing stays connected or counted, no backend is blamed, and the next client is served.
 */
import { beforeAll, describe, expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { blackhole } from "../support/blackhole.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"
import { Leftovers, comesToRest } from "./quiet.ts"

const head = "POST /played HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
const get = "GET /played HTTP/1.1\r\nHost: x\r\n\r\n"
const upgrade = "GET /played HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const accepted = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const megabytes = "x".repeat(8 * 1024 * 1024)

interface Scene {
  readonly client: RawClient
  readonly backend: ScriptedBackend
  readonly balancer: TestBalancer
  /** The backend's side of the request, once its head has come. */
  far(): Promise<BackendConnection>
}

/** How far a request has come when someone leaves. */
const phases: readonly [string, (scene: Scene) => Promise<unknown>][] = [
  ["before its first byte", async () => {}],
  ["in the middle of its head", ({ client }) => client.send(head.slice(0, 30))],
  ["before its body", ({ client, far }) => client.send(head).then(far)],
  ["in the middle of its body", ({ client, far }) => client.send(`${head}half`).then(far)],
  [
    "while the backend does not read its body",
    async ({ client, far, balancer }) => {
      await client.send(head.replace("10", String(megabytes.length)))
      ;(await far()).pause()
      void client.send(megabytes)
      await until(() => balancer.figure("bunlb_bytes_total", "from_client") > 1e6, 3000, "bytes")
    },
  ],
  [
    "while it waits for its response",
    ({ client, far }) => client.send(`${head}0123456789`).then(far),
  ],
  [
    "in the middle of a response's head",
    async ({ client, far }) => {
      await client.send(get)
      await (await far()).send("HTTP/1.1 200 OK\r\nConte")
    },
  ],
  [
    "in the middle of its response",
    async ({ client, far }) => {
      await client.send(get)
      await (await far()).send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      await client.receiveUntil("half")
    },
  ],
  [
    "while its response is far ahead of it",
    async ({ client, far, balancer }) => {
      client.pause()
      await client.send(get)
      // Never all of it, however much the kernel takes: a whole response would give its connection to the pool.
      const head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
      void (await far()).send(head + megabytes)
      await until(() => balancer.figure("bunlb_bytes_total", "to_client") > 1e6, 3000, "bytes")
    },
  ],
  [
    "with more requests in line",
    async ({ client, far }) => {
      await client.send(get.repeat(3))
      await far()
    },
  ],
  [
    "in a tunnel",
    async ({ client, far }) => {
      await client.send(upgrade)
      await (await far()).send(accepted)
      await client.receiveUntil("\r\n\r\n")
    },
  ],
  [
    "in a tunnel that is blocked both ways",
    async ({ client, far, balancer }) => {
      await client.send(upgrade)
      const connection = await far()
      await connection.send(accepted)
      await client.receiveUntil("\r\n\r\n")
      client.pause()
      connection.pause()
      void client.send(megabytes)
      void connection.send(megabytes)
      await until(() => balancer.figure("bunlb_bytes_total", "from_client") > 1e6, 3000, "bytes")
      await until(() => balancer.figure("bunlb_bytes_total", "from_backend") > 1e6, 3000, "bytes")
    },
  ],
]

/** Plays a request up to a phase, lets someone leave, and judges what is left. */
async function play(
  phase: (scene: Scene) => Promise<unknown>,
  leave: (client: RawClient, backend: ScriptedBackend) => unknown,
): Promise<TestBalancer> {
  const arrived = Promise.withResolvers<BackendConnection>()
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequestHead()
      if (target !== "/played") {
        await connection.send(answer(200, "served"))
        continue
      }
      arrived.resolve(connection)
      return
    }
  })
  const timeouts = {
    clientHead: 500,
    clientBody: 500,
    responseHead: 500,
    backendBody: 500,
    tunnelIdle: 500,
  }
  const balancer = await TestBalancer.start([backend.port], { timeouts })
  const client = await RawClient.connect(balancer.port)
  await phase({ client, backend, balancer, far: () => arrived.promise })
  await leave(client, backend)
  for (const connection of backend.connections) connection.resume()
  await comesToRest(balancer, 4000)
  const next = await RawClient.connect(balancer.port)
  const { body } = await next.exchange(get.replace("played", "next"))
  expect(body.toString()).toBe("served")
  await next.close()
  await comesToRest(balancer)
  return balancer
}

describe("a client that resets its connection", () => {
  test.each(phases)("%s", async (_when, phase) => {
    const balancer = await play(phase, (client) => client.reset())
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    expect(balancer.figure("bunlb_failovers_total")).toBe(0)
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })
})

// By now every phase has been played once, so whatever is made once for all is there.
const leftovers = new Leftovers()

describe("a client that closes its connection", () => {
  beforeAll(() => leftovers.note())

  test.each(phases)("%s", async (_when, phase) => {
    const balancer = await play(phase, (client) => {
      client.resume()
      client.socket?.end()
    })
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    expect(balancer.figure("bunlb_failovers_total")).toBe(0)
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })
})

describe("client and backend that reset together", () => {
  test.each(phases)("%s", async (_when, phase) => {
    const balancer = await play(phase, (client, backend) => {
      client.reset()
      for (const connection of backend.connections) connection.reset()
    })
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })

  test.each(phases)("backend first, %s", async (_when, phase) => {
    const balancer = await play(phase, (client, backend) => {
      for (const connection of backend.connections) connection.reset()
      client.reset()
    })
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })
})

describe("a client that leaves while its backend", () => {
  const timeouts = { connect: 300, tlsHandshake: 300 }
  const leavings = [
    ["resets", (client: RawClient) => client.reset()],
    ["closes", (client: RawClient) => client.close()],
  ] as const

  test.each(leavings)("is dialled: %s", async (_how, leave) => {
    using hole = await blackhole()
    const balancer = await TestBalancer.start([hole.port], { timeouts })
    const client = await RawClient.connect(balancer.port)
    await client.send(get)
    const dialing = (): number => balancer.figure("bunlb_backend_connections", '"dialing"')
    await until(() => dialing() === 1, 3000, "the dial")
    await leave(client)
    await comesToRest(balancer)
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })

  test.each(leavings)("does not shake hands: %s", async (_how, leave) => {
    using silent = await ScriptedBackend.start(() => {})
    const balancer = await TestBalancer.start([{ port: silent.port, tls: true }], { timeouts })
    const client = await RawClient.connect(balancer.port)
    await client.send(get)
    await until(() => (silent.connections[0]?.bytesReceived ?? 0) > 0, 3000, "a ClientHello")
    await leave(client)
    await comesToRest(balancer)
    await silent.connections[0]?.closed()
    expect(silent.connections[0]?.received.toString("latin1")).not.toContain("played")
    expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
  })
})

test("200 clients that connect and reset at once leave nothing behind", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.send(answer(200, "a"))
  })
  const balancer = await TestBalancer.start([backend.port])
  for (let round = 0; round < 4; round++) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => RawClient.connect(balancer.port)),
    )
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 0) void client.send(get.slice(0, index))
      client.reset()
    }
  }
  await until(() => balancer.figure("bunlb_client_connections_total") === 200, 3000, "all of them")
  await comesToRest(balancer)
})

test("after all of this no descriptor is left and no connection in memory", async () => {
  await leftovers.areNone()
})
