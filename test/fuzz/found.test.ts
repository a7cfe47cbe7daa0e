/** What the fuzzers have found and no file of bytes can tell: faults of time and of who left first. */
import { expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { answer, answering, ScriptedBackend } from "../support/scripted-backend.ts"

const get = "GET /own HTTP/1.1\r\nHost: h\r\n\r\n"

test("a body that ends with a reset is cut short, also when bunlb hears of it by writing", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    await connection.send("HTTP/1.1 200 OK\r\n\r\nhalf")
    connection.reset()
  })
  const balancer = await TestBalancer.start([backend.port])
  for (let times = 0; times < 20; times++) {
    const client = await RawClient.connect(balancer.port)
    await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
    for (let piece = 0; piece < 200 && client.ending === null; piece++) {
      if (!(await client.send("piece"))) break
      await new Promise((turn) => setImmediate(turn))
    }
    await client.closed()
    await client.close()
  }
  expect(balancer.figure("bunlb_truncated_responses_total")).toBe(20)
  await comesToRest(balancer)
})

test("empty lines before a request are counted alike, in one piece and in many", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const balancer = await TestBalancer.start([backend.port])
  for (const [lines, status] of [
    [2, 200],
    [3, 400],
  ] as const) {
    const text = "\r\n".repeat(lines) + get
    for (let piece = 1; piece <= text.length; piece++) {
      const client = await RawClient.connect(balancer.port)
      for (let at = 0; at < text.length; at += piece) {
        await client.sendSplit(text.slice(at, at + piece), 0)
      }
      const got = (await client.receiveResponse()).status
      expect({ lines, piece, got }).toEqual({ lines, piece, got: status })
      await client.close()
    }
  }
})

test("an empty line after a request begins no other: the connection is idle", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const timeouts = { clientHead: 200, clientIdle: 700 }
  const balancer = await TestBalancer.start([backend.port], { timeouts })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(`${get}\r\n`)).status).toBe(200)
  await Bun.sleep(400)
  expect((await client.exchange(get)).status).toBe(200)
  await client.send("\r\n")
  expect((await client.receiveRest()).length).toBe(0)
  await client.close()
})

test("half a request behind a whole one: that is answered, and all ends at once", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const balancer = await TestBalancer.start([backend.port], { halfClose: true })
  for (const half of [
    "GE",
    get.slice(0, -2),
    "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhal",
  ]) {
    const client = await RawClient.connect(balancer.port)
    await client.send(get + half)
    await client.halfClose()
    expect((await client.receiveResponse()).body.toString()).toBe("/own")
    expect((await client.receiveRest(1000)).length).toBe(0)
    await client.close()
  }
  await comesToRest(balancer, 1000)
})

test("requests sent behind the last one do not reset its answer", async () => {
  const body = "x".repeat(300_000)
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.send(answer(200, body))
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  client.pause()
  await client.send(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
  await Bun.sleep(50)
  // All of the answer is on its way. The next request must not turn it into a reset.
  await client.send(get)
  await Bun.sleep(50)
  client.resume()
  expect((await client.receiveResponse()).body.length).toBe(body.length)
  expect((await client.receiveRest()).length).toBe(0)
  await client.close()
})
