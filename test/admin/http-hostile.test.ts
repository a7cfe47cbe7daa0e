/** What cannot be read as one request and no other, sent to the admin listener. */
import { describe, expect, test } from "bun:test"
import { head, post, serve, text } from "./serving-http.ts"

describe("what cannot be read is refused, and nothing behind it is served", () => {
  const hostile: readonly (readonly [string, string, number])[] = [
    ["garbage", "\0\x01\x02\xff\r\n\r\n", 400],
    ["another protocol", "\x16\x03\x01\x02\0\x01\0\r\n", 400],
    ["no version", "GET /a\r\n\r\n", 400],
    ["a version of the future", "GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505],
    ["LF alone", "GET /a HTTP/1.1\nHost: h\n\n", 400],
    ["no Host", "GET /a HTTP/1.1\r\n\r\n", 400],
    ["two Hosts", `${head}Host: i\r\n\r\n`, 400],
    ["two empty Hosts", "GET /a HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", 400],
    ["a Host behind an empty one", "GET /a HTTP/1.1\r\nHost:\r\nHost: h\r\n\r\n", 400],
    ["a blank before the colon", `${head}A : b\r\n\r\n`, 400],
    ["a folded line", `${head}A: b\r\n c\r\n\r\n`, 400],
    ["a control character", `${head}A: \x01\r\n\r\n`, 400],
    ["two lengths", `${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    ["the same length twice", `${post}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 400],
    ["a list of lengths", `${post}Content-Length: 1, 1\r\n\r\na`, 400],
    ["a signed length", `${post}Content-Length: +1\r\n\r\na`, 400],
    ["a length that is no number", `${post}Content-Length: x\r\n\r\n`, 400],
    [
      "length and chunks",
      `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["a coding nobody knows", `${post}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
    [
      "chunked twice",
      `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
    ],
    ["chunks in HTTP/1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["a chunk size that is none", `${post}Transfer-Encoding: chunked\r\n\r\nx\r\n`, 400],
    ["a chunk longer than its size", `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`, 400],
    ["a huge chunk size", `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`, 400],
    ["an expectation", `${head}Expect: 200-ok\r\n\r\n`, 417],
    ["CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 501],
    ["a long target", `GET /${"a".repeat(9_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
    ["a long field", `${head}A: ${"a".repeat(17_000)}\r\n\r\n`, 431],
    ["many fields", `${head}${"A: b\r\n".repeat(101)}\r\n`, 431],
    ["a length beyond the limit", `${post}Content-Length: 1048577\r\n\r\n`, 413],
    [
      "chunks beyond the limit",
      `${post}Transfer-Encoding: chunked\r\n\r\n${"10000\r\n".padEnd(0x10000 + 7, "a")}\r\n`.padEnd(
        0,
      ),
      413,
    ],
  ]

  test.each(hostile)("%s", async (name, bytes, status) => {
    let served = 0
    const { connect } = serve({}, async () => {
      served++
      return text("served")
    })
    const client = await connect()
    if (name === "chunks beyond the limit") {
      const chunk = bytes.slice(bytes.indexOf("10000\r\n"))
      await client.send(bytes + chunk.repeat(17))
    } else await client.send(bytes + (status === 413 ? "" : `${head}\r\n`))
    const response = await client.receiveResponse()
    expect([response.status, response.field("connection")]).toEqual([status, "close"])
    const { error } = JSON.parse(response.body.toString()) as { error: { code: string } }
    expect(error.code).toMatch(/^[a-z_0-9]+$/)
    await client.receiveRest()
    expect(served).toBe(0)
  })
})
