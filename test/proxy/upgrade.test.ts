/**
 * Requests that offer to switch protocols, as Docker's and Kubernetes' clients send them: any method, a body first,
 * several protocols. Nothing of the new protocol reaches the backend before its 101.
 */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { crowd, cutsOf, sendCut, Stage, WHOLE } from "../scenarios/driver.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"

interface Offer {
  readonly line: string
  readonly upgrade: string
  /** What the backend is offered. */
  readonly offered: string
  readonly chosen: string
  readonly fields?: readonly string[]
  readonly body?: string
  /** The body as the backend reads it. */
  readonly content?: string
}

const json = '{"Detach":false,"Tty":true}'

const offers: readonly (readonly [string, Offer])[] = [
  [
    "docker run -it: attach, before start",
    {
      line: "POST /v1.43/containers/1f/attach?stderr=1&stdin=1&stdout=1&stream=1 HTTP/1.1",
      upgrade: "tcp",
      offered: "tcp",
      chosen: "tcp",
      fields: ["Content-Length: 0", "Content-Type: text/plain"],
    },
  ],
  [
    "docker exec -it: start, with a body",
    {
      line: "POST /v1.43/exec/2c/start HTTP/1.1",
      upgrade: "tcp",
      offered: "tcp",
      chosen: "tcp",
      fields: [`Content-Length: ${json.length}`, "Content-Type: application/json"],
      body: json,
      content: json,
    },
  ],
  [
    "docker exec with its body in chunks",
    {
      line: "POST /v1.43/exec/2c/start HTTP/1.1",
      upgrade: "tcp",
      offered: "tcp",
      chosen: "tcp",
      fields: ["Transfer-Encoding: chunked"],
      body: `5\r\n${json.slice(0, 5)}\r\n${(json.length - 5).toString(16)}\r\n${json.slice(5)}\r\n0\r\n\r\n`,
      content: json,
    },
  ],
  [
    "kubectl exec by SPDY",
    {
      line: "POST /api/v1/namespaces/default/pods/p/exec?command=sh&stdin=true HTTP/1.1",
      upgrade: "SPDY/3.1",
      offered: "SPDY/3.1",
      chosen: "SPDY/3.1",
      fields: ["X-Stream-Protocol-Version: v4.channel.k8s.io", "Content-Length: 0"],
    },
  ],
  [
    "PUT with a body",
    {
      line: "PUT /x HTTP/1.1",
      upgrade: "foo/2",
      offered: "foo/2",
      chosen: "FOO/2",
      fields: ["Content-Length: 3"],
      body: "abc",
      content: "abc",
    },
  ],
  [
    "a method of its own",
    { line: "MERGE /x HTTP/1.1", upgrade: "foo", offered: "foo", chosen: "foo" },
  ],
  [
    "several protocols, the last chosen",
    {
      line: "GET /x HTTP/1.1",
      upgrade: "example/1, foo/2",
      offered: "example/1, foo/2",
      chosen: "foo/2",
    },
  ],
  [
    "several protocols, all chosen in layers",
    { line: "GET /x HTTP/1.1", upgrade: "a/1,b", offered: "a/1, b", chosen: "b, a/1" },
  ],
  [
    "h2c and another",
    {
      line: "GET /x HTTP/1.1",
      upgrade: "h2c, websocket",
      offered: "websocket",
      chosen: "websocket",
    },
  ],
  [
    "two lines",
    {
      line: "GET /x HTTP/1.1",
      upgrade: "a\r\nUpgrade: h2c, b",
      offered: "a, b",
      chosen: "b",
    },
  ],
  [
    "a body with GET",
    {
      line: "GET /x HTTP/1.1",
      upgrade: "websocket",
      offered: "websocket",
      chosen: "websocket",
      fields: ["Content-Length: 2"],
      body: "hi",
      content: "hi",
    },
  ],
]

function requestOf({ line, upgrade, fields = [], body = "" }: Offer): string {
  const lines = [line, "Host: x", "Connection: Upgrade", `Upgrade: ${upgrade}`, ...fields]
  return [...lines, "", body].join("\r\n")
}

function switching(protocol: string): string {
  return `HTTP/1.1 101 UPGRADED\r\nContent-Type: raw\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
}

describe("an upgrade is offered on, and its tunnel opened:", () => {
  test.each(offers)("%s", async (_what, offer) => {
    const early = "stdin before its time"
    const tooEarly: string[] = []
    const seen: unknown[] = []
    using backend = await ScriptedBackend.start(async (connection) => {
      const request = await connection.receiveRequest()
      seen.push([request.field("upgrade"), request.field("connection"), request.body.toString()])
      for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done))
      tooEarly.push(connection.incoming.peek().toString())
      await connection.send(`${switching(offer.chosen)}prompt`)
      // Half-closed by its client, it still has the last word.
      const input = await connection.receiveRest()
      await connection.send(`got ${input.toString()}`)
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port])
    const request = requestOf(offer) + early
    await crowd([WHOLE, ...cutsOf(request).filter((cut) => cut % 3 === 0)], async (cut) => {
      const client = await RawClient.connect(balancer.port)
      void sendCut(client, request, cut)
      const response = await client.receiveResponse()
      expect([response.status, response.field("upgrade")]).toEqual([101, offer.chosen])
      expect((await client.receiveBytes(6)).toString()).toBe("prompt")
      await client.send(" and after")
      await client.halfClose()
      expect((await client.receiveRest()).toString()).toBe(`got ${early} and after`)
      await client.close()
    })
    expect(tooEarly.filter((bytes) => bytes !== "")).toEqual([])
    for (const each of seen) expect(each).toEqual([offer.offered, "Upgrade", offer.content ?? ""])
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  })
})

describe("an upgrade that the backend refuses is a response like any other:", () => {
  test.each(offers)("%s", async (_what, offer) => {
    using stage = await Stage.open()
    stage.script = async (connection) =>
      void (await connection.send(answer(403, "no", "Upgrade: x")))
    const early = "GET /early HTTP/1.1\r\nHost: x\r\n\r\n"
    const request = requestOf(offer).replace(/ \/\S*/, " /scripted") + early
    await crowd([WHOLE, ...cutsOf(request).filter((cut) => cut % 3 === 0)], async (cut) => {
      const client = await stage.connect()
      void sendCut(client, request, cut)
      const response = await client.receiveResponse()
      expect([response.status, response.field("upgrade")]).toEqual([403, null])
      expect((await client.receiveResponse()).body.toString()).toBe("/early")
      await client.close()
    })
    await stage.settled()
    await stage.bystander()
  })
})

describe("a 101 is answered 502", () => {
  const post = requestOf({
    line: "POST / HTTP/1.1",
    upgrade: "tcp, h2c",
    offered: "tcp",
    chosen: "tcp",
    fields: ["Content-Length: 4"],
  })

  test.each([
    ["before the body is whole", `${post}ab`, "tcp"],
    ["for h2c, though the client offered it", `${post}abcd`, "h2c"],
    ["for one that was not offered beside one that was", `${post}abcd`, "tcp, other"],
    ["for an empty list", `${post}abcd`, ","],
  ])("%s", async (_when, request, protocol) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveUntil("ab")
      await connection.send(switching(protocol))
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(request)).status).toBe(502)
    await client.close()
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_tunnels")).toBe(0)
  })
})

test("a POST that offers an upgrade is sent once, whatever becomes of it", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.close()
  })
  const balancer = await TestBalancer.start([backend.port, backend.port])
  const client = await RawClient.connect(balancer.port)
  const [, [, exec]] = offers as readonly (readonly [string, Offer])[] as [unknown, [string, Offer]]
  expect((await client.exchange(requestOf(exec))).status).toBe(502)
  expect(backend.requests).toHaveLength(1)
  await client.close()
})

test.each([
  ["h2c alone", "h2c"],
  ["drafts and HTTP itself", "h2c-14, HTTP/2.0, h2"],
  ["a malformed list", "websocket, a b"],
])("%s is not offered on, and the request is an ordinary one", async (_what, upgrade) => {
  using stage = await Stage.open()
  const client = await stage.connect()
  const request = requestOf({ line: "POST / HTTP/1.1", upgrade, offered: "", chosen: "" })
  const response = await client.exchange(request.replace("Host", "Content-Length: 1\r\nHost") + "x")
  expect(response.status).toBe(200)
  expect(stage.backend.requests.at(-1)?.field("upgrade")).toBeNull()
  expect(stage.backend.requests.at(-1)?.field("connection")).toBeNull()
  await client.close()
})

test.each([
  ["keep-alive", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Upgrade"],
  ["close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close, Upgrade"],
])("426 keeps what it requires, with %s", async (_what, request, connection) => {
  using backend = await ScriptedBackend.start(async (far) => {
    await far.receiveRequest()
    await far.send(answer(426, "use it", "Connection: Upgrade", "Upgrade: websocket, foo/2"))
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(request)
  expect([response.status, response.body.toString()]).toEqual([426, "use it"])
  expect(response.field("upgrade")).toBe("websocket, foo/2")
  expect(response.field("connection")).toBe(connection)
  await client.close()
})
