/** One X-Request-Id for each request: at the backends, through retries, and in the access log. */
import { expect, test } from "bun:test"
import { AccessLogFile } from "../support/access-log.ts"
import { type SettingsPart, TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

const own = /^[0-9a-f]{32}$/

async function idSeen(part: SettingsPart, lines: string): Promise<string | null> {
  using backend = await ScriptedBackend.start(answering(() => "ok"))
  const balancer = await TestBalancer.start([backend.port], part)
  const client = await RawClient.connect(balancer.port)
  await client.exchange(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
  await client.close()
  const ids = (backend.requests[0]?.fields ?? []).filter(([name]) => /^x.request.id$/i.test(name))
  expect(ids).toHaveLength(1)
  return ids[0]?.[1] ?? null
}

const theirs = "X-Request-Id: 7b0e1c9e-5f0a\r\n"
const trusting = { trustedProxies: ["127.0.0.1"] }

test.each([
  ["a stranger's is replaced", {}, theirs, false],
  ["a stranger's is kept when any client's is", { requestId: "client" }, theirs, true],
  ["that of a trusted proxy is kept", trusting, theirs, true],
  ["but not when bunlb makes all of them", { ...trusting, requestId: "own" }, theirs, false],
  ["nor one with odd characters", trusting, 'X-Request-Id: a\\"b\r\n', false],
  ["nor one that is too long", trusting, `X-Request-Id: ${"x".repeat(201)}\r\n`, false],
  ["nor one of two", { requestId: "client" }, `${theirs}X-Request-Id: b\r\n`, false],
  ["nor one with another spelling", { requestId: "client" }, "X_Request_Id: b\r\n", false],
] satisfies [string, SettingsPart, string, boolean][])("%s", async (_what, part, lines, kept) => {
  const id = await idSeen(part, lines)
  if (kept) expect(id).toBe("7b0e1c9e-5f0a")
  else expect(id).toMatch(own)
})

test.each([
  ["own", "", own],
  ["a client's", theirs, /^7b0e1c9e-5f0a$/],
])("a retry carries the same id, %s, and the access log names it", async (_whose, lines, form) => {
  const seen: (string | null)[] = []
  const failing = await ScriptedBackend.start(async (connection) => {
    seen.push((await connection.receiveRequest()).field("x-request-id"))
    connection.reset()
  })
  const serving = await ScriptedBackend.start(
    answering((request) => {
      seen.push(request.field("x-request-id"))
      return "ok"
    }),
  )
  using file = new AccessLogFile()
  const balancer = await TestBalancer.start([failing.port, serving.port], {
    requestId: "client",
    accessLog: { format: "json", path: file.path },
  })
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 2; i++) {
    expect((await client.exchange(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)).status).toBe(200)
  }
  await client.close()
  // One of the two requests met the backend that fails first.
  expect(seen).toHaveLength(3)
  const logged = (await file.lines(2)).map((entry) => String(entry.request_id))
  const distinct = [...new Set(seen.map(String))]
  expect([...new Set(logged)]).toEqual(distinct)
  for (const id of distinct) expect(id).toMatch(form)
  failing.failures.length = 0
  failing.stop()
  serving.stop()
})
