/** The head that goes to the backend, compared byte for byte. */
import { expect, test } from "bun:test"
import { ascii } from "../../src/http/bytes.ts"
import { ClientIdentity } from "../../src/http/identity.ts"
import { RequestHead } from "../../src/http/request-head.ts"
import { RequestIds } from "../../src/http/request-id.ts"
import { headRoom, writeRequestHead } from "../../src/http/request-writer.ts"
import type { HeadPlan, HostLines } from "../../src/http/request-writer.ts"
import { scanRequest } from "../../src/http/request.ts"

const limits = { headBytes: 4096, requestLineBytes: 4096, fields: 100 }
const chain = { clientAddress: (forwardedFor: string) => forwardedFor.split(",")[0] ?? "" }

function planOf(trusted: boolean, cookies: HeadPlan["cookies"] = null): HeadPlan {
  const identity = new ClientIdentity("10.0.0.1", trusted, chain, "http", false)
  return { identity, cookies, ids: new RequestIds(new Uint8Array(20)), span: null }
}

const ofClient: HostLines = { hostLine: null, defaultHostLine: ascii("Host: default\r\n") }
const ofBackend: HostLines = { ...ofClient, hostLine: ascii("Host: p\r\n") }

const ID = `${"0".repeat(31)}1`

function written(
  request: string,
  plan: HeadPlan = planOf(false),
  hosts: HostLines = ofClient,
): string {
  const head = new RequestHead(limits)
  const bytes = Buffer.from(`..${request}`, "latin1")
  const end = scanRequest(bytes, 2, bytes.length, limits, head)
  expect(end).toBe(bytes.length)
  const out = Buffer.alloc(headRoom(limits.headBytes))
  return out.toString("latin1", 0, writeRequestHead(bytes, head, plan, hosts, out))
}

/** What bunlb adds for a client that nobody trusts. */
const own = (host: string | null, via: string = "1.1"): string =>
  "X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n" +
  `${host === null ? "" : `X-Forwarded-Host: ${host}\r\n`}` +
  `X-Request-Id: ${ID}\r\nVia: ${via} bunlb\r\n\r\n`

const request = (line: string, ...lines: string[]): string => [line, ...lines, "", ""].join("\r\n")

test("fields go on as they came, in their order, and ours follow", () => {
  const lines = ["B:  x ", "host: h", "A: \xe4", "Content-Length: 5", "Via: 1.0 p", "Cookie: a=b"]
  expect(written(request("POST /p?q HTTP/1.1", ...lines))).toBe(
    `POST /p?q HTTP/1.1\r\n${lines.join("\r\n")}\r\n${own("h")}`,
  )
})

test("what is for one hop, what is claimed and what is nominated stays out", () => {
  const dropped = ["Connection: close, x-mine", "TE: x", "Keep-Alive: 1", "X-Mine: 1", "Upgrade: x"]
  const claims = ["X-Forwarded-For: 1.1.1.1", "X_Real_IP: 1", "Forwarded: x", "X-Request-Id: 1"]
  const lines = dropped.flatMap((line, index) => [line, `K${index}: ${index}`]).concat(claims)
  const kept = [0, 1, 2, 3, 4].map((index) => `K${index}: ${index}\r\n`).join("")
  const text = written(request("GET / HTTP/1.1", "Host: h", ...lines))
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: h\r\n${kept}${own("h")}`)
})

test("chunked is said anew, in one way", () => {
  const text = written(request("POST / HTTP/1.1", "Transfer-Encoding:CHUNKED ", "Host: h"))
  expect(text).toBe(`POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n${own("h")}`)
})

const hosts: readonly [what: string, text: string, lines: HostLines, expected: string][] = [
  [
    "of the field",
    request("GET / HTTP/1.1", "A: b", "Host: h"),
    ofClient,
    `GET / HTTP/1.1\r\nA: b\r\nHost: h\r\n${own("h")}`,
  ],
  [
    "of the plan",
    request("GET / HTTP/1.1", "A: b", "Host: h"),
    ofBackend,
    `GET / HTTP/1.1\r\nHost: p\r\nA: b\r\n${own("h")}`,
  ],
  [
    "of the target",
    request("GET http://t:1/p HTTP/1.1", "Host: h", "A: b"),
    ofClient,
    `GET /p HTTP/1.1\r\nHost: t:1\r\nA: b\r\n${own("t:1")}`,
  ],
  [
    "of the plan before that of the target",
    request("GET http://t:1/p HTTP/1.1", "Host: h"),
    ofBackend,
    `GET /p HTTP/1.1\r\nHost: p\r\n${own("t:1")}`,
  ],
  [
    "by default",
    request("GET / HTTP/1.0", "A: b"),
    ofClient,
    `GET / HTTP/1.1\r\nHost: default\r\nA: b\r\n${own(null, "1.0")}`,
  ],
]
test.each(hosts)("the host is that %s", (_what, text, lines, expected) => {
  expect(written(text, planOf(false), lines)).toBe(expected)
})

test.each([
  ["GET http://h", "GET /"],
  ["GET http://h?q", "GET /?q"],
  ["OPTIONS http://h", "OPTIONS *"],
  ["OPTIONS http://h?q", "OPTIONS /?q"],
  ["OPTIONS *", "OPTIONS *"],
])("%s becomes %s", (line, expected) => {
  expect(written(request(`${line} HTTP/1.1`, "Host: h"))).toStartWith(
    `${expected} HTTP/1.1\r\nHost: h\r\n`,
  )
})

test("an upgrade is offered in bunlb's own words", () => {
  const text = written(
    request("GET / HTTP/1.1", "Host: h", "Upgrade: WebSocket", "Connection: x, Upgrade"),
  )
  expect(text).toBe(
    `GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n${own("h")}`,
  )
})

test("an expectation goes on in HTTP/1.1 and not in HTTP/1.0", () => {
  const lines = ["Host: h", "Expect: 100-continue"]
  expect(written(request("GET / HTTP/1.1", ...lines))).toContain("\r\nExpect: 100-continue\r\n")
  expect(written(request("GET / HTTP/1.0", ...lines))).not.toContain("Expect")
})

test.each([
  ["Content-Length: 007", "Content-Length: 7"],
  ["Content-Length: 000", "Content-Length: 0"],
  ["content-length:\t7", "content-length: 7"],
  ["Content-Length:  7 ", "Content-Length: 7"],
  ["Content-Length:7", "Content-Length:7"],
])("a length goes on in one spelling: %j", (line, expected) => {
  const text = written(request("POST / HTTP/1.1", "A: b", line, "Host: h"))
  expect(text).toBe(`POST / HTTP/1.1\r\nA: b\r\n${expected}\r\nHost: h\r\n${own("h")}`)
})

test.each([
  ["GET / HTTP/1.1", "Host: h:", "h"],
  ["GET / HTTP/1.1", "Host: [::1]: ", "[::1]"],
  ["GET http://h:/ HTTP/1.1", "Host: x", "h"],
])("an empty port is left out: %s, %s", (line, field, host) => {
  const text = written(request(line, field, "A: b"))
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: ${host}\r\nA: b\r\n${own(host)}`)
})

test.each([
  [["Expect: 100-continue, 100-continue"], "A: b\r\nExpect: 100-continue\r\n"],
  [["Expect: 100-continue,"], "A: b\r\nExpect: 100-continue\r\n"],
  [["Expect: , 100-Continue"], "A: b\r\nExpect: 100-continue\r\n"],
  [["expect: 100-Continue", "Expect: 100-continue"], "expect: 100-Continue\r\nA: b\r\n"],
  [["Expect: ,", "Expect: 100-continue"], "Expect: 100-continue\r\nA: b\r\n"],
  [["Expect:"], "A: b\r\n"],
])("an expectation goes on once: %j", (lines, expected) => {
  const text = written(request("GET / HTTP/1.1", "Host: h", ...lines, "A: b"))
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: h\r\n${expected}${own("h")}`)
})

test("what a trusted proxy says goes on, and only the rest is added", () => {
  const lines = [
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: o",
    "X-Request-Id: r",
    "Forwarded: f",
  ]
  const text = written(
    request("GET / HTTP/1.1", "Host: h", "X-Forwarded-For: 1.1.1.1", ...lines),
    planOf(true),
  )
  expect(text).toBe(
    `GET / HTTP/1.1\r\nHost: h\r\n${lines.join("\r\n")}\r\n` +
      "X-Forwarded-For: 1.1.1.1, 10.0.0.1\r\nX-Real-IP: 1.1.1.1\r\nVia: 1.1 bunlb\r\n\r\n",
  )
})

test("a cookie filter writes the Cookie lines, or none", () => {
  const cookies: HeadPlan["cookies"] = {
    put: (from, head, position, out, at) => {
      const { valueStarts, valueEnds } = head.fields
      const value = from.toString("latin1", valueStarts[position], valueEnds[position])
      return value === "gone" ? at : at + out.write(`Cookie: <${value}>\r\n`, at, "latin1")
    },
  }
  const text = written(
    request("GET / HTTP/1.1", "Host: h", "Cookie: a", "X: y", "cookie: gone", "Z: z"),
    planOf(false, cookies),
  )
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: h\r\nCookie: <a>\r\nX: y\r\nZ: z\r\n${own("h")}`)
})

test("the largest head that can come fits into its room", () => {
  const chainOf = `1${",1".repeat(1900)}`
  const lines = [`Host: ${"h".repeat(100)}`, `X-Forwarded-For: ${chainOf}`]
  const text = written(request("GET / HTTP/1.1", ...lines), planOf(true))
  expect(text.length).toBeLessThan(headRoom(limits.headBytes))
  // The worst that a target can do: it is its own Host and X-Forwarded-Host too.
  const long = `http://${"h".repeat(3900)}/`
  const absolute = written(request(`GET ${long} HTTP/1.1`, "Host: x"), planOf(true))
  expect(absolute.length).toBeLessThan(headRoom(limits.headBytes))
})
