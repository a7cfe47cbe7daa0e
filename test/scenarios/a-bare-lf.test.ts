/** Scenario 6 with `http.bare_lf: accept`: old clients and backends are understood, confusion is still refused. */
import { describe, expect, test } from "bun:test"
import { valuesOf } from "../support/messages.ts"
import { RawClient } from "../support/raw-client.ts"
import { until, PATIENCE_MS } from "../support/until.ts"
import { Stage, WHOLE, crowd, cutsOf, sendCut, type Seen } from "./driver.ts"

const accepting = { http: { bareLf: "accept" } } as const
const post = "POST /a HTTP/1.1\nHost: x\n"
const coded = `${post}Transfer-Encoding: chunked\n\n`

/** Nothing that a backend has received holds LF without CR, or CR without LF, but for bodies. */
function expectWholeLines(stage: Stage): void {
  const received = stage.backend.connections.map(({ received }) => received.toString("latin1"))
  expect(received.join("").replaceAll("\r\n", "")).not.toMatch(/[\r\n]/)
}

describe("6: with LF alone accepted", () => {
  test.each([
    ["a head", "GET /a HTTP/1.1\nHost: x\nA: b\n\n", "GET", ""],
    ["empty lines before it", "\n\nGET /a HTTP/1.1\nHost: x\nA: b\n\n", "GET", ""],
    ["a head before a length", `${post}A: b\nContent-Length: 5\n\nhello`, "POST", "hello"],
    [
      "a head before chunks",
      `${coded.replace("\n\n", "\nA: b\n\n")}5\r\nhello\r\n0\r\n\r\n`,
      "POST",
      "hello",
    ],
    [
      "chunks too",
      `${coded.replace("\n\n", "\nA: b\n\n")}02\nhe\n3\nllo\n0\nHost: y\n\n`,
      "POST",
      "hello",
    ],
  ])("%s reaches the backend with CRLF", async (_what, text, method, body) => {
    using stage = await Stage.open(accepting)
    const check = (seen: Seen): void => {
      expect([seen.body, valuesOf(seen.fields, "a"), valuesOf(seen.fields, "host")]).toEqual([
        body,
        ["b"],
        ["x"],
      ])
      expect(seen.trailers).toEqual([])
    }
    await stage.serves(text, check, [method])
    expectWholeLines(stage)
  })

  test("pipelined requests of both kinds are answered one by one", async () => {
    using stage = await Stage.open(accepting)
    const bare = "GET /a HTTP/1.1\nHost: x\n\n"
    const text = bare + bare.replaceAll("\n", "\r\n") + `${post}Content-Length: 5\n\nhello` + bare
    const check = (...seen: Seen[]): void => {
      expect(seen.map(({ body }) => body)).toEqual(["", "", "hello", ""])
    }
    await stage.serves(text, check, ["GET", "GET", "POST", "GET"])
  })

  const smuggled = "GET /smuggled HTTP/1.1\nHost: x\n\n"
  test.each([
    ["LF within CRLF", `GET /a HTTP/1.1\r\nHost: x\r\nA: b\nContent-Length: 5\r\n\r\n`, "line_end"],
    ["CRLF within LF", `GET /a HTTP/1.1\nHost: x\r\nA: b\n\n${smuggled}`, "line_end"],
    ["a bare CR", `GET /a HTTP/1.1\nHost: x\nA: b\rC: d\n\n`, "line_end"],
    ["an end of LF CRLF", `GET /a HTTP/1.1\r\nHost: x\n\r\n${smuggled}`, "line_end"],
  ])("%s is refused", async (_what, text, reason) => {
    using stage = await Stage.open(accepting)
    const client = await stage.connect()
    await client.send(text)
    const response = await client.receiveResponse()
    expect([response.status, response.field("connection")]).toEqual([400, "close"])
    expect(stage.balancer.figure("bunlb_rejected_requests_total", `"${reason}"`)).toBe(1)
    expect(stage.backend.requests).toHaveLength(0)
    await client.close()
  })

  test.each([
    ["chunks by LF behind a head by CRLF", `${coded.replaceAll("\n", "\r\n")}5\nhello\n0\n\n`],
    ["an extension that ends with LF", `${coded}5;a\nhello\n0\n\n`],
    ["chunks that mix both", `${coded}5\nhello\r\n0\r\n\r\n`],
    ["trailers that mix both", `${coded}5\nhello\n0\nA: b\r\n\r\n`],
  ])("%s is refused", async (_what, text) => {
    using stage = await Stage.open(accepting)
    for (const cut of [WHOLE, ...cutsOf(text)]) {
      const client = await stage.connect()
      void sendCut(client, text, cut)
      const response = await client.receiveResponse()
      expect([response.status, response.field("connection")]).toEqual([400, "close"])
      await client.close()
    }
  })

  test.each([
    ["a length", "HTTP/1.1 200 OK\nA: b\nContent-Length: 5\n\nhello", 200],
    ["chunks", "HTTP/1.1 200 OK\nA: b\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", 200],
    [
      "chunks by CRLF",
      "HTTP/1.1 200 OK\nA: b\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n",
      200,
    ],
    [
      "an interim response",
      "HTTP/1.1 103 E\nL: k\n\nHTTP/1.1 200 OK\nA: b\nContent-Length: 5\n\nhello",
      200,
    ],
    ["a mix", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\nhello", 502],
  ])("a backend's response with %s", async (_what, bytes, status) => {
    using stage = await Stage.open({ ...accepting, health: { failures: 1000 } })
    stage.script = (connection, { field }) => sendCut(connection, bytes, Number(field("x-cut")))
    await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
      const client = await stage.connect()
      const text = `GET /scripted HTTP/1.1\r\nHost: x\r\nX-Cut: ${cut}\r\n\r\n`
      const response = await client.exchange(text)
      expect(response.status).toBe(status)
      if (status === 200) {
        expect([response.body.toString(), response.field("a")]).toEqual(["hello", "b"])
        expect(client.received.toString("latin1").replaceAll("\r\n", "")).not.toMatch(/[\r\n]/)
      }
      await client.close()
    })
    await stage.settled()
  })

  test("a probe understands a backend that ends lines with LF", async () => {
    const health = { type: "http", interval: 100, failures: 1, successes: 1 } as const
    using stage = await Stage.open({ ...accepting, health: { ...health, path: "/scripted" } })
    stage.script = async (connection) => void (await connection.send("HTTP/1.1 200 OK\n\n"))
    await until(
      () => stage.balancer.figure("bunlb_probes_total", '"ok"') >= 2,
      PATIENCE_MS,
      "two probes",
    )
    expect(stage.balancer.changes).toHaveLength(0)
  })

  test("a reload changes it for connections that are open", async () => {
    using stage = await Stage.open()
    const bare = "GET /a HTTP/1.1\nHost: x\n\n"
    const client = await RawClient.connect(stage.balancer.port)
    await client.exchange("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    await stage.balancer.apply([stage.backend.port], accepting)
    expect((await client.exchange(bare)).status).toBe(200)
    await stage.balancer.apply([stage.backend.port])
    expect((await client.exchange(bare)).status).toBe(400)
    await client.close()
  })
})
