/** Clients that are slow, half gone or silent. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const quick = { clientHead: 200, clientIdle: 400, clientBody: 200, clientRead: 400 }

async function connected(timeouts: Partial<typeof quick> = quick, halfClose = false) {
  const backend = await ScriptedBackend.start(answering(({ body }) => body.toString()))
  const balancer = await TestBalancer.start([backend.port], { timeouts, halfClose })
  const client = await RawClient.connect(balancer.port)
  return { backend, balancer, client, [Symbol.dispose]: () => backend.stop() }
}

describe("half-close, with half_close on", () => {
  test("a client that says FIN after its request gets the whole response, then FIN", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await until(() => halfClosed, 2000, "the client's FIN")
      await connection.send(answer(200, "x".repeat(1_000_000)))
    })
    let halfClosed = false
    const balancer = await TestBalancer.start([backend.port], { halfClose: true })
    const client = await RawClient.connect(balancer.port)
    await client.send(get)
    await client.halfClose()
    await until(() => backend.requests.length === 1, 2000, "the request")
    halfClosed = true
    expect((await client.receiveResponse()).body.length).toBe(1_000_000)
    expect(await client.closed()).toEqual({ by: "end" })
    await comesToRest(balancer)
  })

  test("pipelined requests before the FIN are all answered", async () => {
    using setup = await connected(quick, true)
    await setup.client.send(get.repeat(5))
    await setup.client.halfClose()
    for (let i = 0; i < 5; i++) expect((await setup.client.receiveResponse()).status).toBe(200)
    expect(await setup.client.closed()).toEqual({ by: "end" })
    await comesToRest(setup.balancer)
  })

  test("half a request before the FIN is not waited for", async () => {
    using setup = await connected({}, true)
    await setup.client.send(`${get}GET / HT`)
    await setup.client.halfClose()
    expect((await setup.client.receiveResponse()).status).toBe(200)
    expect(await setup.client.closed(1000)).toEqual({ by: "end" })
    await comesToRest(setup.balancer)
  })

  test("in the middle of a body ends the request, and the backend sees no complete one", async () => {
    using setup = await connected()
    await setup.client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    await until(() => setup.backend.accepted === 1, 2000, "the connection")
    await setup.client.halfClose()
    await setup.client.closed()
    await comesToRest(setup.balancer)
    expect(setup.backend.requests).toHaveLength(0)
    expect(setup.backend.connections[0]?.ending).not.toBeNull()
    expect(setup.balancer.figure("bunlb_client_aborts_total")).toBe(1)
  })
})

describe("a client that says", () => {
  test("nothing is closed without a word after client_head", async () => {
    using setup = await connected()
    expect((await setup.client.receiveRest(1500)).length).toBe(0)
    await comesToRest(setup.balancer)
  })

  test("nothing more is closed without a word after client_idle", async () => {
    using setup = await connected()
    expect((await setup.client.exchange(get)).status).toBe(200)
    const began = performance.now()
    expect((await setup.client.receiveRest(1500)).length).toBe(0)
    expect(performance.now() - began).toBeGreaterThan(380)
    await comesToRest(setup.balancer)
  })

  test("a part of a head gets 408", async () => {
    using setup = await connected()
    await setup.client.send(get.slice(0, 20))
    const response = await setup.client.receiveResponse({}, 1500)
    expect([response.status, response.field("connection")]).toEqual([408, "close"])
    expect(setup.balancer.figure("bunlb_rejected_requests_total", "head_timeout")).toBe(1)
    await setup.client.close()
    await comesToRest(setup.balancer)
  })

  test("a part of a second head gets 408 after its own client_head", async () => {
    using setup = await connected()
    await setup.client.exchange(get)
    await setup.client.send(get.slice(0, 20))
    expect((await setup.client.receiveResponse({}, 1500)).status).toBe(408)
  })

  test("a part of a body gets 408, and the backend's connection is reset", async () => {
    using setup = await connected()
    await setup.client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    expect((await setup.client.receiveResponse({}, 1500)).status).toBe(408)
    expect(await setup.backend.connections[0]?.closed()).toEqual({ by: "reset" })
    expect(setup.backend.requests).toHaveLength(0)
    await setup.client.close()
    await comesToRest(setup.balancer)
  })

  test("its body slowly but steadily is served", async () => {
    using setup = await connected()
    await setup.client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
    for (const byte of "slowly") {
      await Bun.sleep(100)
      await setup.client.send(byte)
    }
    expect((await setup.client.receiveResponse()).body.toString()).toBe("slowly")
  })

  test("an empty line after its request is as idle as one that says nothing", async () => {
    using setup = await connected()
    await setup.client.send(`${get}\r\n`)
    expect((await setup.client.receiveResponse()).status).toBe(200)
    expect((await setup.client.receiveRest(1500)).toString()).toBe("")
  })
})

describe("a client that reads slowly", () => {
  const megabytes = "x".repeat(16 * 1024 * 1024)

  test("gets everything, while the backend waits and others are served", async () => {
    let sent = false
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequest()
        await connection.send(answer(200, target === "/big" ? megabytes : "small"))
        if (target === "/big") sent = true
      }
    })
    const balancer = await TestBalancer.start([backend.port])
    const slow = await RawClient.connect(balancer.port)
    slow.pause()
    await slow.send(get.replace("/", "/big"))
    const other = await RawClient.connect(balancer.port)
    for (let i = 0; i < 20; i++) expect((await other.exchange(get)).body.toString()).toBe("small")
    await Bun.sleep(50)
    expect(sent).toBe(false)
    slow.resume()
    expect((await slow.receiveResponse()).body.length).toBe(megabytes.length)
    // The connection is as good as new.
    expect((await slow.exchange(get)).body.toString()).toBe("small")
  })

  test("and takes nothing for client_read is reset, and so is the backend's connection", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(200, megabytes))
    })
    const balancer = await TestBalancer.start([backend.port], { timeouts: quick })
    const slow = await RawClient.connect(balancer.port)
    slow.pause()
    await slow.send(get)
    await comesToRest(balancer)
    expect(await backend.connections[0]?.closed()).toEqual({ by: "reset" })
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  })
})

test("an HTTP/1.0 client that wants to stay is not left waiting after an answer of bunlb's own", async () => {
  const balancer = await TestBalancer.start([{ port: 1, duty: "drain" }])
  const client = await RawClient.connect(balancer.port)
  await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
  const response = await client.receiveResponse()
  expect([response.status, response.field("connection")]).toEqual([503, "close"])
  expect(await client.closed(1000)).toEqual({ by: "end" })
})

describe("a client that said that this was its last request", () => {
  const last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

  test("is closed as soon as it has its answer: bunlb keeps nothing of it", async () => {
    using setup = await connected({})
    await setup.client.send(last)
    const response = await setup.client.receiveResponse()
    expect([response.status, response.field("connection")]).toEqual([200, "close"])
    expect(await setup.client.closed()).toEqual({ by: "end" })
    // It has not said FIN itself, and nobody waits for that.
    expect(setup.balancer.figure("bunlb_client_connections")).toBe(0)
  })

  test("and says more all the same is not robbed of the answer by a reset", async () => {
    using setup = await connected({})
    await setup.client.send(`${last}\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await setup.client.receiveResponse()).status).toBe(200)
    expect(await setup.client.closed()).toEqual({ by: "end" })
    expect(setup.backend.requests).toHaveLength(1)
  })

  test("and goes on speaking while it is answered reads the answer too", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await until(() => spoken, 2000, "more of the client")
      await connection.send(answer(200, "x".repeat(300_000)))
    })
    let spoken = false
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send(last)
    await until(() => backend.requests.length === 1, 2000, "the request")
    await client.send("and more")
    spoken = true
    expect((await client.receiveResponse()).body).toHaveLength(300_000)
    expect(await client.closed()).toEqual({ by: "end" })
  })
})
