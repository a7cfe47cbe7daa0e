/** The head that goes to the backend, compared byte for byte. */
import { expect, test } from "bun:test"
import { ascii } from "../../src/http/bytes.ts"
import { ClientIdentity } from "../../src/http/identity.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { RequestIds } from "../../src/http/request-id.ts"
import { headRoom, writeRequestHead } from "../../src/h1/request-writer.ts"
import type { FieldPolicy, HeadPlan, BackendTerms } from "../../src/h1/request-writer.ts"
import { scanRequest } from "../../src/h1/request.ts"
import { TrustedProxies } from "../../src/net/ip/cidr.ts"

const limits = { headBytes: 4096, requestLineBytes: 4096, fields: 100 }
const chain = new TrustedProxies(["10.0.0.0/8"])
const ofListener = { chain, scheme: "http", forwarded: false, port: 8080 } as const
const byDefault: FieldPolicy = { requestId: "trusted", via: false, kept: [] }

function planOf(trusted: boolean, policy: Partial<FieldPolicy> = {}): HeadPlan {
  return {
    identity: new ClientIdentity("10.0.0.1", trusted, ofListener),
    policy: { ...byDefault, ...policy },
    ids: new RequestIds(new Uint8Array(20)),
    span: null,
  }
}

const ofClient: BackendTerms = {
  hostLine: null,
  defaultHostLine: ascii("Host: default\r\n"),
  cookies: null,
}
const ofBackend: BackendTerms = { ...ofClient, hostLine: ascii("Host: p\r\n") }

const ID = `${"0".repeat(31)}1`

function written(
  request: string,
  plan: HeadPlan = planOf(false),
  terms: BackendTerms = ofClient,
  id = 1,
): string {
  const head = new RequestMessage(limits)
  const bytes = Buffer.from(`..${request}`, "latin1")
  const end = scanRequest(bytes, 2, bytes.length, limits, head)
  expect(end).toBe(bytes.length)
  const out = Buffer.alloc(headRoom(limits.headBytes))
  return out.toString("latin1", 0, writeRequestHead(bytes, head, plan, terms, id, out))
}

/** What bunlb adds for a client that nobody trusts. */
const own = (host: string | null): string =>
  "X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n" +
  `X-Forwarded-Port: ${host === null ? 8080 : (/:([0-9]+)$/.exec(host)?.[1] ?? 80)}\r\n` +
  `${host === null ? "" : `X-Forwarded-Host: ${host}\r\n`}` +
  `X-Request-Id: ${ID}\r\nBunlb-Hops: 1\r\n\r\n`

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

const hosts: readonly [what: string, text: string, lines: BackendTerms, expected: string][] = [
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
    `GET / HTTP/1.1\r\nHost: default\r\nA: b\r\n${own(null)}`,
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
    ofClient,
    0,
  )
  expect(text).toBe(
    `GET / HTTP/1.1\r\nHost: h\r\n${lines.join("\r\n")}\r\n` +
      "X-Forwarded-For: 1.1.1.1, 10.0.0.1\r\nX-Real-IP: 1.1.1.1\r\n" +
      "X-Forwarded-Port: 443\r\nBunlb-Hops: 1\r\n\r\n",
  )
})

test("a cookie filter writes the Cookie lines, or none", () => {
  const cookies: BackendTerms["cookies"] = {
    put: (from, head, position, out, at) => {
      const { valueStarts, valueEnds } = head.fields
      const value = from.toString("latin1", valueStarts[position], valueEnds[position])
      return value === "gone" ? at : at + out.write(`Cookie: <${value}>\r\n`, at, "latin1")
    },
  }
  const text = written(
    request("GET / HTTP/1.1", "Host: h", "Cookie: a", "X: y", "cookie: gone", "Z: z"),
    planOf(false),
    { ...ofClient, cookies },
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

const claims = [
  ...[
    "X-Forwarded-User: a",
    "X-Forwarded-Email: a",
    "X-Forwarded-Client-Cert: a",
    "x-forwarded-x: a",
  ],
  ...[
    "X-Forwarded-Prefix: a",
    "X-Forwarded-A-Name-Of-More-Than-Thirty-One-Letters: a",
    "X-Forwarded: a",
  ],
  ...["X-Client-IP: a", "True-Client-IP: a", "CF-Connecting-IP: a", "X-Cluster-Client-IP: a"],
  ...["X-Forward-For: a", "Forwarded-For: a", "X-True-Client-IP: a", "X-Client-Port: a"],
  ...["CloudFront-Viewer-Address: a", "X-Remote-Host: a", "X-Vercel-Forwarded-For: a"],
  ...["Client-Cert: a", "X-SSL-Client-Verify: a", "Forwarded: a", "X-Original-Forwarded-For: a"],
]
const spelled = ["X_Forwarded_User: a", "x.forwarded-x: a", "X-Client_IP: a", "X-Forwarded-A_B: a"]

test("whatever a stranger claims of its origin stays out, in any spelling", () => {
  const text = written(request("GET / HTTP/1.1", "Host: h", ...claims, "A: b", ...spelled))
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n${own("h")}`)
  const similar = ["X-Forwardedness: 1", "XForwarded-User: 1", "X-Forward: 1", "Client-IPs: 1"]
  expect(written(request("GET / HTTP/1.1", ...similar, "Host: h"))).toContain(similar.join("\r\n"))
})

test("a trusted proxy may say it, spelled right", () => {
  const lines = [...claims, ...spelled]
  const text = written(request("GET / HTTP/1.1", "Host: h", ...lines), planOf(true))
  expect(text).toContain(`\r\n${claims.join("\r\n")}\r\n`)
  expect(text).not.toMatch(/_|x\.forwarded/)
})

test("fields of the exceptions are kept from anybody", () => {
  const kept = [ascii("x-forwarded-prefix"), ascii("client-cert")]
  const text = written(
    request("GET / HTTP/1.1", "Host: h", ...claims, "x_forwarded_prefix: a"),
    planOf(false, { kept }),
  )
  const lines = ["X-Forwarded-Prefix: a", "Client-Cert: a"]
  expect(text).toBe(`GET / HTTP/1.1\r\nHost: h\r\n${lines.join("\r\n")}\r\n${own("h")}`)
})

const ports: readonly [trusted: boolean, lines: readonly string[], port: string][] = [
  [false, ["Host: h"], "80"],
  [false, ["Host: h:8080"], "8080"],
  [false, ["Host: [::1]:81"], "81"],
  [false, ["Host: [::1]"], "80"],
  [false, ["Host: 1.2.3.4"], "80"],
  [false, ["Host: h", "X-Forwarded-Port: 1", "X-Forwarded-Proto: https"], "80"],
  [true, ["Host: h:8080", "X-Forwarded-Port: 1"], "1"],
  [true, ["Host: h", "X-Forwarded-Proto: https"], "443"],
  [true, ["Host: h", "X-Forwarded-Proto: HTTPS, http"], "443"],
  [true, ["Host: h", "X-Forwarded-Proto: ,https"], "443"],
  [true, ["Host: h:8443", "X-Forwarded-Proto: https"], "8443"],
  [true, ["Host: h:1", "X-Forwarded-Host: o:2"], "2"],
  [true, ["Host: h:1", "X-Forwarded-Host: o, p:2", "X-Forwarded-Proto: https"], "443"],
  [true, ["Host: h:1", "X_Forwarded_Port: 9"], "1"],
  [true, ["Host: h:1", "Connection: X-Forwarded-Port", "X-Forwarded-Port: 9"], "1"],
]
test.each(ports)(
  "the port that a client connected to, trusted %p, %j: %s",
  (trusted, lines, port) => {
    const text = written(request("GET / HTTP/1.1", ...lines), planOf(trusted))
    const said = text.split("\r\n").filter((line) => /^x-forwarded-port:/i.test(line))
    expect(said).toEqual([`X-Forwarded-Port: ${port}`])
  },
)

test("Via is added when it is wanted, with the version that came", () => {
  const plan = planOf(false, { via: true })
  for (const version of ["1.0", "1.1"]) {
    const text = written(request(`GET / HTTP/${version}`, "Host: h", "Via: 1.0 p"), plan)
    expect(text).toContain("\r\nVia: 1.0 p\r\n")
    expect(text).toEndWith(`\r\nVia: ${version} bunlb\r\nBunlb-Hops: 1\r\n\r\n`)
  }
})

test("hops are counted up from what came", () => {
  const text = written(request("GET / HTTP/1.1", "Host: h", "bunlb-hops: 3", "Bunlb_Hops: 5"))
  expect(text).toEndWith("\r\nBunlb-Hops: 4\r\n\r\n")
  expect(text.match(/hops/gi)).toHaveLength(1)
})

test("an id that is kept passes, any other is replaced", () => {
  const text = request("GET / HTTP/1.1", "Host: h", "x-request-id: theirs")
  expect(written(text, planOf(false), ofClient, 0)).toContain("\r\nx-request-id: theirs\r\n")
  expect(written(text, planOf(true), ofClient, 1)).not.toContain("theirs")
})
