/** Scenarios 1 to 4: how long a request is may be said once, in one way, or not at all. */
import { expect, test } from "bun:test"
import { Stage, chunked } from "./driver.ts"

const body = chunked("hello", 5)

function post(fields: string, rest: string, version: string = "HTTP/1.1"): string {
  return `POST /a ${version}\r\nHost: x\r\n${fields}\r\n\r\n${rest}`
}

test("1: Content-Length and Transfer-Encoding together are refused", async () => {
  using stage = await Stage.open()
  const refusal = { status: 400, reason: "length_conflict" }
  const length = "Content-Length: 15"
  const coding = "Transfer-Encoding: chunked"
  await stage.refuses(post(`${length}\r\n${coding}`, body), refusal)
  await stage.refuses(post(`${coding}\r\n${length}`, body), refusal)
  await stage.refuses(post("content-LENGTH: 0\r\ntransfer-ENCODING: Chunked", body), refusal)
  await stage.refuses(post(`${coding}\r\nX: y\r\n${length}\r\nConnection: close`, body), refusal)
  const nominated = `Connection: Content-Length, close\r\n${length}\r\n${coding}`
  await stage.refuses(post(nominated, body), refusal)
})

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

test("2: a Content-Length that is said twice, the same or not, is refused", async () => {
  using stage = await Stage.open()
  const refusal = { status: 400, reason: "content_length_repeated" }
  for (const [first, second] of [
    [5, 5],
    [5, 0],
    [0, 5],
  ]) {
    const fields = `Content-Length: ${first}\r\nContent-length: ${second}`
    await stage.refuses(post(fields, `hello${smuggled}`), refusal)
  }
})

const badLengths = [
  "5, 5",
  "",
  "+5",
  "-1",
  "0x5",
  "5_0",
  "5 5",
  "5\t5",
  "5.0",
  "5e0",
  "5;",
  "\xb5",
  String(2n ** 53n + 1n),
  String(2n ** 64n),
  String(2n ** 64n + 5n),
  "1".repeat(30),
  "0".repeat(29) + "5",
]

test.each(badLengths)("2: Content-Length: %p is refused", async (length) => {
  using stage = await Stage.open()
  const refusal = { status: 400, reason: "content_length" }
  await stage.refuses(post(`Content-Length: ${length}`, "hello"), refusal)
})

test("2: white space around a Content-Length is no part of it (RFC 9110 section 5.5)", async () => {
  using stage = await Stage.open()
  const check = (first: { body: string }, second: { target: string }): void => {
    expect([first.body, second.target]).toEqual(["hello", "/next"])
  }
  const next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
  const methods = ["POST", "GET"]
  await stage.serves(post("Content-Length:  \t005 \t", `hello${next}`), check, methods)
})

const badCodings: readonly [coding: string, status: number, reason: string][] = [
  ["xchunked", 400, "transfer_encoding"],
  ["chunkedx", 400, "transfer_encoding"],
  ["chunked, identity", 400, "transfer_encoding"],
  ["chunked, chunked", 400, "transfer_encoding"],
  ["chunked,", 400, "transfer_encoding"],
  [",chunked", 400, "transfer_encoding"],
  ['"chunked"', 400, "transfer_encoding"],
  ["chunked;q=1", 400, "transfer_encoding"],
  ["", 400, "transfer_encoding"],
  ["chunked\r\nTransfer-Encoding: chunked", 400, "transfer_encoding"],
  ["chunked\r\nTransfer-Encoding: identity", 400, "transfer_encoding"],
  ["chunked\r\nX: y\r\ntransfer-encoding: x", 400, "transfer_encoding"],
  ["identity", 501, "transfer_coding"],
  ["gzip", 501, "transfer_coding"],
  ["gzip, chunked", 501, "transfer_coding"],
  ["identity\r\nTransfer-Encoding: chunked", 501, "transfer_coding"],
  ["\r\n chunked", 400, "obs_fold"],
  ["chunked\r\n\tidentity", 400, "obs_fold"],
  ["chunked\x0b", 400, "field_value"],
  ["\x0bchunked", 400, "field_value"],
  ["chunked\0", 400, "field_value"],
]

test.each(badCodings)(
  "3: Transfer-Encoding: %p is refused with %d",
  async (coding, status, reason) => {
    using stage = await Stage.open()
    await stage.refuses(post(`Transfer-Encoding: ${coding}`, body), { status, reason })
  },
)

test.each(["chunked", "Chunked", "CHUNKED", " \tchunked \t"])(
  "3: Transfer-Encoding: %p is chunked",
  async (coding) => {
    using stage = await Stage.open()
    await stage.serves(
      post(`Transfer-Encoding: ${coding}`, body),
      ({ body, framing, head }) => {
        expect([body, framing]).toEqual(["hello", "chunked"])
        expect(head).toContain("\r\nTransfer-Encoding: chunked\r\n")
      },
      ["POST"],
    )
  },
)

const versions: readonly [line: string, status: number, reason: string][] = [
  ["POST / HTTP/1.0", 400, "transfer_encoding_http10"],
  ["POST /", 400, "target"],
  ["POST / ", 400, "request_line"],
  ["POST / HTTP/0.9", 400, "request_line"],
  ["POST / HTTP/1", 400, "request_line"],
  ["POST / HTTP/1.10", 400, "request_line"],
  ["POST / HTTP/01.1", 400, "request_line"],
  ["POST / http/1.1", 400, "request_line"],
  ["POST / HTTP/1.1 ", 400, "request_line"],
  ["POST / HTTP/1,1", 400, "request_line"],
  ["POST / HTTP/1.x", 400, "request_line"],
  ["POST / HTTPS/1.1", 400, "request_line"],
  ["POST /  HTTP/1.1", 400, "request_line"],
  ["POST  / HTTP/1.1", 400, "request_line"],
  [" POST / HTTP/1.1", 400, "request_line"],
  ["POST\t/ HTTP/1.1", 400, "request_line"],
  ["POST /\tHTTP/1.1", 400, "target"],
  ["POST / HTTP/1.2", 505, "version"],
  ["POST / HTTP/2.0", 505, "version"],
  ["POST / HTTP/3.0", 505, "version"],
  ["PRI * HTTP/2.0", 505, "version"],
]

test.each(versions)(
  "4: %p with Transfer-Encoding is refused with %d",
  async (line, status, reason) => {
    using stage = await Stage.open()
    const request = `${line}\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
    await stage.refuses(request, { status, reason })
  },
)

test("4: a request of HTTP/0.9 is refused", async () => {
  using stage = await Stage.open()
  await stage.refuses("GET /\r\n", { status: 400, reason: "target" })
})
