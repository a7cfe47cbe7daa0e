/** The head that goes to the client, cut in place and composed anew: the same fields, byte for byte. */
import { describe, expect, test } from "bun:test"
import { ascii } from "../../src/http/bytes.ts"
import * as writer from "../../src/h1/response-writer.ts"
import { scanResponse } from "../../src/h1/response.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"

function scan(text: string) {
  const head = new ResponseMessage(20)
  const bytes = Buffer.from(`..${text}body`, "latin1")
  const end = scanResponse(bytes, 2, bytes.length, 4096, false, head)
  expect(end).toBe(text.length + 2)
  return { head, bytes, end }
}

/** The head as it was cut in place; the body behind it must not have moved. */
function cut(text: string, dechunked: boolean = false): string {
  const { head, bytes, end } = scan(text)
  const start = writer.cutResponseHead(bytes, 2, head, dechunked)
  expect(start).toBeGreaterThanOrEqual(2)
  expect(bytes.toString("latin1", end)).toBe("body")
  return bytes.toString("latin1", start, end)
}

function composed(text: string, dechunked: boolean, says: number, cookie: string | null): string {
  const { head, bytes } = scan(text)
  const out = Buffer.alloc(4096)
  const line = cookie === null ? null : ascii(cookie)
  const length = writer.writeResponseHead(bytes, head, dechunked, says, line, false, out)
  return out.toString("latin1", 0, length)
}

const response = (status: string, ...lines: string[]): string =>
  [`HTTP/1.1 ${status}`, ...lines, "", ""].join("\r\n")

describe("a length goes on in one spelling:", () => {
  test.each([
    [["Content-Length: 004"], "Content-Length: 4"],
    [["content-length:  4"], "content-length: 4"],
    [["Content-Length:\t4 "], "Content-Length: 4"],
    [["Content-Length: 4, 04 ,4"], "Content-Length: 4"],
    [["Content-Length: 4", "A: b", "content-length: 4"], "Content-Length: 4"],
    [["Content-Length: 04", "Content-Length: 4"], "Content-Length: 4"],
  ])("%j", (lines, expected) => {
    const text = response("200 OK", ...lines, "C: d")
    const { head } = scan(text)
    const kept = lines.filter((line) => line.startsWith("A"))
    const whole = response("200 OK", expected, ...kept, "C: d")
    expect(head.contentLength).toBe(4)
    expect(composed(text, false, writer.SILENT, null)).toBe(whole)
    if (!head.mustBeWritten) expect(cut(text)).toBe(whole)
  })

  test("and is left in place when it has that", () => {
    for (const line of ["Content-Length: 4", "Content-Length:4"]) {
      expect(scan(response("200 OK", line)).head.mustBeWritten).toBe(false)
    }
  })
})

const cases: readonly [what: string, text: string, dechunked: boolean, expected: string][] = [
  ["nothing to cut", response("200 OK", "A: b"), false, response("200 OK", "A: b")],
  ["no reason", response("200 ", "A: b"), false, response("200 ", "A: b")],
  ["no field", response("200 OK"), false, response("200 OK")],
  [
    "fields for one hop, first, between and last",
    response(
      "200 OK",
      "Connection: close, x",
      "A: b",
      "X: 1",
      "Keep-Alive: 1",
      "C: d",
      "Proxy-Connection: e",
    ),
    false,
    response("200 OK", "A: b", "C: d"),
  ],
  ["Upgrade", response("403 X", "Upgrade: ws", "A: b"), false, response("403 X", "A: b")],
  [
    "chunks that stay",
    response("200 OK", "Transfer-Encoding: chunked", "A: b"),
    false,
    response("200 OK", "Transfer-Encoding: chunked", "A: b"),
  ],
  [
    "chunks that go",
    response("200 OK", "Transfer-Encoding: chunked", "A: b"),
    true,
    response("200 OK", "A: b"),
  ],
  [
    "204 with a length",
    response("204 X", "Content-Length: 5", "A: b"),
    false,
    response("204 X", "A: b"),
  ],
  ["204 with chunks", response("204 X", "Transfer-Encoding: chunked"), false, response("204 X")],
  [
    "100 with a length",
    response("100 X", "Content-Length: 5", "A: b"),
    false,
    response("100 X", "A: b"),
  ],
  [
    "304 with a length",
    response("304 X", "Content-Length: 5"),
    false,
    response("304 X", "Content-Length: 5"),
  ],
  [
    "HTTP/1.0",
    response("200 OK", "Connection: keep-alive", "A: b").replace("1.1", "1.0"),
    false,
    response("200 OK", "A: b"),
  ],
  [
    "credentials and cookies",
    response("401 X", "WWW-Authenticate: Basic", "Set-Cookie: a", "set-cookie: b", "Via: x"),
    false,
    response("401 X", "WWW-Authenticate: Basic", "Set-Cookie: a", "set-cookie: b", "Via: x"),
  ],
]

describe.each(cases)("a head with %s", (_what, text, dechunked, expected) => {
  test("cut in place", () => expect(cut(text, dechunked)).toBe(expected))

  test("composed", () => {
    expect(composed(text, dechunked, writer.SILENT, null)).toBe(expected)
    const additions: [says: number, cookie: string | null, lines: string][] = [
      [writer.SAYS_CLOSE, null, "Connection: close\r\n"],
      [writer.SAYS_KEEP_ALIVE, "Set-Cookie: c\r\n", "Set-Cookie: c\r\nConnection: keep-alive\r\n"],
      [writer.SILENT, "Set-Cookie: c\r\n", "Set-Cookie: c\r\n"],
    ]
    for (const [says, cookie, lines] of additions) {
      const whole = `${expected.slice(0, -2)}${lines}\r\n`
      expect(composed(text, dechunked, says, cookie)).toBe(whole)
    }
  })
})

test("426 keeps its Upgrade and says so in its Connection", () => {
  const text = response("426 X", "Connection: upgrade, x", "Upgrade: ws, foo/2", "X: 1", "A: b")
  for (const [says, line] of [
    [writer.SILENT, "Connection: Upgrade"],
    [writer.SAYS_CLOSE, "Connection: close, Upgrade"],
    [writer.SAYS_KEEP_ALIVE, "Connection: keep-alive, Upgrade"],
  ] as const) {
    expect(composed(text, false, writer.withUpgrade(says), null)).toBe(
      response("426 X", "Upgrade: ws, foo/2", "A: b", line),
    )
  }
})

test("101 keeps its Upgrade and says so in its Connection", () => {
  const text = response("101 X", "Connection: upgrade, x", "Upgrade: ws", "X: 1", "A: b")
  expect(composed(text, false, writer.SAYS_UPGRADE, null)).toBe(
    response("101 X", "Upgrade: ws", "A: b", "Connection: Upgrade"),
  )
})

test("a status line without reason gets the space that must be there", () => {
  const bare = response("200", "A: b")
  expect(scan(bare).head.bare).toBeTrue()
  expect(composed(bare, false, writer.SILENT, null)).toBe(response("200 ", "A: b"))
  const added = response("204 ", "A: b", "Set-Cookie: c", "Connection: close")
  const text = response("204", "A: b")
  expect(composed(text, false, writer.SAYS_CLOSE, "Set-Cookie: c\r\n")).toBe(added)
  expect(scan(response("200 OK")).head.bare).toBeFalse()
})
