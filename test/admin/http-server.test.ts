/** The HTTP of the admin listener over real sockets: in which order is answered, how it ends, who has to leave. */
import { describe, expect, onTestFinished, test } from "bun:test"
import { noStore, type Answer } from "../../src/admin/http-answer.ts"
import { RawClient } from "../support/raw-client.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { head, post, serve, text, times } from "./serving-http.ts"

test("a request is read however it is cut", async () => {
  const { connect } = serve()
  const whole =
    `${post}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n` +
    `${post}Content-Length: 3\r\n\r\nxyz`
  const client = await connect()
  for (let at = 1; at < whole.length; at++) {
    await client.sendSplit(whole, at)
    for (const body of ["abcde", "xyz"]) {
      const response = await client.receiveResponse()
      expect([at, response.body.toString()]).toEqual([at, `POST http://h/a ${body}`])
    }
  }
  for (const octet of `${head}\r\n`) await client.send(octet)
  expect((await client.receiveResponse()).body.toString()).toBe("GET http://h/a ")
})

test("requests that are sent ahead are answered in order, one at a time", async () => {
  let working = 0
  let most = 0
  const { connect } = serve({}, async (request) => {
    most = Math.max(most, ++working)
    await Bun.sleep(request.url.endsWith("0") ? 20 : 1)
    working--
    return text(request.url)
  })
  const client = await connect()
  const requests = Array.from({ length: 200 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: h\r\n\r\n`)
  await client.send(requests.join(""))
  for (let i = 0; i < requests.length; i++) {
    expect((await client.receiveResponse()).body.toString()).toBe(`http://h/${i}`)
  }
  expect(most).toBe(1)
})

test("how a connection ends: by HTTP/1.0, by the client's wish, or not at all", async () => {
  const { connect } = serve()
  const cases: readonly (readonly [string, string | null])[] = [
    ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", null],
    ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close"],
    ["GET / HTTP/1.0\r\n\r\n", "close"],
    ["GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"],
  ]
  for (const [request, connection] of cases) {
    const client = await connect()
    await client.send(request)
    const response = await client.receiveResponse()
    expect([request, response.status, response.field("connection")]).toEqual([
      request,
      200,
      connection,
    ])
    if (connection === "close") await client.receiveRest()
    else expect((await client.exchange(`${head}\r\n`)).status).toBe(200)
  }
})

test("HEAD has the length and no body, an absolute target is the Host, no Host is none", async () => {
  const { connect } = serve()
  const client = await connect()
  await client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
  const bodiless = await client.receiveResponse({ head: true })
  expect([bodiless.status, bodiless.field("content-length")]).toEqual([200, "16"])
  for (const [request, url] of [
    ["GET http://other/b?c HTTP/1.1\r\nHost: h\r\n\r\n", "http://other/b?c"],
    ["GET /b HTTP/1.1\r\nHost:\r\n\r\n", "/b"],
    ["GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "/b"],
    ["POST /b HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n", "/b"],
  ] as const) {
    const response = await client.exchange(request)
    expect(response.body.toString().split(" ")[1]).toBe(url)
  }
})

test("a client that waits for 100 gets it, and one whose body is too large does not", async () => {
  const { connect } = serve()
  const client = await connect()
  await client.send(`${post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`)
  await client.receiveUntil("HTTP/1.1 100 Continue\r\n\r\n")
  await client.send("abc")
  const response = await client.receiveResponse()
  expect(response.body.toString()).toBe("POST http://h/a abc")
  await client.send(`${post}Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n`)
  const refused = await client.receiveResponse()
  expect([refused.status, refused.interim]).toEqual([413, []])
})

test("a client that has sent its FIN is answered all the same", async () => {
  const { connect } = serve({}, async () => {
    await Bun.sleep(20)
    return text("late")
  })
  const client = await connect()
  await client.send(`${head}\r\n`)
  await client.halfClose()
  expect((await client.receiveResponse()).body.toString()).toBe("late")
  await client.receiveRest()
})

describe("who takes too long", () => {
  const short = { ...times, idleMs: 100, headMs: 100, bodyMs: 100, stallMs: 200 }

  test("with a head or a body: 408", async () => {
    const { connect } = serve({ times: short })
    for (const part of ["GET /a HT", `${post}Content-Length: 5\r\n\r\nab`]) {
      const client = await connect()
      await client.send(part)
      const response = await client.receiveResponse()
      expect([part, response.status, response.field("connection")]).toEqual([part, 408, "close"])
      await client.receiveRest()
    }
  })

  test("byte by byte is no help", async () => {
    const { connect } = serve({ times: short })
    const client = await connect()
    const drip = setInterval(() => void client.send("a").catch(() => {}), 10)
    onTestFinished(() => clearInterval(drip))
    await client.send("GET /")
    expect((await client.receiveResponse()).status).toBe(408)
  })

  test("between requests: closed, with no answer", async () => {
    const { connect, server } = serve({ times: short })
    const client = await connect()
    expect((await client.exchange(`${head}\r\n`)).status).toBe(200)
    await client.receiveRest()
    const silent = await connect()
    await silent.receiveRest()
    await until(() => server.size === 0, PATIENCE_MS, "both to be gone")
  })

  test("with a large answer: gone, while one that reads slowly gets all of it", async () => {
    const piece = new Uint8Array(1024 * 1024).fill(97)
    const large = Array.from({ length: 24 }, () => piece)
    const { connect, server } = serve({ times: short }, async () => ({
      ...{ status: 200, headers: noStore, body: large },
    }))
    const stuck = await connect()
    stuck.pause()
    await stuck.send(`${head}\r\n`)
    await until(() => server.size === 1, PATIENCE_MS, "the connection")
    await until(() => server.size === 0, PATIENCE_MS, "it to be given up")
    const whole = await connect()
    await whole.send(`${head}\r\n`)
    expect((await whole.receiveResponse()).body.length).toBe(24 * piece.length)
  })
})

describe("more connections than there may be", () => {
  test("the one that waits longest for its client goes, and a newcomer is answered", async () => {
    const { connect, server } = serve({ most: 3 })
    const [first, second, third] = [await connect(), await connect(), await connect()]
    expect((await first.exchange(`${head}\r\n`)).status).toBe(200)
    await until(() => server.size === 3, PATIENCE_MS, "three connections")
    const fourth = await connect()
    expect((await fourth.exchange(`${head}\r\n`)).status).toBe(200)
    await second.closed()
    for (const each of [first, third, fourth]) {
      expect((await each.exchange(`${head}\r\n`)).status).toBe(200)
    }
    expect(server.size).toBe(3)
  })

  test("one that is being served stays; when all are, a newcomer is reset", async () => {
    const answers = Promise.withResolvers<Answer>()
    let asked = 0
    const { connect, server } = serve({ most: 2 }, async () => {
      asked++
      return await answers.promise
    })
    const busy = [await connect(), await connect()]
    for (const each of busy) await each.send(`${head}\r\n`)
    await until(() => asked === 2, PATIENCE_MS, "two requests")
    const late = await connect()
    expect(await late.closed()).toEqual({ by: "reset" })
    answers.resolve(text("done"))
    for (const each of busy) expect((await each.receiveResponse()).body.toString()).toBe("done")
    expect(server.size).toBe(2)
  })

  test("clients that do not read their answers lock nobody out", async () => {
    const large = Array.from({ length: 16 }, () => new Uint8Array(1024 * 1024))
    const { connect, server } = serve({ most: 4 }, async ({ url }) =>
      url.endsWith("/a") ? { status: 200, headers: noStore, body: large } : text("short"),
    )
    for (let i = 0; i < 12; i++) {
      const stuck = await connect()
      stuck.pause()
      await stuck.send(`${head}\r\n`)
    }
    const client = await connect()
    const response = await client.exchange("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
    expect(response.body.toString()).toBe("short")
    expect(server.size).toBeLessThanOrEqual(4)
  })
})

describe("streams", () => {
  /** Gives pieces as fast as they are taken. */
  function endless(size: number) {
    const seen = { pulled: 0, cancelled: false }
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        seen.pulled++
        controller.enqueue(new Uint8Array(size).fill(97))
      },
      cancel: () => void (seen.cancelled = true),
    })
    return { seen, body }
  }

  test("a viewer that does not read takes no memory, and goes in the end", async () => {
    const { seen, body } = endless(64 * 1024)
    const { connect, server } = serve({ times: { ...times, stallMs: 300 } }, async () => ({
      ...{ status: 200, headers: noStore, body },
    }))
    const client = await connect()
    client.pause()
    await client.send(`${head}\r\n`)
    await until(() => seen.pulled > 1, PATIENCE_MS, "the first pieces")
    await until(() => server.size === 0, PATIENCE_MS, "it to be given up")
    // What the kernel has taken, and two pieces at most.
    expect(seen.pulled * 64 * 1024).toBeLessThan(16 * 1024 * 1024)
    await until(() => seen.cancelled, PATIENCE_MS, "the stream to be let go")
  })

  test.each(["FIN", "RST"])("a viewer that leaves by %s is let go", async (way) => {
    let cancelled = false
    const { connect, server } = serve({}, async () => ({
      ...{ status: 200, headers: noStore },
      body: new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Buffer.from("hello")),
        cancel: () => void (cancelled = true),
      }),
    }))
    const client = await connect()
    await client.send(`${head}\r\n`)
    await client.receiveUntil("5\r\nhello\r\n")
    if (way === "FIN") await client.halfClose()
    else client.reset()
    await until(() => cancelled && server.size === 0, PATIENCE_MS, "it to be let go")
  })

  test("chunks for HTTP/1.1, the end of the connection for HTTP/1.0, nothing for HEAD", async () => {
    const { connect } = serve({}, async () => ({
      ...{ status: 200, headers: noStore, body: new Blob(["hello"]).stream() },
    }))
    const chunked = await (await connect()).exchange(`${head}\r\n`)
    expect([chunked.framing, chunked.body.toString()]).toEqual(["chunked", "hello"])
    const closed = await (
      await connect()
    ).exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    expect([closed.framing, closed.body.toString()]).toEqual(["close", "hello"])
    const client = await connect()
    await client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
    expect((await client.receiveResponse({ head: true })).status).toBe(200)
    expect((await client.exchange(`${head}\r\n`)).body.toString()).toBe("hello")
  })

  test("one that fails is cut, so that nobody takes it for whole", async () => {
    const { connect } = serve({}, async () => ({
      ...{ status: 200, headers: noStore },
      body: new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Buffer.from("hello")),
        pull: () => Promise.reject(new Error("no more")),
      }),
    }))
    const client = await connect()
    await client.send(`${head}\r\n`)
    expect(await client.closed()).toEqual({ by: "reset" })
  })
})

test("one that retires answers who is there, tells them to close, and then lets go of the port", async () => {
  const answers = Promise.withResolvers<Answer>()
  let asked = 0
  const { connect, port, server } = serve({}, async ({ url }) => {
    asked++
    return url.endsWith("/a") ? await answers.promise : text("short")
  })
  const [busy, idle, silent] = [await connect(), await connect(), await connect()]
  expect((await idle.exchange("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")).status).toBe(200)
  await busy.send(`${head}\r\n`)
  await until(() => asked === 2, PATIENCE_MS, "the question")
  await server.retire()
  await idle.receiveRest()
  const late = await silent.exchange("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
  answers.resolve(text("done"))
  for (const response of [late, await busy.receiveResponse()]) {
    expect([response.status, response.field("connection")]).toEqual([200, "close"])
  }
  const isFree = (): Promise<boolean> =>
    RawClient.connect(port).then(
      (client) => {
        client.reset()
        return false
      },
      () => true,
    )
  await until(isFree, PATIENCE_MS, "the port to be free")
  await until(() => server.size === 0, PATIENCE_MS, "all to be gone")
})
