/** When a request is sent again, and when it must not be: counted at the backends. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
const put = post.replace("POST", "PUT")

/** Reads one request and resets without a word. */
const resetting: ConnectionHandler = async (connection) => {
  await connection.receiveRequest()
  connection.reset()
}

/** Answers the first request of each connection and resets when a second comes. */
const resettingWhenReused: ConnectionHandler = async (connection) => {
  await connection.receiveRequest()
  await connection.send(answer(200, String(connection.index)))
  await connection.receiveRequest()
  connection.reset()
}

describe("a refused dial", () => {
  test.each([
    ["GET", get],
    ["POST", post],
    [
      "a chunked POST",
      post.replace(
        "Content-Length: 4\r\n\r\nbody",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
      ),
    ],
  ])("sends %s to another backend", async (_method, request) => {
    using backend = await ScriptedBackend.start(answering(({ body }) => `got ${body.toString()}`))
    const refused = [refusedPort(), refusedPort()]
    const balancer = await TestBalancer.start([...refused, backend.port])
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < 6; i++) expect((await client.exchange(request)).status).toBe(200)
    expect(backend.requests).toHaveLength(6)
    expect(balancer.figure("bunlb_backend_up")).toBe(1)
    expect(balancer.figure("bunlb_failovers_total")).toBeGreaterThan(0)
    await client.close()
    await comesToRest(balancer)
  })

  test("of every backend is 502, and 503 once all are known to be down", async () => {
    const balancer = await TestBalancer.start([refusedPort(), refusedPort()])
    const client = await RawClient.connect(balancer.port)
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await client.exchange(post)).status)
    expect(statuses).toEqual([502, 502, 503, 503])
    await client.close()
    await comesToRest(balancer)
  })
})

describe("a connection that dies before any byte of a response", () => {
  test("when it was pooled: GET goes to the same backend again, on a fresh connection", async () => {
    using backend = await ScriptedBackend.start(resettingWhenReused)
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < 5; i++) {
      expect((await client.exchange(get)).body.toString()).toBe(String(i))
    }
    expect(balancer.figure("bunlb_stale_retries_total")).toBe(4)
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  })

  test("when it was pooled: PUT goes again with its body", async () => {
    using backend = await ScriptedBackend.start(resettingWhenReused)
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(put)).status).toBe(200)
    expect((await client.exchange(put)).status).toBe(200)
    expect(backend.requests.map(({ body }) => body.toString())).toEqual(["body", "body", "body"])
  })

  test("POST is answered 502 and reaches the backend once", async () => {
    using backend = await ScriptedBackend.start(resettingWhenReused)
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(200)
    expect((await client.exchange(post)).status).toBe(502)
    expect(backend.requests.filter(({ method }) => method === "POST")).toHaveLength(1)
  })

  test("when it was fresh: GET goes to another backend, POST does not", async () => {
    using bad = await ScriptedBackend.start(resetting)
    using good = await ScriptedBackend.start(answering(() => "good"))
    const settings = { health: { failures: 100 } }
    const balancer = await TestBalancer.start([bad.port, good.port], settings)
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < 4; i++) {
      expect((await client.exchange(get)).body.toString()).toBe("good")
    }
    expect(bad.requests).toHaveLength(2)
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) {
      const turn = await RawClient.connect(balancer.port)
      statuses.push((await turn.exchange(post)).status)
    }
    expect(statuses.toSorted()).toEqual([200, 200, 502, 502])
    expect(bad.requests).toHaveLength(4)
    expect(good.requests).toHaveLength(6)
  })

  test("GET is sent again at most retries.max times", async () => {
    using backend = await ScriptedBackend.start(resetting)
    const balancer = await TestBalancer.start([backend.port], { retries: { max: 2 } })
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(502)
    expect(backend.requests).toHaveLength(3)
    expect(balancer.figure("bunlb_retries_total")).toBe(2)
    await client.close()
    await comesToRest(balancer)
  })

  test("a body larger than the replay buffer is not sent again", async () => {
    using backend = await ScriptedBackend.start(resetting)
    const balancer = await TestBalancer.start([backend.port], { retries: { replayBytes: 1000 } })
    const client = await RawClient.connect(balancer.port)
    const of = (length: number): string =>
      `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length)}`
    expect((await client.exchange(of(1001))).status).toBe(502)
    expect(backend.requests).toHaveLength(1)
    expect((await client.exchange(of(1000))).status).toBe(502)
    expect(backend.requests).toHaveLength(4)
    expect(backend.requests.map(({ body }) => body.length)).toEqual([1001, 1000, 1000, 1000])
  })
})

describe("a pooled connection that the kernel knows to be dead is not used for", () => {
  const head = (method: string, framing: string): string =>
    `${method} / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`
  const long = "x".repeat(100_000)
  test.each([
    ["a POST", `${head("POST", "Content-Length: 4")}body`, ""],
    ["a PUT too long to be kept", head("PUT", "Content-Length: 100000") + long, ""],
    ["half a PUT", `${head("PUT", "Content-Length: 100000")}x`, long.slice(1)],
    ["half a PUT in chunks", head("PUT", "Transfer-Encoding: chunked"), "1\r\nx\r\n0\r\n\r\n"],
  ])("%s", async (_what, first, rest) => {
    using backend = await ScriptedBackend.start(answering(() => "fine"))
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.exchange(get)
    // In one turn and in this order: bunlb reads the request before it hears of the end.
    void client.send(first)
    void backend.connections[0]?.close()
    await until(() => backend.accepted === 2, PATIENCE_MS, "a fresh connection")
    await client.send(rest)
    expect((await client.receiveResponse()).status).toBe(200)
    expect([backend.accepted, backend.requests.length]).toEqual([2, 2])
    expect(balancer.figure("bunlb_retries_total")).toBe(0)
    await client.close()
    await comesToRest(balancer)
  })
})

test("a body that comes in pieces is sent again whole", async () => {
  using bad = await ScriptedBackend.start(async (connection) => {
    await connection.receiveUntil("first")
    connection.reset()
  })
  using good = await ScriptedBackend.start(answering(({ body }) => body.toString()))
  const balancer = await TestBalancer.start([bad.port, good.port])
  const client = await RawClient.connect(balancer.port)
  await client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
  await client.send("5\r\nfirst\r\n")
  while (good.accepted === 0) await Bun.sleep(1)
  await client.send("6\r\nsecond\r\n0\r\n\r\n")
  expect((await client.receiveResponse()).body.toString()).toBe("firstsecond")
})

describe("after a byte of a response nothing is sent again", () => {
  test.each([
    ["one byte", "H", 502],
    ["a part of a head", "HTTP/1.1 200 OK\r\nContent-", 502],
    ["an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n", 502],
  ])("%s", async (_what, bytes, status) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(bytes)
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port, backend.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(status)
    expect(backend.requests).toHaveLength(1)
    expect(balancer.figure("bunlb_retries_total")).toBe(0)
    await client.close()
    await comesToRest(balancer)
  })
})

test("retries end with their budget, and requests without a failure go on", async () => {
  using backend = await ScriptedBackend.start(resetting)
  const settings = {
    retries: { max: 2, budgetPercent: 0, budgetFloor: 1 },
    health: { failures: 1000 },
  }
  const balancer = await TestBalancer.start([backend.port], settings)
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 20; i++) expect((await client.exchange(get)).status).toBe(502)
  // A floor of one a second is ten in the ten seconds that the budget looks at.
  expect(balancer.figure("bunlb_retries_total")).toBe(10)
  expect(backend.requests).toHaveLength(30)
  expect(balancer.figure("bunlb_retry_budget_exhausted_total")).toBe(15)
})

test("with nobody healthy a request knocks at eight backends and not at all of them", async () => {
  const port = refusedPort()
  const backends = Array.from({ length: 40 }, (_, i) => ({ port, name: `dead-${i}` }))
  const balancer = await TestBalancer.start(backends, { health: { failures: 1 } })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get)).status).toBe(503)
  expect(balancer.figure("bunlb_dials_total", '"failed"')).toBe(40)
  for (let i = 1; i <= 5; i++) {
    expect((await client.exchange(get)).status).toBe(503)
    expect(balancer.figure("bunlb_dials_total", '"failed"')).toBe(40 + i * 8)
  }
  await client.close()
  await comesToRest(balancer)
})
