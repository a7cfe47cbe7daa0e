/** The request head: its facts, its refusals, and that every beginning of a sound head asks for more. */
import { describe, expect, test } from "bun:test"
import * as refuse from "../../src/http/refusal.ts"
import * as heads from "../../src/http/request-message.ts"
import { namesConnectionScheme, scanRequest } from "../../src/h1/request.ts"
import { rng } from "../support/until.ts"

const limits: heads.HeadLimits = { headBytes: 1024, requestLineBytes: 128, fields: 8 }

/** Scans the text, which lies in the middle of a buffer. The result counts from the text's start. */
function scan(text: string) {
  const head = new heads.RequestMessage(limits)
  const bytes = Buffer.from(`..${text}`, "latin1")
  const end = scanRequest(bytes, 2, bytes.length, limits, head)
  return { head, bytes, end: end > 0 ? end - 2 : end }
}

const get = (...lines: string[]): string =>
  ["GET /a HTTP/1.1", "Host: h", ...lines, "", ""].join("\r\n")

describe("facts:", () => {
  const methods: readonly [method: string, kind: number, idempotent: boolean][] = [
    ["GET", heads.GET, true],
    ["HEAD", heads.HEAD, true],
    ["POST", heads.POST, false],
    ["PUT", heads.PUT, true],
    ["DELETE", heads.DELETE, true],
    ["OPTIONS", heads.OPTIONS, true],
    ["TRACE", heads.TRACE, true],
    ["PATCH", heads.OTHER_METHOD, false],
    ["get", heads.OTHER_METHOD, false],
    ["GETT", heads.OTHER_METHOD, false],
    ["M-SEARCH!", heads.OTHER_METHOD, false],
  ]
  test.each(methods)("%s", (method, kind, idempotent) => {
    const { head } = scan(`${method} / HTTP/1.1\r\nHost: h\r\n\r\n`)
    expect([head.method, head.idempotent]).toEqual([kind, idempotent])
  })

  const keepAlive: readonly [version: string, connection: string, keepAlive: boolean][] = [
    ["1.1", "", true],
    ["1.1", "Connection: close", false],
    ["1.1", "Connection: keep-alive, close", false],
    ["1.1", "Connection: x", true],
    ["1.0", "", false],
    ["1.0", "Connection: keep-alive", true],
    ["1.0", "Connection: keep-alive\r\nConnection: close", false],
  ]
  test.each(keepAlive)("HTTP/%s with %p keeps alive: %p", (version, connection, expected) => {
    const { head } = scan(
      `GET / HTTP/${version}\r\nHost: h\r\n${connection && `${connection}\r\n`}\r\n`,
    )
    expect([head.minor, head.keepAlive]).toEqual([Number(version.slice(2)), expected])
  })

  test("a head after another knows nothing of it", () => {
    const head = new heads.RequestMessage(limits)
    const one = Buffer.from(
      "POST http://h/x HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\n" +
        "Authorization: NTLM x\r\nExpect: 100-continue\r\n\r\n",
    )
    const two = Buffer.from(get())
    for (const other of [
      one,
      Buffer.from(get("Connection: upgrade", "Upgrade: ws")),
      Buffer.from("GET"),
    ]) {
      scanRequest(other, 0, other.length, limits, head)
      scanRequest(two, 0, two.length, limits, head)
      const { fields: _fields, bytes, ...facts } = head
      const { fields: _others, bytes: _received, ...expected } = scan(get()).head
      expect(bytes).toBe(two)
      // `scan` begins at offset 2.
      const shifted = Object.entries(expected).map(([name, value]) => {
        const isOffset = /(start|end)$/i.test(name) && typeof value === "number"
        return [name, isOffset ? value - 2 : value]
      })
      expect(facts).toEqual(Object.fromEntries(shifted))
    }
  })

  const upgrades: readonly [what: string, request: string, upgrades: boolean][] = [
    ["websocket", get("Connection: Upgrade", "Upgrade: websocket"), true],
    ["a version", get("Connection: keep-alive, Upgrade", "Upgrade: foo/2"), true],
    ["no Connection", get("Upgrade: websocket"), false],
    ["no Upgrade", get("Connection: Upgrade"), false],
    ["h2c", get("Connection: Upgrade", "Upgrade: H2C"), false],
    ["a draft of HTTP/2", get("Connection: Upgrade", "Upgrade: h2c-14, h2, HTTP/2.0"), false],
    ["drafts for TLS", get("Connection: Upgrade", "Upgrade: h2-14, H2-16/x"), false],
    ["what only begins like h2c", get("Connection: Upgrade", "Upgrade: h2cx"), true],
    ["two lines", get("Connection: Upgrade", "Upgrade: a", "Upgrade: b"), true],
    ["a list", get("Connection: Upgrade", "Upgrade: a, b"), true],
    ["a list with h2c", get("Connection: Upgrade", "Upgrade: h2c, websocket"), true],
    ["a list with empty members", get("Connection: Upgrade", "Upgrade: , a,,"), true],
    ["a malformed member", get("Connection: Upgrade", "Upgrade: a, b c"), false],
    ["a version without a name", get("Connection: Upgrade", "Upgrade: /1"), false],
    ["a name without its version", get("Connection: Upgrade", "Upgrade: a/"), false],
    ["an empty one", get("Connection: Upgrade", "Upgrade:"), false],
    ["a body", get("Connection: Upgrade", "Upgrade: a", "Content-Length: 5"), true],
    ["a body of length 0", get("Connection: Upgrade", "Upgrade: a", "Content-Length: 0"), true],
    ["chunks", get("Connection: Upgrade", "Upgrade: a", "Transfer-Encoding: chunked"), true],
    ["POST", get("Connection: Upgrade", "Upgrade: a").replace("GET", "POST"), true],
    ["PUT", get("Connection: Upgrade", "Upgrade: a").replace("GET", "PUT"), true],
    ["HTTP/1.0", get("Connection: Upgrade", "Upgrade: a").replace("1.1", "1.0"), false],
  ]
  test.each(upgrades)("an upgrade with %s", (_what, request, expected) => {
    const { head, end } = scan(request)
    expect([end, head.upgrade >= 0]).toEqual([request.length, expected])
  })

  test("Expect: 100-continue counts in HTTP/1.1 only", () => {
    expect(scan(get("Expect: 100-Continue")).head.expectContinue).toBe(true)
    const old = get("Expect: 100-continue").replace("1.1", "1.0")
    expect(scan(old).head.expectContinue).toBe(false)
  })

  const schemes: readonly [value: string, binds: boolean][] = [
    ["NTLM", true],
    ["ntlm abc==", true],
    ["Negotiate YII=", true],
    ['Basic realm="x", NTLM', true],
    ["Bearer,\tnegotiate", true],
    [" , NTLM", true],
    ["Basic NTLM", false],
    ["NTLMv2", false],
    ["Bearer negotiate", false],
    ["", false],
  ]
  test.each(schemes)("credentials %p bind the connection: %p", (value, binds) => {
    const { head, bytes } = scan(get(`Authorization: ${value}`))
    expect(head.bindsConnection).toBe(binds)
    expect(namesConnectionScheme(bytes, head.fields, 1)).toBe(binds)
  })
})

describe("a head is whole", () => {
  const sound = [
    get("A: b", "Content-Length: 5"),
    `\r\n\r\n${get()}`,
    "OPTIONS * HTTP/1.0\r\n\r\n",
    "GET http://h:80/p?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  ]
  test.each(sound)("at its end and not before: %p", (text) => {
    for (let length = 0; length < text.length; length++) {
      expect([length, scan(text.slice(0, length)).end]).toEqual([length, 0])
    }
    expect(scan(text).end).toBe(text.length)
    expect(scan(`${text}GET / HTTP/1.1\r\n`).end).toBe(text.length)
  })
})

const refusals: readonly [text: string, refusal: number][] = [
  ["GET\r\n", refuse.REQUEST_LINE],
  ["G(T / HTTP/1.1\r\n", refuse.REQUEST_LINE],
  ["\x16\x03\x01\x02", refuse.REQUEST_LINE],
  [`${"M".repeat(33)} / `, refuse.METHOD],
  ["GET /#a ", refuse.TARGET_FORM],
  [`GET /${"a".repeat(129)}`, refuse.TARGET_LENGTH],
  ["GET / HTTP/2.0\r\n", refuse.VERSION],
  ["GET / HTTQ", refuse.REQUEST_LINE],
  ["GET / HTTP/1.1\n\n", refuse.LINE_END],
  ["CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", refuse.CONNECT],
  ["connect h:80 HTTP/1.1\r\nHost: h\r\n\r\n", refuse.CONNECT],
  ["GET / HTTP/1.1\r\n\r\n", refuse.HOST_MISSING],
  [get("Host: h"), refuse.HOST_REPEATED],
  [get("Content-Length: 1", "Content-Length: 1"), refuse.LENGTH_REPEATED],
  [get("Content-Length: a"), refuse.LENGTH_INVALID],
  [get("Content-Length: 1", "Transfer-Encoding: chunked"), refuse.LENGTH_CONFLICT],
  [get("Transfer-Encoding: x"), refuse.CODING_INVALID],
  [get("Transfer-Encoding: gzip"), refuse.CODING_UNKNOWN],
  ["GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", refuse.CODING_VERSION],
  [get("Expect: x"), refuse.EXPECTATION],
  [get("Expect: 100-continue, x"), refuse.EXPECTATION],
  [get("A: b".padEnd(1100, "b")), refuse.HEAD_SIZE],
  [`GET / HTTP/1.1\r\nA: ${"b".repeat(1024)}`, refuse.HEAD_SIZE],
  [get(...Array.from({ length: 8 }, () => "A: b")), refuse.FIELD_COUNT],
]
test.each(refusals)("%p is refused", (text, refusal) => {
  const name = (end: number): string | undefined => refuse.refusals[-end]?.reason
  expect(name(scan(text).end)).toBe(name(-refusal))
})

test("no bytes by chance make the scanner throw or read beyond its range (seed 9112)", () => {
  const chance = rng(9112)
  const text = get("Content-Length: 5", "Connection: a, close", "X-Forwarded-For: 1.2.3.4")
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(`..${text}`, "latin1")
    for (let times = chance.between(1, 3); times > 0; times--) {
      bytes[chance.between(2, bytes.length - 1)] = chance.between(0, 255)
    }
    const to = chance.between(2, bytes.length)
    const head = new heads.RequestMessage(limits)
    const end = scanRequest(bytes, 2, to, limits, head)
    expect(end).toBeLessThanOrEqual(to)
    // What lies behind the range has no say.
    bytes.fill(0, to)
    expect(scanRequest(bytes, 2, to, limits, head)).toBe(end)
  }
})
