/**
 * Scenarios 21 to 23: where a response ends, for whom its bytes are, and that a response cut short is seen as such.
 * A connection that said a byte too many is never used again.
 */
import { describe, expect, test } from "bun:test"
import { present } from "../support/present.ts"
import type { RawClient } from "../support/raw-client.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { WireEnded } from "../support/wire.ts"
import { Stage, WHOLE, chunked, crowd, cutsOf, sendCut } from "./driver.ts"

/** The breaker stays out of these tests. */
const patient = { health: { failures: 1_000_000 } }

function request(cut: number, method: string = "GET", version: string = "1.1"): string {
  return `${method} /scripted/${cut} HTTP/${version}\r\nHost: x\r\nX-Cut: ${cut}\r\n\r\n`
}

/** The backend answers with `bytes`, cut where the request says. */
function answersWith(stage: Stage, bytes: string): void {
  stage.script = (connection, { field }) => sendCut(connection, bytes, Number(field("x-cut")))
}

interface Bodiless {
  readonly what: string
  readonly method?: string
  readonly head: string
  readonly surplus: string
}

const other = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

const bodiless: readonly Bodiless[] = [
  {
    what: "HEAD with a body",
    method: "HEAD",
    head: "200 OK\r\nContent-Length: 5\r\n\r\n",
    surplus: "hello",
  },
  {
    what: "HEAD with chunks",
    method: "HEAD",
    head: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    surplus: chunked("hello", 5),
  },
  { what: "204 with a body", head: "204 No Content\r\n\r\n", surplus: "hello" },
  {
    what: "204 with Content-Length",
    head: "204 No Content\r\nContent-Length: 45\r\n\r\n",
    surplus: other,
  },
  {
    what: "204 with chunks",
    head: "204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
    surplus: chunked("a", 1),
  },
  {
    what: "304 with a body",
    head: "304 Not Modified\r\nContent-Length: 45\r\n\r\n",
    surplus: other,
  },
  { what: "HEAD with another response", method: "HEAD", head: "200 OK\r\n\r\n", surplus: other },
]

/**
 * One client after the other, for who took a connection of which the surplus is still on its way would be lost. Each
 * response must be the last one of its connection.
 */
async function oneByOne(stage: Stage, bytes: string, act: (cut: number) => Promise<void>) {
  const used: BackendConnection[] = []
  stage.script = (connection, { field }) => {
    used.push(connection)
    return sendCut(connection, bytes, Number(field("x-cut")))
  }
  for (const cut of [WHOLE, ...cutsOf(bytes)]) {
    await act(cut)
    await used.at(-1)?.closed()
    await stage.settled()
    await stage.bystander()
  }
  expect(new Set(used).size).toBe(bytes.length)
}

/** The response has ended and nothing follows it. */
async function nothingMore(client: RawClient): Promise<void> {
  await client.halfClose()
  expect((await client.receiveRest()).toString()).toBe("")
  await client.close()
}

describe("21: what follows a response without a body is for nobody:", () => {
  test.each(bodiless.map((each) => [each.what, each] as const))("%s", async (_what, each) => {
    using stage = await Stage.open(patient)
    await oneByOne(stage, `HTTP/1.1 ${each.head}${each.surplus}`, async (cut) => {
      const client = await stage.connect()
      await client.send(request(cut, each.method))
      const response = await client.receiveResponse({ head: each.method === "HEAD" })
      expect(`${response.status}`).toBe(each.head.slice(0, 3))
      expect(response.body).toHaveLength(0)
      await nothingMore(client)
    })
  })

  test("204 and 304 keep their connection when nothing follows", async () => {
    using stage = await Stage.open(patient)
    for (const head of ["204 No Content\r\n", "304 Not Modified\r\nContent-Length: 5\r\n"]) {
      answersWith(stage, `HTTP/1.1 ${head}\r\n`)
      const client = await stage.connect()
      expect((await client.exchange(request(WHOLE))).status).toBe(Number(head.slice(0, 3)))
      await stage.bystander()
    }
    expect(stage.backend.accepted).toBe(1)
  })

  test("204 that announces a body is the last response of its connection, though none follows", async () => {
    using stage = await Stage.open(patient)
    answersWith(stage, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
    const client = await stage.connect()
    const response = await client.exchange(request(WHOLE))
    expect([response.status, response.field("content-length")]).toEqual([204, null])
    await present(stage.backend.connections[0]).closed()
    await stage.bystander()
  })
})

test("21: a response of HTTP/1.0 becomes one of HTTP/1.1, whole and cut", async () => {
  using stage = await Stage.open(patient)
  const bytes =
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"
  answersWith(stage, bytes)
  await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
    const client = await stage.connect()
    const { raw } = await client.exchange(request(cut))
    expect(raw.toString()).toBe("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello")
    await nothingMore(client)
  })
  await stage.settled()
  await stage.bystander()
})

test.each([
  ["zeros in front", "Content-Length: 005"],
  ["blanks", "Content-Length:\t 5 \t"],
  ["an equal list", "Content-Length: 5, 05,5"],
  ["two equal lines", "Content-Length: 5\r\ncontent-length: 5"],
])("21: a length with %s goes on in one spelling", async (_what, lines) => {
  using stage = await Stage.open(patient)
  const bytes = `HTTP/1.1 200 OK\r\nA: b\r\n${lines}\r\nC: d\r\n\r\nhello`
  answersWith(stage, bytes)
  await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
    const client = await stage.connect()
    const response = await client.exchange(request(cut))
    expect(response.fields).toEqual([
      ["A", "b"],
      ["Content-Length", "5"],
      ["C", "d"],
    ])
    expect(response.body.toString()).toBe("hello")
    await client.close()
  })
  await stage.settled()
  await stage.bystander()
})

test("21: an empty member beside chunked is skipped", async () => {
  using stage = await Stage.open(patient)
  const bytes =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: ,chunked ,\r\nA: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
  answersWith(stage, bytes)
  await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
    const client = await stage.connect()
    const response = await client.exchange(request(cut))
    expect(response.fields).toEqual([
      ["Transfer-Encoding", "chunked"],
      ["A", "b"],
    ])
    expect(response.body.toString()).toBe("hello")
    await client.close()
  })
  await stage.settled()
  await stage.bystander()
})

test("21: blanks behind a chunk size are forgiven, and trailers that may not pass stay out", async () => {
  using stage = await Stage.open(patient)
  const trailers = "Proxy-Authorization: a\r\nVia: 1.1 x\r\nX-Hop: 1\r\nSigned: 2\r\n"
  const head = "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n"
  const bytes = `${head}05 \t\r\nhello\r\n0  \r\n${trailers}\r\n`
  answersWith(stage, bytes)
  await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
    const client = await stage.connect()
    const response = await client.exchange(request(cut))
    expect(response.body.toString()).toBe("hello")
    expect(response.trailers).toEqual([["Signed", "2"]])
    const received = client.received.toString("latin1")
    expect(received).toEndWith("\r\n\r\n5\r\nhello\r\n0\r\nSigned: 2\r\n\r\n")
    await client.close()
  })
  await stage.settled()
  await stage.bystander()
})

const ok = "HTTP/1.1 200 OK\r\n"
const ambiguous: readonly [what: string, response: string][] = [
  ["Content-Length and chunks", `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ["chunks and Content-Length", `${ok}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`],
  ["two Content-Lengths", `${ok}Content-Length: 5\r\nContent-Length: 0\r\n\r\n`],
  ["a list of unequal lengths", `${ok}Content-Length: 5, 0\r\n\r\n`],
  ["an empty Content-Length", `${ok}Content-Length:\r\n\r\n`],
  ["a Content-Length of +5", `${ok}Content-Length: +5\r\n\r\n`],
  ["a Content-Length of 2^64 + 5", `${ok}Content-Length: 18446744073709551621\r\n\r\n`],
  ["chunked, gzip", `${ok}Transfer-Encoding: chunked, gzip\r\n\r\n`],
  ["gzip, chunked", `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ["gzip", `${ok}Transfer-Encoding: gzip\r\n\r\n`],
  ["xchunked", `${ok}Transfer-Encoding: xchunked\r\n\r\n`],
  ["chunked twice", `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["a space before the colon", `${ok}Content-Length : 5\r\n\r\n`],
  ["a folded line", `${ok}A: b\r\n c\r\n\r\n`],
  ["LF as line end", `${ok}Content-Length: 5\n\r\n`],
  ["CR inside a value", `${ok}A: b\rC: d\r\n\r\n`],
  ["NUL in a value", `${ok}A: \0\r\n\r\n`],
  ["no status code", "HTTP/1.1 OK\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
  ["a body of HTTP/0.9", "<html>hello</html>\r\n\r\n"],
]

describe("21: a response that can be read in two ways is 502:", () => {
  test.each(ambiguous)("%s", async (_what, head) => {
    using stage = await Stage.open(patient)
    const bytes = `${head}hello`
    answersWith(stage, bytes)
    await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
      const client = await stage.connect()
      const response = await client.exchange(request(cut))
      expect([cut, response.status]).toEqual([cut, 502])
      await nothingMore(client)
    })
    await stage.settled()
    // Each was asked once, on a connection of its own.
    expect(stage.backend.requests).toHaveLength(bytes.length)
    expect(stage.backend.accepted).toBe(bytes.length)
    await stage.bystander()
  })
})

describe("22: bytes that nobody asked for destroy the connection:", () => {
  const surplus: readonly [what: string, bytes: string, framed: string][] = [
    ["9 bytes for a Content-Length of 5", `${ok}Content-Length: 5\r\n\r\nhello4you`, "hello"],
    ["a second response", `${ok}Content-Length: 5\r\n\r\nhello${other}`, "hello"],
    [
      "a byte after the last chunk",
      `${ok}Transfer-Encoding: chunked\r\n\r\n${chunked("hello", 2)}x`,
      "hello",
    ],
    ["a byte after an empty body", `${ok}Content-Length: 0\r\n\r\nx`, ""],
    [
      "a response after trailers",
      `${ok}Transfer-Encoding: chunked\r\n\r\n${chunked("hello", 5, "A: b\r\n")}${other}`,
      "hello",
    ],
  ]

  test.each(surplus)("%s", async (_what, bytes, body) => {
    using stage = await Stage.open(patient)
    await oneByOne(stage, bytes, async (cut) => {
      const client = await stage.connect()
      const response = await client.exchange(request(cut))
      expect([cut, response.status, response.body.toString()]).toEqual([cut, 200, body])
      await nothingMore(client)
    })
  })

  test("a response that comes while the connection is idle", async () => {
    using stage = await Stage.open(patient)
    await stage.bystander()
    await present(stage.backend.connections[0]).send(other)
    await present(stage.backend.connections[0]).closed()
    await stage.bystander()
    expect(stage.backend.accepted).toBe(2)
  })
})

describe("23: a response cut short is seen as such, and nothing is sent again:", () => {
  const lengthed = `${ok}Content-Length: 20\r\n\r\n${"0123456789".repeat(2)}`
  const coded = `${ok}Transfer-Encoding: chunked\r\n\r\n${chunked("0123456789", 4, "A: b\r\n")}`
  const cuts: readonly [framing: string, how: "FIN" | "RST", version: string, bytes: string][] = [
    ["Content-Length", "FIN", "1.1", lengthed],
    ["Content-Length", "RST", "1.1", lengthed],
    ["Content-Length", "FIN", "1.0", lengthed],
    ["chunks", "FIN", "1.1", coded],
    ["chunks", "RST", "1.1", coded],
    ["chunks", "FIN", "1.0", coded],
  ]

  test.each(cuts)("%s, %s, to a client of HTTP/%s", async (framing, how, version, bytes) => {
    using stage = await Stage.open(patient)
    stage.script = async (connection, { field }) => {
      await connection.send(bytes.slice(0, Number(field("x-cut"))))
      if (how === "FIN") return connection.close()
      // What has been sent must be read before the reset takes it away.
      await Bun.sleep(2)
      connection.reset()
    }
    const headEnd = bytes.indexOf("\r\n\r\n") + 4
    await crowd(cutsOf(bytes), async (cut) => {
      const client = await stage.connect()
      await client.send(request(cut, "GET", version))
      const outcome = await client.receiveResponse().then(
        ({ status }) => status,
        (error: unknown) => (error instanceof WireEnded ? error.by : error),
      )
      // An HTTP/1.0 client cannot see that chunks are missing: a reset tells it.
      const seen = framing === "chunks" && version === "1.0" ? "reset" : "end"
      expect([cut, outcome]).toEqual([cut, cut < headEnd ? 502 : seen])
    })
    await stage.settled()
    expect(stage.backend.requests).toHaveLength(bytes.length - 1)
    expect(stage.balancer.figure("bunlb_truncated_responses_total")).toBe(bytes.length - headEnd)
    await stage.bystander()
  })

  test("a client never gets a last chunk that the backend did not send", async () => {
    using stage = await Stage.open(patient)
    stage.script = async (connection) => {
      await connection.send(coded.slice(0, coded.indexOf("0\r\nA: b")))
      await connection.close()
    }
    const client = await stage.connect()
    await client.send(request(WHOLE))
    expect((await client.closed()).by).toBe("end")
    expect(client.received.toString()).not.toContain("\r\n0\r\n")
  })

  const closing = `${ok}A: b\r\n\r\nuntil the end`

  test.each(["1.1", "1.0"])(
    "not: a body of HTTP/%s that ends with its connection",
    async (version) => {
      using stage = await Stage.open(patient)
      stage.script = async (connection, { field }) => {
        await sendCut(
          connection,
          closing.replace("HTTP/1.1", `HTTP/${version}`),
          Number(field("x-cut")),
        )
        await connection.close()
      }
      await crowd([WHOLE, ...cutsOf(closing)], async (cut) => {
        const client = await stage.connect()
        const response = await client.exchange(request(cut))
        expect([response.body.toString(), response.field("connection")]).toEqual([
          "until the end",
          "close",
        ])
        expect((await client.closed()).by).toBe("end")
        await client.close()
      })
      await stage.settled()
      expect(stage.backend.accepted).toBe(closing.length)
      expect(stage.balancer.figure("bunlb_truncated_responses_total")).toBe(0)
    },
  )

  test("a body that ends with a reset instead of an end", async () => {
    using stage = await Stage.open(patient)
    stage.script = async (connection) => {
      await connection.send(closing)
      await Bun.sleep(2)
      connection.reset()
    }
    const client = await stage.connect()
    await client.send(request(WHOLE))
    expect((await client.closed()).by).toBe("reset")
    expect(stage.balancer.figure("bunlb_truncated_responses_total")).toBe(1)
  })
})
