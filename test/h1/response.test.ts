/** The response head: its facts, its framing, and what is no response. */
import { describe, expect, test } from "bun:test"
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "../../src/http/framing.ts"
import { responseFaults, scanResponse } from "../../src/h1/response.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"

const LIMIT = 512

/** Scans the text, which lies in the middle of a buffer. The result counts from the text's start. */
function scan(text: string, bodiless: boolean = false) {
  const head = new ResponseMessage(8)
  const bytes = Buffer.from(`..${text}`, "latin1")
  const end = scanResponse(bytes, 2, bytes.length, LIMIT, bodiless, head)
  return { head, end: end > 0 ? end - 2 : end, fault: end < 0 ? responseFaults[-end] : "" }
}

const response = (status: string, ...lines: string[]): string =>
  [`HTTP/1.1 ${status}`, ...lines, "", ""].join("\r\n")

const framings: readonly [what: string, text: string, bodiless: boolean, framing: number][] = [
  ["a length", response("200 OK", "Content-Length: 5"), false, BY_LENGTH],
  ["a length of 0", response("200 OK", "Content-Length: 0"), false, NO_BODY],
  ["chunks", response("200 OK", "Transfer-Encoding: Chunked"), false, BY_CHUNKS],
  ["neither", response("200 OK"), false, BY_CLOSE],
  ["HEAD and a length", response("200 OK", "Content-Length: 5"), true, NO_BODY],
  ["HEAD and chunks", response("200 OK", "Transfer-Encoding: chunked"), true, NO_BODY],
  ["HEAD and neither", response("200 OK"), true, NO_BODY],
  ["204", response("204 No Content"), false, NO_BODY],
  ["204 and a length", response("204 No Content", "Content-Length: 5"), false, NO_BODY],
  ["304 and a length", response("304 X", "Content-Length: 5"), false, NO_BODY],
  ["100", response("100 Continue"), false, NO_BODY],
  ["205 and neither", response("205 X"), false, BY_CLOSE],
  ["401 and a length", response("401 X", "Content-Length: 9"), false, BY_LENGTH],
]
test.each(framings)("the body of a response with %s", (_what, text, bodiless, framing) => {
  const { head, end } = scan(text, bodiless)
  expect([end, head.framing]).toEqual([text.length, framing])
})

describe("the backend's connection goes on", () => {
  const lives: readonly [what: string, text: string, keepAlive: boolean][] = [
    ["with HTTP/1.1", response("200 OK"), true],
    ["not with close", response("200 OK", "Connection: close"), false],
    ["not with HTTP/1.0", response("200 OK").replace("1.1", "1.0"), false],
    [
      "with HTTP/1.0 and keep-alive",
      response("200", "Connection: keep-alive").replace("1.1", "1.0"),
      true,
    ],
    ["with 204", response("204 X"), true],
    ["with 204 and a length of 0", response("204 X", "Content-Length: 0"), true],
    ["not with 204 and a body announced", response("204 X", "Content-Length: 5"), false],
    ["not with 204 and chunks announced", response("204 X", "Transfer-Encoding: chunked"), false],
    ["with 304 and the length of what is unchanged", response("304 X", "Content-Length: 5"), true],
  ]
  test.each(lives)("%s", (_what, text, keepAlive) => {
    expect(scan(text).head.keepAlive).toBe(keepAlive)
  })

  test("for one client only after a challenge of NTLM", () => {
    expect(scan(response("401 X", "WWW-Authenticate: NTLM")).head.bindsConnection).toBe(true)
    expect(scan(response("401 X", "WWW-Authenticate: Basic")).head.bindsConnection).toBe(false)
    expect(scan(response("401 X", "WWW-Authenticate: Basic, Negotiate")).head.bindsConnection).toBe(
      true,
    )
  })
})

test("a head is whole at its end and not before", () => {
  const text = "HTTP/1.0 404 Not \xe4 Found\r\nA: b\r\nContent-Length: 5\r\n\r\n"
  for (let length = 0; length < text.length; length++) {
    expect([length, scan(text.slice(0, length)).end]).toEqual([length, 0])
  }
  const { head, end } = scan(`${text}hello`)
  expect([end, head.status, head.minor, head.contentLength]).toEqual([text.length, 404, 0, 5])
})

test.each(["HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 999 X\r\n\r\n"])(
  "%p is a response",
  (text) => {
    expect(scan(text).end).toBe(text.length)
  },
)

const malformed = [
  "HTTP/2 200 OK\r\n\r\n",
  "HTTP/1.2 200 OK\r\n\r\n",
  "http/1.1 200 OK\r\n\r\n",
  "HTTP/1.1  200 OK\r\n\r\n",
  "HTTP/1.1 20 OK\r\n\r\n",
  "HTTP/1.1 2000 OK\r\n\r\n",
  "HTTP/1.1 099 OK\r\n\r\n",
  "HTTP/1.1 +20 OK\r\n\r\n",
  "HTTP/1.1 200 OK\n\n",
  "HTTP/1.1 200\n\r\n\r\n",
  "HTTP/1.1 200 O\0K\r\n\r\n",
  "HTTP/1.1 200 O\rK\r\n\r\n",
  "<html>",
  "\r\nHTTP/1.1 200 OK\r\n\r\n",
  response("200 OK", "A : b"),
  response("200 OK", "A: b", " c"),
  response("200 OK", "A: \0"),
  response("200 OK", "A"),
]
test.each(malformed)("%p is malformed", (text) => {
  expect(scan(text).fault).toBe("malformed response head")
})

const ambiguous = [
  response("200 OK", "Content-Length: 5", "Content-Length: 6"),
  response("200 OK", "Content-Length: 5, 6"),
  response("200 OK", "Content-Length: 5, "),
  response("200 OK", "Content-Length: 5 5"),
  response("200 OK", "Content-Length: -5"),
  response("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"),
  response("200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
  response("200 OK", "Transfer-Encoding: gzip, chunked"),
  response("200 OK", "Transfer-Encoding: chunked").replace("1.1", "1.0"),
]
test.each(ambiguous)("%p is ambiguous, also as the answer to HEAD", (text) => {
  expect(scan(text).fault).toBe("ambiguous response length")
  expect(scan(text, true).fault).toBe("ambiguous response length")
})

test("a head may have as many fields as the limit says", () => {
  const filled = (count: number) => response("200 OK", ...Array<string>(count).fill("A: b"))
  expect(scan(filled(8)).fault).toBe("")
  expect(scan(filled(9)).fault).toBe("too many response fields")
})

test("a head may have as many bytes as the limit says", () => {
  const sized = (size: number): string =>
    response("200 OK", `A: ${"b".repeat(size - response("200 OK", "A: ").length)}`)
  expect(scan(sized(LIMIT)).end).toBe(LIMIT)
  expect(scan(sized(LIMIT) + "body".repeat(LIMIT)).end).toBe(LIMIT)
  expect(scan(sized(LIMIT + 1)).fault).toBe("response head too large")
  expect(scan(sized(LIMIT + 9).slice(0, LIMIT)).fault).toBe("response head too large")
})
