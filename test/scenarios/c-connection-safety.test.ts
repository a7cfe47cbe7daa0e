/**
 * Scenarios 25 and 26: a client that leaves, and connections that belong to one client or one name only.
 */
import { describe, expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import { present } from "../support/present.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Stage } from "./driver.ts"
import { withPrograms } from "../support/left-out.ts"

describe("25: a client that leaves", () => {
  const leavings = [
    ["closes before the response", "nothing", "close"],
    ["resets before the response", "nothing", "reset"],
    ["closes in the response", "part", "close"],
    ["resets in the response", "part", "reset"],
    ["stops reading and then resets", "flood", "reset"],
    ["stops reading and then closes", "flood", "close"],
  ] as const

  test.each(leavings)(
    "%s costs the backend nothing but that connection",
    async (_what, sent, how) => {
      const left = Promise.withResolvers<void>()
      using backend = await ScriptedBackend.start(async (connection) => {
        const { target } = await connection.receiveRequest()
        if (target === "/other") return void (await connection.send(answer(200, target)))
        if (sent === "nothing") await left.promise
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\npart")
        if (sent === "part") await left.promise
        // A FIN alone may come from a client that still reads, so only the next bytes tell.
        while (await connection.send(Buffer.alloc(256 * 1024)));
      })
      const balancer = await TestBalancer.start([backend.port], { health: { failures: 1 } })
      const client = await RawClient.connect(balancer.port)
      await client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
      await until(() => backend.requests.length === 1, PATIENCE_MS, "the request")
      if (sent !== "nothing") await client.receiveUntil("part")
      if (sent === "flood") await stalled(client, balancer)
      await (how === "close" ? client.close() : client.reset())
      left.resolve()
      await present(backend.connections[0]).closed()
      await until(() => balancer.report().clients === 0, PATIENCE_MS, "the client to be gone")
      expect(balancer.figure("bunlb_client_aborts_total")).toBe(1)
      expect(balancer.figure("bunlb_backend_connections")).toBe(0)
      expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
      expect(balancer.figure("bunlb_retries_total")).toBe(0)
      expect(balancer.figure("bunlb_backend_up")).toBe(1)
      expect(backend.requests).toHaveLength(1)
      const other = await RawClient.connect(balancer.port)
      const response = await other.exchange("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
      expect(response.body.toString()).toBe("/other")
      expect(balancer.changes).toHaveLength(0)
    },
  )
})

/** The client reads no more, and nothing moves any more. */
async function stalled(client: RawClient, balancer: TestBalancer): Promise<void> {
  client.pause()
  let before = -1
  await until(
    () => {
      const now = balancer.figure("bunlb_bytes_total", "from_backend")
      const still = now === before
      before = now
      return still
    },
    PATIENCE_MS,
    "backpressure",
  )
}

describe("26: a connection is not shared", () => {
  const challenges = [
    "WWW-Authenticate: NTLM",
    "www-authenticate: negotiate",
    "WWW-Authenticate: NTLM TlRMTVNTUAAC",
    'WWW-Authenticate: Basic realm="a, b"\r\nWWW-Authenticate: Negotiate',
    'WWW-Authenticate: Basic realm="a", NTLM',
    "WWW-Authenticate: Negotiate,NTLM",
  ]

  test.each(challenges)("after %p", async (challenge) => {
    using stage = await Stage.open()
    stage.script = async (connection) => {
      await connection.send(answer(401, "who?", challenge))
    }
    const client = await stage.connect()
    const response = await client.exchange("GET /scripted HTTP/1.1\r\nHost: x\r\n\r\n")
    expect([response.status, response.body.toString()]).toEqual([401, "who?"])
    await stage.bystander()
    expect(stage.backend.accepted).toBe(2)
    // It is this client's alone, for as long as both live.
    const own = "GET /own HTTP/1.1\r\nHost: x\r\n\r\n"
    expect((await client.exchange(own)).status).toBe(200)
    expect(stage.backend.accepted).toBe(2)
    await client.close()
    await present(stage.backend.connections[0]).closed()
  })

  test.each(["NTLM TlRMTVNTUAAD", "negotiate YII="])("after Authorization: %p", async (value) => {
    using stage = await Stage.open()
    const client = await stage.connect()
    await client.exchange(`GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: ${value}\r\n\r\n`)
    await stage.bystander()
    expect(stage.backend.accepted).toBe(2)
    // It is this client's alone, for as long as both live.
    const own = "GET /own HTTP/1.1\r\nHost: x\r\n\r\n"
    expect((await client.exchange(own)).status).toBe(200)
    expect(stage.backend.accepted).toBe(2)
    await client.close()
    await present(stage.backend.connections[0]).closed()
  })

  test("but is after Basic and Bearer", async () => {
    using stage = await Stage.open()
    stage.script = (connection) =>
      connection.send(answer(401, "", 'WWW-Authenticate: Basic realm="x"')).then(() => {})
    for (const path of ["scripted", "a"]) {
      const client = await stage.connect()
      await client.exchange(
        `GET /${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer NTLM\r\n\r\n`,
      )
    }
    await stage.bystander()
    expect(stage.backend.accepted).toBe(1)
  })

  withPrograms("TLS to backends", "openssl")(
    "by two names of one address, with or without TLS",
    async () => {
      const { good, caFile } = certificates()
      using secure = await ScriptedBackend.start(
        answering(({ target }) => target),
        { tls: good },
      )
      const names = ["localhost", "127.0.0.1"].map((host) => ({
        host,
        port: secure.port,
        tls: true,
        ca: caFile,
      }))
      const balancer = await TestBalancer.start(names)
      for (let i = 0; i < 20; i++) {
        const client = await RawClient.connect(balancer.port)
        const response = await client.exchange(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`)
        expect(response.body.toString()).toBe(`/${i}`)
      }
      const hosts = secure.connections.map(({ index }) => {
        const own = secure.requests.filter(({ connection }) => connection === index)
        return new Set(own.map(({ field }) => field("host"))).size
      })
      expect(hosts).toEqual([1, 1])
      expect(secure.requests).toHaveLength(20)
    },
  )
})
