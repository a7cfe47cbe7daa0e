/** Scenarios 9 to 12: chunked bodies that are not, terminators that are not, bodies where none is expected. */
import { describe, expect, test } from "bun:test"
import { Stage, chunked, someCutsOf, type Seen } from "./driver.ts"

const coded = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
const next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
const chunk = { status: 400, reason: "chunk", inBody: true }
const trailer = { status: 400, reason: "trailer", inBody: true }

const badSizes: readonly [what: string, body: string][] = [
  ["an extension that ends with LF", "5;ext\nhello\r\n0\r\n\r\n"],
  ["a size that ends with LF", "5\nhello\r\n0\r\n\r\n"],
  ["a size that ends with CR", "5\rhello\r\n0\r\n\r\n"],
  ["0x5", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["5 and a space", "5 \r\nhello\r\n0\r\n\r\n"],
  ["5 and a tab", "5\t\r\nhello\r\n0\r\n\r\n"],
  ["a space and 5", " 5\r\nhello\r\n0\r\n\r\n"],
  ["a space and LF before the extension", "5 \n;ext\r\nhello\r\n0\r\n\r\n"],
  ["a space and CR before the extension", "5 \r;ext\r\nhello\r\n0\r\n\r\n"],
  ["two sizes", "5 5\r\nhello\r\n0\r\n\r\n"],
  ["nothing", "\r\nhello\r\n0\r\n\r\n"],
  ["an extension without a size", ";ext\r\nhello\r\n0\r\n\r\n"],
  ["-5", "-5\r\nhello\r\n0\r\n\r\n"],
  ["+5", "+5\r\nhello\r\n0\r\n\r\n"],
  ["5_0", "5_0\r\nhello\r\n0\r\n\r\n"],
  ["5g", "5g\r\nhello\r\n0\r\n\r\n"],
  ["17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["2^63", "8000000000000000\r\nhello\r\n0\r\n\r\n"],
  ["2^53", "20000000000000\r\nhello\r\n0\r\n\r\n"],
  ["a control character in the extension", "5;a=\x01\r\nhello\r\n0\r\n\r\n"],
  ["a line end inside a quoted extension", '5;a="\r\n"\r\nhello\r\n0\r\n\r\n'],
]

describe("9: a chunk size is refused:", () => {
  test.each(badSizes)("%s", async (_what, body) => {
    using stage = await Stage.open()
    await stage.refuses(coded + body, chunk)
  })

  test("with an extension of 16 KiB (every 499th cut)", async () => {
    using stage = await Stage.open()
    const request = `${coded}5;${"e".repeat(16_384)}\r\nhello\r\n0\r\n\r\n`
    const cuts = someCutsOf(request, 499)
    await stage.refuses(request, { ...chunk, reason: "chunk_extension", cuts })
  })

  test("with more than 16 KiB of extensions in all (every 997th cut)", async () => {
    using stage = await Stage.open()
    const request = coded + `1;${"e".repeat(1000)}\r\nx\r\n`.repeat(17)
    const cuts = someCutsOf(request, 997).filter((cut) => cut < request.length - 1100)
    await stage.refuses(request, { ...chunk, reason: "chunk_extension", cuts })
  })
})

test("9: extensions are never passed on", async () => {
  using stage = await Stage.open()
  const body = '5;a\r\nhello\r\n6;b=c;d="e f"\r\n world\r\n0;end\r\n\r\n'
  await stage.serves(
    coded + body + next,
    (first, second) => expect([first.body, second.target]).toEqual(["hello world", "/next"]),
    ["POST", "GET"],
  )
})

const badEnds: readonly [what: string, body: string, refusal: typeof chunk][] = [
  ["2 bytes that are not CRLF", "5\r\nhelloXX0\r\n\r\n", chunk],
  ["no line end", "5\r\nhello0\r\n\r\n", chunk],
  ["LF", "5\r\nhello\n0\r\n\r\n", chunk],
  ["CR alone", "5\r\nhello\r0\r\n\r\n", chunk],
  ["LF CR", "5\r\nhello\n\r0\r\n\r\n", chunk],
  ["CRLF twice", "5\r\nhello\r\n\r\n0\r\n\r\n", chunk],
  ["more data than was said", "4\r\nhello\r\n0\r\n\r\n", chunk],
  ["a last chunk that ends with LF", "5\r\nhello\r\n0\n\r\n", chunk],
  ["a last chunk in hexadecimal notation", "5\r\nhello\r\n0x0\r\n\r\n", chunk],
  ["an end that is LF", "5\r\nhello\r\n0\r\n\n", trailer],
  ["an end that is CR X", "5\r\nhello\r\n0\r\n\rX", trailer],
  ["a trailer without a colon", "5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n", trailer],
  ["a trailer that ends with LF", "5\r\nhello\r\n0\r\nA: b\n\r\n", trailer],
  ["a folded trailer", "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n", trailer],
  ["a trailer with a space before the colon", "5\r\nhello\r\n0\r\nA : b\r\n\r\n", trailer],
  ["a trailer with NUL", "5\r\nhello\r\n0\r\nA: \0\r\n\r\n", trailer],
]

test.each(badEnds)("10: chunk data followed by %s is refused", async (_what, body, refusal) => {
  using stage = await Stage.open()
  await stage.refuses(coded + body, refusal)
})

test.each(["0", "00", "00000000", "000;x"])(
  "10: %p is a last chunk, as RFC 9112 section 7.1 says",
  async (last) => {
    using stage = await Stage.open()
    await stage.serves(
      `${coded}5\r\nhello\r\n${last}\r\n\r\n${next}`,
      (first, second) => expect([first.body, second.target]).toEqual(["hello", "/next"]),
      ["POST", "GET"],
    )
  },
)

test.each(["05 ;a=b\r\nhello\r\n00\t; c\r\n\r\n", "0005\r\nhello\r\n0000\r\n\r\n"])(
  "9: %j goes on with sizes in one spelling",
  async (body) => {
    using stage = await Stage.open()
    const check = (seen: Seen): void => expect(seen.body).toBe("hello")
    await stage.serves(coded + body, check, ["POST"])
    const received = stage.backend.connections.map(({ received }) => received.toString("latin1"))
    expect(received.join("")).toContain("\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    expect(received.join("")).not.toMatch(/\n0\d|[;\t]/)
  },
)

describe("11: a chunked body", () => {
  test("may hold what looks like its end, and another request", async () => {
    using stage = await Stage.open()
    const body = `0\r\n\r\n${next}0\r\n\r\n`
    const check = (first: Seen, second: Seen): void => {
      expect([first.body, second.target]).toEqual([body, "/next"])
    }
    await stage.serves(coded + chunked(body, 7) + next, check, ["POST", "GET"])
    await stage.serves(coded + chunked(body, 100) + next, check, ["POST", "GET"])
  })

  test.each([1, 2, 3, 4, 5])("ends where it ends, its end coming in %d pieces", async (pieces) => {
    using stage = await Stage.open()
    const client = await stage.connect()
    await client.sendSplit(`${coded}5\r\nhello\r\n0\r\n\r\n`, coded.length + 10)
    const response = await client.receiveResponse()
    expect(response.body.toString()).toBe("/a")
    for (const cut of cutsInto("0\r\n\r\n", pieces)) {
      await client.send(`${coded}5\r\nhello\r\n`)
      for (const piece of cut) await client.sendSplit(piece, 0)
      expect((await client.receiveResponse()).body.toString()).toBe("/a")
      expect(stage.backend.requests.at(-1)?.body.toString()).toBe("hello")
    }
    await stage.settled()
  })

  test("keeps its trailers, without those that would change the request", async () => {
    using stage = await Stage.open()
    const trailers =
      "Checksum: 1\r\nContent-Length: 5\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n" +
      "X-Forwarded-For: 1.2.3.4\r\nx_forwarded_for: 1.2.3.4\r\nCookie: a=b\r\n" +
      "Authorization: c\r\n" +
      "Connection: close\r\nTE: x\r\nUpgrade: x\r\nExpect: 100-continue\r\nSigned: 2\r\n"
    const check = ({ body, trailers }: Seen): void => {
      expect(body).toBe("hello")
      expect(trailers).toEqual([
        ["Checksum", "1"],
        ["Signed", "2"],
      ])
    }
    await stage.serves(coded + chunked("hello", 3, trailers), check, ["POST"])
  })

  const kinds: readonly [kind: string, names: string][] = [
    ["framing", "Content-Length Transfer-Encoding Trailer Connection"],
    ["routing", "Host Max-Forwards X-Original-URL Forwarded X-Forwarded-Port"],
    ["modifiers", "Cache-Control Expect If-Match If-Range Range TE X-HTTP-Method-Override"],
    ["authentication", "Authorization Proxy-Authorization WWW-Authenticate Cookie Set-Cookie"],
    ["content", "Content-Encoding Content-Type Content-Range Content_Encoding"],
    ["origin", "Via traceparent tracestate X-Real-IP X-Request-Id X.Request.Id"],
  ]
  test.each(kinds)("drops trailers of %s", async (_kind, names) => {
    using stage = await Stage.open()
    const trailers = names.split(" ").map((name) => `${name}: 1\r\nA: ${name}\r\n`)
    const check = (seen: Seen): void => {
      expect(seen.trailers).toEqual(names.split(" ").map((name) => ["A", name]))
    }
    await stage.serves(coded + chunked("hello", 3, trailers.join("")), check, ["POST"])
  })

  test("drops trailers that Connection names", async () => {
    using stage = await Stage.open()
    const named = coded.replace("Host:", "Connection: X-Hop, close ,checksum\r\nHost:")
    const trailers = "x-hop: 1\r\nChecksum: 2\r\nSigned: 3\r\n"
    const check = (seen: Seen): void => expect(seen.trailers).toEqual([["Signed", "3"]])
    await stage.serves(named + chunked("hello", 3, trailers), check, ["POST"])
  })

  test("ends without trailers when none may pass", async () => {
    using stage = await Stage.open()
    const request = coded + chunked("hello", 5, "Content-Length: 5\r\n") + next
    const check = (first: Seen, second: Seen): void => {
      expect([first.trailers, second.target]).toEqual([[], "/next"])
    }
    await stage.serves(request, check, ["POST", "GET"])
  })

  const tooLarge = { status: 431, reason: "trailer_size", inBody: true }

  test("with 1 MiB of trailers is refused (cuts near the head's end)", async () => {
    using stage = await Stage.open()
    const request = coded + chunked("hello", 5, `A: ${"t".repeat(1024 * 1024 - 300)}\r\n`)
    const end = coded.length + 15
    await stage.refuses(request, { ...tooLarge, cuts: [end - 1, end, end + 1, end + 8192] })
  })

  test("with more than 32 trailers is refused", async () => {
    using stage = await Stage.open()
    const request = coded + chunked("hello", 5, "A: b\r\n".repeat(33))
    await stage.refuses(request, trailer)
  })
})

const methods = ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PATCH", "CUSTOM"]

describe("12: a body is framed and followed by the next request at the right byte:", () => {
  const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
  const check = (first: Seen, second: Seen): void => {
    expect([first.target, first.body]).toEqual(["/a", inner])
    expect([second.target, second.body, second.framing]).toEqual(["/next", "", "none"])
  }

  test.each(methods)("%s with Content-Length", async (method) => {
    using stage = await Stage.open()
    const head = `${method} /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n`
    await stage.serves(head + inner + next, check, [method, "GET"])
  })

  test.each(methods)("%s with chunks", async (method) => {
    using stage = await Stage.open()
    const head = `${method} /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`
    await stage.serves(head + chunked(inner, 9) + next, check, [method, "GET"])
  })

  test("none, when nothing announces one", async () => {
    using stage = await Stage.open()
    const check = (...seen: Seen[]): void => {
      expect(seen.map(({ target, body }) => target + body)).toEqual(["/a", "/b", "/next"])
    }
    const none = "POST /a HTTP/1.1\r\nHost: x\r\n\r\n"
    const zero = "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    await stage.serves(none + zero + next, check, ["POST", "PUT", "GET"])
  })

  test("a request that follows and is malformed is refused after the first was answered", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    await client.send(`${coded}${chunked("hello", 5)}GET /bad HTTP/1.1\nHost: x\r\n\r\n`)
    expect((await client.receiveResponse()).status).toBe(200)
    const refused = await client.receiveResponse()
    expect([refused.status, refused.field("connection")]).toEqual([400, "close"])
    expect(await client.receiveRest()).toHaveLength(0)
    expect(stage.backend.requests.map(({ target }) => target)).toEqual(["/a"])
    await stage.bystander()
  })
})

/** Every way to cut the text into that many pieces. */
function cutsInto(text: string, pieces: number): string[][] {
  if (pieces === 1) return [[text]]
  return Array.from({ length: text.length - pieces + 1 }, (_, index) => index + 1).flatMap((at) =>
    cutsInto(text.slice(at), pieces - 1).map((rest) => [text.slice(0, at), ...rest]),
  )
}
