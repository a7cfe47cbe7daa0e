/**
 * The requests: attacks by hand, from the scenarios and the published flaws behind them, and as many by the fuzzers'
 * grammar. Every one leaves in one write on its own connection.
 */
import { request } from "../../test/fuzz/grammar.ts"
import { mutated } from "../../test/fuzz/mutation.ts"
import { rng } from "../../test/support/until.ts"
import { framingAttacks, get, head, post } from "./framing-attacks.ts"

export interface RawCase {
  readonly name: string
  readonly text: string
}

const GENERATED = 400
const SEED = 9112

export function requestCases(): RawCase[] {
  const chance = rng(SEED)
  const generated = Array.from({ length: GENERATED }, (_, index) => ({
    name: `generated ${index}`,
    text: mutated(request(chance), chance, request(chance)),
  }))
  return [...attacks(), ...generated]
}

function attacks(): RawCase[] {
  const ofLine = (line: string): string => head(line)
  return [
    ...framingAttacks.flatMap(([name, texts]) => named(name, texts)),
    ...named("plain", plain),
    ...named("version", versions.map((version) => `GET /a ${version}`).map(ofLine)),
    ...named("line", startLines.map(ofLine)),
    ...named("method", methods.map((method) => `${method} /a HTTP/1.1`).map(ofLine)),
    ...named("target", targets.map((target) => `GET ${target} HTTP/1.1`).map(ofLine)),
    ...named(
      "host",
      hosts.map((line) => `GET /a HTTP/1.1\r\n${line}\r\n\r\n`),
    ),
    ...named(
      "field",
      fields.map((line) => get(line)),
    ),
    ...named(
      "byte in a value",
      bytes.map((byte) => get(`A: b${byte}c`)),
    ),
    ...named(
      "byte in a name",
      bytes.map((byte) => get(`A${byte}b: c`)),
    ),
    ...named(
      "connection",
      connections.map((value) => get(`Connection: ${value}`, "X-Hop: 1")),
    ),
    ...named("expect", expectations),
    ...named("max-forwards", hops),
    ...named("upgrade", upgrades),
    ...named("size", sizes),
  ]
}

function named(name: string, texts: readonly string[]): RawCase[] {
  return texts.map((text, index) => ({ name: `${name} ${index}`, text }))
}

const plain = [
  get(),
  get("Accept: */*", "Cookie: a=b"),
  get() + get(),
  `${post("hello", "Content-Length: 5")}${get()}`,
  post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
  head("HEAD /a HTTP/1.1"),
  head("DELETE /a HTTP/1.1", "Content-Length: 3") + "abc",
  `${head("GET /a HTTP/1.1", "Content-Length: 3")}abc${get()}`,
  head("OPTIONS * HTTP/1.1"),
  head("GET /a HTTP/1.0"),
  `\r\n${get()}`,
  `\r\n\r\n${get()}`,
  `\r\n\r\n\r\n\r\n${get()}`,
  `\n${get()}`,
]
const versions = [
  ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/1.10"],
  ["HTTP/01.1", "HTTP/1.01", "http/1.1", "Http/1.1", "HTTP/1", "HTTP/11", "HTTP/1.1.1", "HTTP/1,1"],
  [
    "HTTP /1.1",
    "HTTP/ 1.1",
    "HTTP/1.1 ",
    " HTTP/1.1",
    "\tHTTP/1.1",
    "HTTP/1.1x",
    "HTP/1.1",
    "",
    "X",
  ],
].flat()
const hops = ["0", "1", "007", "-1", "1, 2", "x", "1\r\nMax-Forwards: 1"].flatMap((value) =>
  ["OPTIONS", "TRACE"].map((method) => head(`${method} /a HTTP/1.1`, `Max-Forwards: ${value}`)),
)
const startLines = [
  "GET /a",
  "GET",
  "",
  " GET /a HTTP/1.1",
  "GET\t/a\tHTTP/1.1",
  "GET  /a HTTP/1.1",
  "GET /a  HTTP/1.1",
  "GET /a b HTTP/1.1",
  "GET /a\tb HTTP/1.1",
  "GET /a HTTP/1.1\rX",
  "GET /a\x0bHTTP/1.1",
  "GET\x0b/a HTTP/1.1",
  "GET\xa0/a HTTP/1.1",
  "\x00GET /a HTTP/1.1",
  "GET /a HTTP/1.1\x00",
]
const methods = [
  [
    "get",
    "Get",
    "PATCH",
    "PROPFIND",
    "M-SEARCH",
    "FOO_BAR",
    "G",
    "G1",
    "X!",
    "G@T",
    "G(T",
    "G\x7fT",
    "G\xe9T",
  ],
  [
    "CONNECT",
    "connect",
    "TRACE",
    "PRI",
    "M".repeat(32),
    "M".repeat(33),
    "M".repeat(200),
    '"GET"',
    "G:T",
  ],
].flat()
const targets = [
  [
    "/",
    "//",
    "///a",
    "/.",
    "/..",
    "/../a",
    "/a/..",
    "/a/../..",
    "/%2e%2e/a",
    "/a/%2e%2e/%2e%2e/b",
    "/..;/a",
  ],
  [
    "/%2F",
    "/%00",
    "/%",
    "/%4",
    "/%zz",
    "/a%0d%0ab",
    "/a\\..\\b",
    "/\\",
    "/a;b=c",
    "/a|b",
    "/a{b}",
    "/a^b`c",
  ],
  [
    '/a"b',
    "/a<b>",
    "/a'b",
    "/a#b",
    "/a?#b",
    "/#",
    "/a?b#c",
    "/a?b?c",
    "/a?b c",
    "/a\x7f",
    "/\x80",
    "/\xff",
  ],
  [
    "/a\x01",
    "/a\x00b",
    "*",
    "a",
    "?a",
    "?",
    ".",
    "@h",
    "h:80",
    "h",
    "http://h/a",
    "http://h",
    "http://h?a",
  ],
  [
    "http://other/a",
    "HTTP://h/a",
    "https://h/a",
    "ftp://h/a",
    "http:/a",
    "http:a",
    "http://",
    "http:///a",
  ],
  [
    "http://u@h/a",
    "http://u:p@h/a",
    "http://h:80/a",
    "http://h:/a",
    "http://h:x/a",
    "http://h:99999/a",
  ],
  ["http://[::1]/a", "http://[::1/a", "http://h/a#b", "http://h\\a", "http://h\x00/a", "x://h/a"],
].flat()
const hosts = [
  "A: b",
  "Host:",
  "Host: ",
  "Host: h\r\nHost: h",
  "Host: h\r\nHost: i",
  "Host: h\r\nhost: h",
  "Host: h, i",
  "Host: h i",
  "Host: h:",
  "Host: h:80",
  "Host: h:x",
  "Host: h:-1",
  "Host: h:65535",
  "Host: h:65536",
  "Host: h:080",
  "Host: h:80:80",
  "Host: u@h",
  "Host: h/a",
  "Host: h?a",
  "Host: h#a",
  "Host: http://h",
  "Host: [::1]",
  "Host: [::1]:80",
  "Host: [::1",
  "Host: ::1",
  "Host: [h]",
  "Host: []",
  "Host: h.",
  "Host: .h",
  "Host: h..i",
  "Host: H",
  "Host: -h",
  "Host: h_i",
  "Host: h%41",
  "Host: h\x00",
  "Host: h\xe9",
  "Host: h\\i",
  "Host: h;i",
  "Host: h!i",
  "Host: h'i",
  "Host: (h)",
  "Host : h",
  " Host: h",
  "Ho\x00st: h",
]
const fields = [
  ": b",
  "A",
  "A b",
  "A : b",
  "A\t: b",
  " A: b",
  "\tA: b",
  "A: b\r\n c",
  "A: b\r\n\tc",
  "A: b\r\n \r\nC: d",
  "A:b",
  "A:",
  "A::b",
  "A_b: c",
  "A.b: c",
  "A b: c",
  "A(b): c",
  "A/b: c",
  "A@b: c",
  "A;b: c",
  "A=b: c",
  '"A": c',
  "\xe9: c",
  "A: \xe9",
  "A: b\x7fc",
  "X-Forwarded-For: 1.2.3.4",
  "X_Forwarded_For: 1.2.3.4",
  "X.Forwarded.For: 1.2.3.4",
  "Via: 1.1 bunlb",
  "Proxy: http://evil",
  "Trailer: Host",
  "TE: trailers",
  "Max-Forwards: 0",
]
const bytes = [
  "\x00",
  "\x01",
  "\x08",
  "\x0a",
  "\x0b",
  "\x0c",
  "\x0d",
  "\x1f",
  "\x7f",
  "\x80",
  "\xff",
  "\x20",
]
const connections = [
  "close",
  "keep-alive",
  "X-Hop",
  "close, X-Hop",
  "Host",
  "Content-Length",
  "X-Forwarded-For",
  "Cookie, Authorization",
  "",
  ",",
  "close close",
  "upgrade",
  "X-Hop,\tX-Hop",
  "(",
]
const expectations = [
  ...[
    ...["100-continue", "100-Continue", "x", "100-continue, x", "", "200-ok", ","],
    ...["100-continue, 100-continue", "100-continue,", ", 100-continue"],
  ].map((value) => post("hello", "Content-Length: 5", `Expect: ${value}`)),
  get("Expect: 100-continue"),
  post("", "Content-Length: 0", "Expect: 100-continue"),
  post("hello", "Content-Length: 5", "Expect: 100-continue", "Expect: 100-continue"),
  `POST /a HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello`,
]
const upgrades = [
  get(
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: x",
    "Sec-WebSocket-Version: 13",
  ),
  get(
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
  ),
  get("Connection: Upgrade", "Upgrade: a, b"),
  get("Upgrade: websocket"),
  get("Connection: Upgrade", "Upgrade: websocket") + get(),
  post("hello", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5"),
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
  "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nContent-Length: 5\r\n\r\nhello",
  "GET h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
const sizes = [
  head(`GET /${"a".repeat(8000)} HTTP/1.1`),
  head(`GET /${"a".repeat(8192)} HTTP/1.1`),
  get(`A: ${"b".repeat(8000)}`),
  get(`A: ${"b".repeat(15_000)}`),
  get(`A: ${"b".repeat(17_000)}`),
  get(`${"A".repeat(300)}: b`),
  get(`${"A".repeat(10_000)}: b`),
  get(...Array.from({ length: 98 }, (_, index) => `A${index}: b`)),
  get(...Array.from({ length: 101 }, (_, index) => `A${index}: b`)),
  get(...Array.from({ length: 1000 }, (_, index) => `A${index}: b`)),
]
