/** Requests and responses of every honest shape, from end to end. */
import { describe, expect, onTestFinished, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = (target: string = "/", ...fields: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, "Host: x", ...fields].join("\r\n")}\r\n\r\n`

/** A backend that answers every request with the same bytes. */
async function replying(bytes: string) {
  const backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      void connection.send(bytes)
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  return { backend, balancer, client, [Symbol.dispose]: () => backend.stop() }
}

describe("responses without a body", () => {
  test.each([
    ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "1000"],
    ["HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", null],
    ["HEAD with neither", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", null],
    ["204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", null],
    ["304 with a length", "GET", "HTTP/1.1 304 X\r\nContent-Length: 1000\r\n\r\n", "1000"],
    ["200 of length 0", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0"],
  ])("%s: both connections go on at once", async (_what, method, bytes, length) => {
    using setup = await replying(bytes)
    const { client, backend } = setup
    for (let i = 0; i < 3; i++) {
      const response = await client.exchange(get().replace("GET", method), {
        head: method === "HEAD",
      })
      expect(response.field("content-length")).toBe(length)
      expect(response.field("connection")).toBeNull()
    }
    expect(backend.accepted).toBe(1)
    expect(client.incoming.length).toBe(0)
  })
})

test("a body that ends with the connection ends the client's connection too", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.send("HTTP/1.1 200 OK\r\n\r\none ")
    await connection.send("two")
    await connection.close()
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(get())
  expect([response.body.toString(), response.framing]).toEqual(["one two", "close"])
  expect(response.field("connection")).toBe("close")
  await client.close()
  await comesToRest(balancer)
  expect(balancer.figure("bunlb_truncated_responses_total")).toBe(0)
})

describe("an HTTP/1.0 client", () => {
  const chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

  test("without keep-alive is closed after its response", async () => {
    using setup = await replying(answer(200, "a"))
    const response = await setup.client.exchange("GET / HTTP/1.0\r\n\r\n")
    expect(response.field("connection")).toBe("close")
    expect(await setup.client.closed()).toEqual({ by: "end" })
    expect(setup.backend.requests[0]?.field("host")).toBe(`127.0.0.1:${setup.backend.port}`)
  })

  test("with keep-alive goes on and is told so", async () => {
    using setup = await replying(answer(200, "a"))
    for (let i = 0; i < 3; i++) {
      const response = await setup.client.exchange(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      )
      expect(response.field("connection")).toBe("keep-alive")
    }
    expect(setup.backend.accepted).toBe(1)
  })

  test("gets a chunked body without its chunks, and then the end", async () => {
    using setup = await replying(chunked)
    const response = await setup.client.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    expect(response.field("transfer-encoding")).toBeNull()
    expect([response.body.toString(), response.framing]).toEqual(["onetwo", "close"])
  })

  test("gets no interim response", async () => {
    using setup = await replying(`HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${answer(200, "a")}`)
    const response = await setup.client.exchange("GET / HTTP/1.0\r\n\r\n")
    expect(response.interim).toEqual([])
    expect(response.body.toString()).toBe("a")
  })
})

test("10 requests in one write are answered in their order", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const targets = Array.from({ length: 10 }, (_, i) => `/${i}`)
  await client.send(targets.map((target) => get(target)).join(""))
  for (const target of targets) {
    expect((await client.receiveResponse()).body.toString()).toBe(target)
  }
  await client.close()
  await comesToRest(balancer)
})

test("requests with bodies in one write are answered in their order", async () => {
  using backend = await ScriptedBackend.start(answering(({ body }) => body.toString()))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const sized = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nsized"
  const chunked =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nchunked\r\n0\r\n\r\n"
  await client.send(sized + chunked + get() + chunked + sized)
  for (const body of ["sized", "chunked", "", "chunked", "sized"]) {
    expect((await client.receiveResponse()).body.toString()).toBe(body)
  }
})

test("10,000 requests in one go are answered, at the price of 1,000 each", async () => {
  const response = answer(200, "a")
  const backend = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write(response) },
  })
  onTestFinished(() => backend.stop(true))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  // No Host field twice, no body: the shortest request there is.
  const request = "GET / HTTP/1.1\r\nHost:x\r\n\r\n"
  let bytes = 0
  client.sink((piece) => (bytes += piece.length))
  const each = await lengthOfOne(balancer.port)
  /** CPU us for each of so many. */
  const priceOf = async (count: number): Promise<number> => {
    const before = process.cpuUsage()
    bytes = 0
    void client.send(request.repeat(count))
    await until(() => bytes === each * count, 15_000, "all answers")
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  const few = Math.max(await priceOf(1_000), await priceOf(1_000))
  // Were the time to grow with the square of the number, it would be ten times as much.
  expect(await priceOf(10_000)).toBeLessThan(4 * few)
})

async function lengthOfOne(port: number): Promise<number> {
  const client = await RawClient.connect(port)
  return (await client.exchange(get())).raw.length
}

describe("interim responses", () => {
  test("are relayed as they come, before the final one", async () => {
    const early = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    using setup = await replying(early + early + answer(200, "a"))
    const response = await setup.client.exchange(get())
    expect(response.interim.map(({ status }) => status)).toEqual([103, 103])
    expect(response.interim[0]?.fields).toEqual([["Link", "</a>; rel=preload"]])
    expect((await setup.client.exchange(get())).status).toBe(200)
    expect(setup.backend.accepted).toBe(1)
  })

  test("of no reason phrase, like a final one: the space is put in", async () => {
    using setup = await replying(
      "HTTP/1.1 103\r\nA: b\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    )
    await setup.client.send(get())
    const received = (await setup.client.receiveUntil("ok")).toString()
    expect(received.split("\r\n").filter((line) => line.startsWith("HTTP/"))).toEqual([
      ...["HTTP/1.1 103 ", "HTTP/1.1 200 "],
    ])
  })

  test("100 Continue reaches the client while it holds its body back", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      const { field } = await connection.receiveRequestHead()
      expect(field("expect")).toBe("100-continue")
      await connection.send("HTTP/1.1 100 Continue\r\n\r\n")
      const body = await connection.receiveBytes(4)
      await connection.send(answer(200, body.toString()))
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    )
    expect((await client.receiveUntil("\r\n\r\n")).toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n")
    await client.send("body")
    expect((await client.receiveResponse()).body.toString()).toBe("body")
    await client.close()
    await comesToRest(balancer)
  })
})

test("server-sent events arrive one by one", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for (let i = 0; i < 5; i++) {
      // The next event leaves when the client has shown that it has the one before.
      await connection.receiveBytes(0)
      await connection.send(`data: ${i}\n\n`)
      await until(() => seen === i + 1, 2000, `event ${i} at the client`)
    }
    await connection.close()
  })
  let seen = 0
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.send(get("/", "Accept: text/event-stream"))
  await client.receiveUntil("\r\n\r\n")
  for (let i = 0; i < 5; i++) {
    expect((await client.receiveUntil("\n\n")).toString()).toBe(`data: ${i}\n\n`)
    seen++
  }
  expect(await client.closed()).toEqual({ by: "end" })
})
