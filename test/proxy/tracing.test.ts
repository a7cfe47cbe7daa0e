/** Distributed traces through the data path: one span an exchange, in the log as the backend saw it. */
import { expect, test } from "bun:test"
import { AccessLogFile } from "../support/access-log.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n"
const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Answers the first request of each connection with what it says of a trace, and resets when a second comes. */
const telling: ConnectionHandler = async (connection) => {
  const { fields } = await connection.receiveRequest()
  const said = fields.filter(([name]) => /^trace/i.test(name))
  await connection.send(answer(200, JSON.stringify(said)))
  await connection.receiveRequest()
  connection.reset()
}

const saidBy = ({ body }: { readonly body: Buffer }) =>
  Object.fromEntries(JSON.parse(body.toString())) as Record<string, string>

test("on: the backend and the log know the same span, also of a request that was sent twice", async () => {
  using file = new AccessLogFile()
  using backend = await ScriptedBackend.start(telling)
  const balancer = await TestBalancer.start([backend.port], {
    tracing: true,
    accessLog: { format: "json", path: file.path },
  })
  const client = await RawClient.connect(balancer.port)
  const parents: string[] = []
  for (let i = 0; i < 3; i++) {
    parents.push(saidBy(await client.exchange(`${get}\r\n`))["traceparent"] ?? "")
  }
  const trace = "0af7651916cd43dd8448eb211c80319c"
  const lines = `traceparent: 00-${trace}-b7ad6b7169203331-01\r\ntracestate: a=1\r\n`
  const last = saidBy(await client.exchange(`${get}${lines}\r\n`))
  expect(last["tracestate"]).toBe("a=1")
  parents.push(last["traceparent"] ?? "")
  await client.exchange("GET / HTTP/1.1\r\nHost: bad host\r\n\r\n")
  const logged = await file.lines(5)
  const attempts = logged.map((line) => line["attempts"])
  expect(attempts).toEqual([1, 2, 2, 2, 0])
  const ids = parents.map((parent) => form.exec(parent)?.slice(1, 3) ?? [])
  expect(ids.map(([id]) => id)[3]).toBe(trace)
  expect(logged.slice(0, 4).map((line) => [line["trace_id"], line["span_id"]])).toEqual(ids)
  expect(new Set(ids.map(([id]) => id)).size).toBe(4)
  // The head could not be read: there is no span to speak of.
  expect(logged[4]).not.toHaveProperty("trace_id")
  await client.close()
})

test("a request that is sent again keeps its span", async () => {
  const seen: string[] = []
  using backend = await ScriptedBackend.start(async (connection) => {
    for (let i = 0; ; i++) {
      const request = await connection.receiveRequest()
      seen.push(request.field("traceparent") ?? "")
      if (i > 0) return connection.reset()
      await connection.send(answer(200))
    }
  })
  const balancer = await TestBalancer.start([backend.port], { tracing: true })
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 2; i++) expect((await client.exchange(`${get}\r\n`)).status).toBe(200)
  expect(seen).toHaveLength(3)
  expect(seen[1]).toBe(seen[2] ?? "")
  expect(seen[0]).not.toBe(seen[1] ?? "")
  await client.close()
})

test("off, and switched on and off while a client is connected", async () => {
  using file = new AccessLogFile()
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const request = await connection.receiveRequest()
      await connection.send(answer(200, request.field("traceparent") ?? "none"))
    }
  })
  const accessLog = { format: "json", path: file.path } as const
  const balancer = await TestBalancer.start([backend.port], { accessLog })
  const client = await RawClient.connect(balancer.port)
  const ask = async (...lines: string[]) =>
    (await client.exchange([get, ...lines.map((line) => `${line}\r\n`), "\r\n"].join(""))).body + ""
  expect(await ask()).toBe("none")
  expect(await ask("traceparent: as it came")).toBe("as it came")
  await balancer.apply([backend.port], { accessLog, tracing: true })
  expect(await ask("traceparent: as it came")).toMatch(form)
  await balancer.apply([backend.port], { accessLog })
  expect(await ask()).toBe("none")
  const logged = await file.lines(4)
  expect(logged.map((line) => "trace_id" in line)).toEqual([false, false, true, false])
  await client.close()
})
