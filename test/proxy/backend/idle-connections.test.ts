/** Reuse of backend connections, counted at the backend. */
import { expect, test } from "bun:test"
import { comesToRest } from "../../faults/quiet.ts"
import { TestBalancer } from "../../support/balancer.ts"
import { RawClient } from "../../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../../support/scripted-backend.ts"
import type { ConnectionHandler } from "../../support/scripted-backend.ts"
import { until } from "../../support/until.ts"
import type { Wire } from "../../support/wire.ts"

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`

/** Answers with the number of its connection, and to `/hold` only when the test lets it. */
function numbering(held: Promise<unknown> = Promise.resolve()): ConnectionHandler {
  return async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      if (target === "/hold") await held
      void connection.send(answer(200, String(connection.index)))
    }
  }
}

/** Opens `count` connections to the backend at the same time; they are idle when this resolves. */
async function openMany(port: number, count: number, release: () => void): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await RawClient.connect(port)
    await client.send(get("/hold"))
    clients.push(client)
  }
  release()
  for (const client of clients) await client.receiveResponse()
  return clients
}

const idleOf = (balancer: TestBalancer): number =>
  balancer.figure("bunlb_backend_connections", 'state="idle"')

test("100 requests of one client travel on one connection to the backend", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 100; i++) {
    await client.send(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await client.receiveResponse()).body.toString()).toBe(`/${i}`)
  }
  expect(backend.accepted).toBe(1)
  expect(balancer.figure("bunlb_pool_reuses_total")).toBe(99)
  expect(balancer.figure("bunlb_dials_total", 'result="ok"')).toBe(1)
})

test("the connection that came back last goes out first", async () => {
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>())
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      if (target === "/hold") await gates[connection.index]?.promise
      void connection.send(answer(200, String(connection.index)))
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const holders: RawClient[] = []
  for (let i = 0; i < 3; i++) {
    const holder = await RawClient.connect(balancer.port)
    await holder.send(get("/hold"))
    await until(() => backend.requests.length === i + 1, 2000, "the request")
    holders.push(holder)
  }
  for (const last of [2, 1, 0]) {
    gates[last]?.resolve()
    await holders[last]?.receiveResponse()
  }
  expect(idleOf(balancer)).toBe(3)
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 3; i++) {
    expect((await client.exchange(get("/"))).body.toString()).toBe("0")
  }
  const both = await Promise.all([client.exchange(get("/")), holders[0]?.exchange(get("/"))])
  expect(both.map((each) => each?.body.toString())).toEqual(["0", "1"])
})

test("no more than pool.idle connections are kept", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  using backend = await ScriptedBackend.start(numbering(promise))
  const balancer = await TestBalancer.start([backend.port], { pool: { idle: 2 } })
  await openMany(balancer.port, 5, resolve)
  expect(idleOf(balancer)).toBe(2)
  const open = (): number => backend.connections.filter(({ ending }) => ending === null).length
  await until(() => open() === 2, 2000, "3 closed connections")
})

test("pool.idle 0 keeps none", async () => {
  using backend = await ScriptedBackend.start(numbering())
  const balancer = await TestBalancer.start([backend.port], { pool: { idle: 0 } })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get("/"))).body.toString()).toBe("0")
  expect((await client.exchange(get("/"))).body.toString()).toBe("1")
  expect(idleOf(balancer)).toBe(0)
})

test("a connection older than pool.max_age is not used again", async () => {
  using backend = await ScriptedBackend.start(numbering())
  const balancer = await TestBalancer.start([backend.port], { pool: { maxAge: 50 } })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get("/"))).body.toString()).toBe("0")
  await Bun.sleep(60)
  expect((await client.exchange(get("/"))).body.toString()).toBe("1")
  expect(await backend.connections[0]?.closed()).toEqual({ by: "end" })
})

test("an idle connection is closed after timeouts.pool_idle", async () => {
  using backend = await ScriptedBackend.start(numbering())
  const balancer = await TestBalancer.start([backend.port], { timeouts: { poolIdle: 150 } })
  const client = await RawClient.connect(balancer.port)
  await client.exchange(get("/"))
  expect(idleOf(balancer)).toBe(1)
  expect(await backend.connections[0]?.closed(1000)).toEqual({ by: "end" })
  expect(idleOf(balancer)).toBe(0)
  await client.close()
  await comesToRest(balancer)
})

test.each([
  ["a byte", (connection: Wire) => void connection.send("H")],
  ["a second response", (connection: Wire) => void connection.send(answer(200, "poison"))],
  ["a FIN", (connection: Wire) => void connection.halfClose()],
  ["a reset", (connection: Wire) => connection.reset()],
])("%s on an idle connection destroys it", async (_what, disturb) => {
  using backend = await ScriptedBackend.start(numbering())
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.exchange(get("/"))
  const [first] = backend.connections
  if (first === undefined) throw new Error("no connection")
  disturb(first)
  await until(() => idleOf(balancer) === 0, 2000, "an empty pool")
  await first.closed()
  expect((await client.exchange(get("/"))).body.toString()).toBe("1")
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  await client.close()
  await comesToRest(balancer)
})

test.each([
  ["Connection: close", answer(200, "a", "Connection: close")],
  ["HTTP/1.0", answer(200, "a").replace("1.1", "1.0")],
  ["a byte too many", `${answer(200, "a")}b`],
])("a response with %s is the last one of its connection", async (_what, response) => {
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      void connection.send(response)
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 3; i++) {
    expect((await client.exchange(get("/"))).body.toString()).toBe("a")
    await backend.connections[i]?.closed()
  }
  expect(backend.accepted).toBe(3)
})

test("an HTTP/1.0 backend that says keep-alive keeps its connection", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      void connection.send(answer(200, "a", "Connection: Keep-Alive").replace("1.1", "1.0"))
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 3; i++) expect((await client.exchange(get("/"))).version).toBe("1.1")
  expect(backend.accepted).toBe(1)
})
