/** Limits that hold against crowds and pedants; those of requests and of single connections are in test/scenarios. */
import { describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { SWEEP_MS } from "../../src/core/deadlines.ts"
import { TestBalancer } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { BunlbProcess } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { answer, answering, ScriptedBackend } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { root } from "../support/source.ts"
import { until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

test("clients that reset before they are accepted harm nobody", async () => {
  using backend = await ScriptedBackend.start(answering(() => "fine"))
  const balancer = await TestBalancer.start([backend.port], { limits: { connections: 1 } })
  const first = await RawClient.connect(balancer.port)
  expect((await first.exchange(get)).status).toBe(200)
  // There is room for one: these wait in the kernel, and are gone when their turn comes.
  for (let count = 0; count < 5; count++) {
    const gone = await RawClient.connect(balancer.port)
    if (count % 2 === 0) await gone.send(get)
    gone.reset()
  }
  const waiting = await RawClient.connect(balancer.port)
  await first.close()
  expect((await waiting.exchange(get)).status).toBe(200)
  await waiting.close()
  await until(() => balancer.figure("bunlb_client_connections") === 0, 3000, "no client")
  expect(balancer.lines.filter((line) => line.startsWith("error"))).toEqual([])
})

test("at the limit each who leaves makes room for one, and the log tells of it once", async () => {
  using backend = await ScriptedBackend.start(answering(() => "fine"))
  const balancer = await TestBalancer.start([backend.port], { limits: { connections: 10 } })
  const told = (): number => balancer.lines.filter((line) => line.includes("no more")).length
  const connecting = Array.from({ length: 50 }, () => RawClient.connect(balancer.port))
  for (const client of await Promise.all(connecting)) {
    expect((await client.exchange(get)).status).toBe(200)
    await client.close()
  }
  expect(told()).toBe(1)
  await until(() => balancer.figure("bunlb_client_connections") === 0, 3000, "no client")
  // Once there was plenty of room, it is news again.
  const again = async (): Promise<boolean> => {
    const crowd = Array.from({ length: 10 }, () => RawClient.connect(balancer.port))
    for (const client of await Promise.all(crowd)) client.reset()
    // Room is looked for at each sweep.
    await Bun.sleep(SWEEP_MS + 20)
    return told() === 2
  }
  await until(again, 5000, "a second line")
})

const counted = onLinux("counting descriptors", "there is no /proc")

counted("idle connections to backends make room before descriptors run out", async () => {
  const CLIENTS = 30
  const answers: (() => void)[] = []
  const answerLater = async (connection: BackendConnection): Promise<void> => {
    for (;;) {
      await connection.receiveRequest()
      answers.push(() => void connection.send(answer(200)))
    }
  }
  const starting = [0, 1, 2].map(() => ScriptedBackend.start(answerLater))
  const backends = await Promise.all(starting)
  const built = process.env["BUNLB_TEST_EXECUTABLE"]
  const bunlb = built ?? `${process.execPath} ${join(root, "src", "main.ts")}`
  const list = backends.map(({ port }) => `-b 127.0.0.1:${port}`).join(" ")
  // 99 descriptors less a third and two for each backend: 30 clients and 30 connections to backends.
  const options = "-m sp -h 127.0.0.1 -p 0 --admin off --health-type none -s random"
  const command = `ulimit -n 99 && exec ${bunlb} ${options} ${list}`
  await using program = new BunlbProcess(["sh", "-c", command], {})
  const [, port] = await program.line(/http:\/\/[\d.]+:(\d+) ->/)
  const descriptors = (): number => readdirSync(`/proc/${program.pid}/fd`).length
  const atStart = descriptors()
  const connecting = Array.from({ length: CLIENTS }, () => RawClient.connect(Number(port)))
  const clients = await Promise.all(connecting)
  let most = 0
  for (let round = 0; round < 20; round++) {
    const responses = clients.map((client) => client.exchange(get))
    // All at once, and spread by chance: without a limit the idle ones of each backend would add up.
    await until(() => answers.length === CLIENTS, 5000, "all requests to arrive")
    most = Math.max(most, descriptors() - atStart)
    for (const say of answers.splice(0)) say()
    const statuses = (await Promise.all(responses)).map(({ status }) => status)
    expect(statuses).toEqual(Array(CLIENTS).fill(200))
  }
  // bunlb's own come and go by a few.
  expect(most).toBeWithin(2 * CLIENTS - 4, 2 * CLIENTS + 5)
  for (const client of clients) client.reset()
  for (const backend of backends) backend.stop()
})

describe("a response head", () => {
  const headOf = (bytes: number): string => {
    const rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Fill: \r\n\r\n"
    return rest.replace("X-Fill: ", `X-Fill: ${"x".repeat(bytes - rest.length)}`)
  }
  const fieldsOf = (count: number): string =>
    answer(200, "", ...Array.from({ length: count - 1 }, (_, at) => `X-${at}: a`))

  test.each([
    ["of response_head_bytes passes", headOf(2048), 200, ""],
    ["of a byte more is a bad gateway", headOf(2049), 502, "head too large"],
    ["of as many fields as allowed passes", fieldsOf(20), 200, ""],
    ["of a field more is a bad gateway", fieldsOf(21), 502, "too many response fields"],
  ])("%s", async (_what, head, status, reason) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      // In two pieces, so that the limit is met in the middle of a head, too.
      await connection.send(head.slice(0, 700))
      await Bun.sleep(20)
      await connection.send(head.slice(700))
    })
    const limits = { responseHeadBytes: 2048, fields: 20 }
    const balancer = await TestBalancer.start([backend.port], { limits })
    const client = await RawClient.connect(balancer.port)
    const response = await client.exchange(get)
    expect(response.status).toBe(status)
    if (status === 200) expect(response.fields.length).toBeGreaterThan(1)
    else expect(response.body.toString()).toContain(reason)
    await client.close()
  })
})

test.each([
  [65_536, 200],
  [65_537, 502],
])("by default a response head of %d bytes is %d", async (bytes, status) => {
  const rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n"
  const head = rest.replace("X: ", `X: ${"x".repeat(bytes - rest.length)}`)
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.send(head)
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(get)).status).toBe(status)
  await client.close()
})

test.each([0, 1, 2])(
  "retries.max %d: a request is sent so often again, and no more",
  async (max) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      connection.reset()
    })
    const balancer = await TestBalancer.start([backend.port], { retries: { max } })
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(502)
    expect(backend.requests).toHaveLength(1 + max)
    await client.close()
  },
)
