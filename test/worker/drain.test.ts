/** A worker that is told to drain loses nothing that is under way and keeps nobody. */
import { expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = (target: string = "/"): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`

/** Answers at once, but `/slow` in two parts: the head, and the body when `go` says so. */
async function slowBackend(go: Promise<void>): Promise<ScriptedBackend> {
  return ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      if (target === "/late") await go
      if (target !== "/slow") {
        await connection.send(answer(200, "quick"))
        continue
      }
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
      await go
      await connection.send("slow")
    }
  })
}

test("idle clients are closed, new ones refused, and nothing was cut", async () => {
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const balancer = await TestBalancer.start([backend.port])
  const idle = await RawClient.connect(balancer.port)
  await idle.exchange(get())
  const silent = await RawClient.connect(balancer.port)
  expect(await balancer.drain(5000)).toBe(0)
  expect(await idle.closed()).toEqual({ by: "end" })
  expect(await silent.closed()).toEqual({ by: "end" })
  expect(RawClient.connect(balancer.port)).rejects.toThrow()
  await comesToRest(balancer)
})

test("meanwhile every answer says Connection: close", async () => {
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get())).field("connection")).toBeNull()
  const drained = balancer.drain(5000)
  expect((await client.exchange(get())).field("connection")).toBe("close")
  expect(await client.closed()).toEqual({ by: "end" })
  // The door stays open for a moment: who was about to knock is served.
  const late = await RawClient.connect(balancer.port)
  expect((await late.exchange(get())).field("connection")).toBe("close")
  expect(await drained).toBe(0)
})

test("requests in flight end whole, and with them the drain", async () => {
  const go = Promise.withResolvers<void>()
  using backend = await slowBackend(go.promise)
  const balancer = await TestBalancer.start([backend.port])
  const slow = await RawClient.connect(balancer.port)
  await slow.send(get("/slow"))
  await slow.receiveUntil("\r\n\r\n")
  const late = await RawClient.connect(balancer.port)
  await late.send(get("/late"))
  await until(() => backend.requests.length === 2, 2000, "both requests")
  const began = performance.now()
  let over = false
  const drained = balancer.drain(5000).finally(() => (over = true))
  await Bun.sleep(500)
  expect(over).toBe(false)
  go.resolve()
  expect((await slow.receiveBytes(4)).toString()).toBe("slow")
  expect((await late.receiveResponse()).field("connection")).toBe("close")
  // The first was not told to leave, for its head had gone before the drain: it is closed all the same.
  expect(await slow.closed()).toEqual({ by: "end" })
  await slow.close()
  await late.close()
  expect(await drained).toBe(0)
  expect(performance.now() - began).toBeLessThan(1500)
  await comesToRest(balancer)
})

test("a response that began before the drain and ends late ends its connection too", async () => {
  const go = Promise.withResolvers<void>()
  using backend = await slowBackend(go.promise)
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.send(get("/slow"))
  await client.receiveUntil("\r\n\r\n")
  const drained = balancer.drain(5000)
  await Bun.sleep(800)
  go.resolve()
  expect((await client.receiveBytes(4)).toString()).toBe("slow")
  expect(await client.closed(1000)).toEqual({ by: "end" })
  await client.close()
  expect(await drained).toBe(0)
})

test("an upload in flight ends whole", async () => {
  using backend = await ScriptedBackend.start(answering(({ body }) => String(body.length)))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfirst")
  await until(() => backend.accepted === 1, 2000, "the connection")
  const drained = balancer.drain(5000)
  await Bun.sleep(450)
  await client.send("other")
  expect((await client.receiveResponse()).body.toString()).toBe("10")
  expect(await drained).toBe(0)
})

test("what is still there at the limit is cut and counted", async () => {
  using backend = await slowBackend(new Promise(() => {}))
  const balancer = await TestBalancer.start([backend.port])
  const clients = [await RawClient.connect(balancer.port), await RawClient.connect(balancer.port)]
  for (const client of clients) await client.send(get("/slow"))
  await until(() => backend.requests.length === 2, 2000, "both requests")
  expect(await balancer.drain(500)).toBe(2)
  for (const client of clients) expect(await client.closed()).toEqual({ by: "reset" })
  for (const connection of backend.connections) await connection.closed()
  await comesToRest(balancer)
})

test("a tunnel lives until the limit, and not longer", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    connection.sink((bytes) => void connection.send(bytes))
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
  const drained = balancer.drain(900)
  await Bun.sleep(500)
  await client.send("still here")
  expect((await client.receiveBytes(10)).toString()).toBe("still here")
  expect(await drained).toBe(1)
  await client.closed()
  await backend.connections[0]?.closed()
  await comesToRest(balancer)
})

test("who connects last, while others keep coming, still has time for a request", async () => {
  using backend = await ScriptedBackend.start(answering(() => "a"))
  const balancer = await TestBalancer.start([backend.port])
  let drained = false
  const ends: Promise<string>[] = []
  const visit = async (): Promise<string> => {
    const client = await RawClient.connect(balancer.port).catch(() => null)
    if (client === null) return "refused"
    // As long as a first packet takes that has to be sent again.
    await Bun.sleep(220)
    const answered = await client
      .send(get())
      .then(() => client.receiveResponse())
      .catch(() => null)
    await client.close()
    return answered === null ? "lost" : "served"
  }
  const drain = balancer.drain(5000).finally(() => void (drained = true))
  while (!drained) {
    ends.push(visit())
    await Bun.sleep(4)
  }
  expect(await drain).toBe(0)
  const how = await Promise.all(ends)
  expect(how.filter((each) => each === "served").length).toBeGreaterThan(20)
  expect(how.filter((each) => each === "lost")).toEqual([])
})
