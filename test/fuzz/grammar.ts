/**
 * Messages by chance: mostly what honest software writes, with the words that parsers stumble over mixed in. All
 * text is one character a byte. What a message claims about its body is often true and sometimes not.
 */
import type { Rng } from "../support/until.ts"

type Words = readonly [string, ...string[]]

/** True once in `times`. */
export function rarely(chance: Rng, times: number): boolean {
  return chance.between(1, times) === 1
}

const methods: Words = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"]
const oddMethods: Words = ["TRACE", "PATCH", "get", "M-SEARCH", "CONNECT", "connect", "PRI", "G(T"]
const paths: Words = [
  "/",
  "/a",
  "/a/b?c=d",
  "/%2e%2e/a",
  "//a",
  "/a/../b",
  "/;x=1/a|b",
  "/?",
  "/a\\b",
]
const oddTargets: Words = [
  "*",
  "a/b",
  "?a",
  "/a#b",
  "h:80",
  "http://h/p?q",
  "HTTP://h:8080",
  "https://h?x",
  "http://h:99999/",
  "http://u@h/",
  "http:///a",
  "http://[::1]:80/a",
  "ftp://h/",
  "/a\x80",
  "",
  "http://h:80",
]
const versions: Words = ["HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1"]
const oddVersions: Words = [
  "HTTP/1.1 ",
  " HTTP/1.1",
  "HTTP/11",
  "HTTP/1.10",
  "HTTP/1,1",
  "HTTP/9.9",
]
const hosts: Words = ["h", "h.example:80", "H.", "127.0.0.1:8080", "[::1]", "[::1]:443"]
const oddHosts: Words = [
  "",
  "h:x",
  "h:",
  "u@h",
  "h, h",
  "h/",
  "h:65536",
  "h h",
  "[::1",
  "[]",
  "%41",
]
const lengths: Words = [
  "+5",
  ...["-1", "0x5", "5 5", "5, 5", "", "5_0", "05", "9007199254740993", "5;"],
  ...["5 ,05", "000", "5,", "5, 6", "\t5"],
]
const codings: Words = [
  "chunked",
  "Chunked",
  "xchunked",
  "chunked, identity",
  "identity",
  "gzip, chunked",
  "gzip",
  "chunked, chunked",
  "chunked;q=1",
  "chunked,",
  " ,\tchunked , ",
  "\x0bchunked",
  "x",
  "",
  '"chunked"',
]
const options: Words = [
  "close",
  "keep-alive",
  "Close",
  "Keep-Alive",
  "upgrade",
  "X-Hop",
  "x-forwarded-for",
  "Host",
  "Content-Length",
  "transfer-encoding",
  "Cookie",
  "via",
  "expect",
  "",
  "authorization",
  "max-forwards",
  "x-request-id",
  "bunlb-hops",
]
const plain: Words = [
  "Accept: */*",
  "User-Agent: x/1",
  "X-Hop: 1",
  "Cookie: a=b",
  "A:",
  "B: \t c \t",
]

const special: Words = [
  "TE: trailers",
  "Keep-Alive: timeout=5",
  "Proxy-Connection: close",
  "HTTP2-Settings: AAA",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Upgrade: a, b",
  "Connection: Upgrade",
  "Expect: 100-continue",
  "Expect: 100-Continue",
  "Expect: x",
  "Expect: 100-continue, 100-CONTINUE",
  "Expect: ,100-continue ,",
  "Expect: 100-continue;",
  "Expect:",
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-For: 5.6.7.8, 9.9.9.9",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: other",
  "X-Real-IP: 1.1.1.1",
  "X-Request-Id: abc",
  "Forwarded: for=1.2.3.4",
  "X-Forwarded-For: 1.2.3.4, ,",
  "X-Forwarded-For: ,, 5.6.7.8:1, junk ,9.1.1.1",
  "X-Forwarded-Proto: https, http",
  "X-Forwarded-Host: [::1]:8443, other",
  "X-Forwarded-Port: 1",
  "X-Forwarded-User: admin",
  "X-Forwarded-A-Name-Of-More-Than-Thirty-One-Letters: x",
  "X_Forwarded-Email: a",
  "Client-IP: 1.1.1.1",
  "True_Client_IP: 1.1.1.1",
  "X-Request-Id: a b",
  "Bunlb-Hops: 3",
  "Bunlb-Hops: 9",
  "Bunlb-Hops: x",
  "X_Forwarded_For: 6.6.6.6",
  "X.Real.IP: 6.6.6.6",
  "Content_Length: 7",
  "Transfer_Encoding: chunked",
  "Via: 1.1 other, 1.0 bunlb",
  `Via: ${"1.1 bunlb, ".repeat(8)}1.1 x`,
  `Via: ${"HTTP/1.1 Bunlb (c),".repeat(9)}`,
  "Authorization: Basic x",
  "Authorization: NTLM x",
  "Authorization: Digest a, Negotiate",
  "WWW-Authenticate: NTLM",
  "Max-Forwards: 0",
  "Max-Forwards: 7",
  "Max-Forwards: 4294967297",
  "max-forwards: +1",
  "Max_Forwards: 0",
  "Close: x",
  "Set-Cookie: a=b",
]

/** The lines of a request head as they go out, without their ends. */
function requestLines(chance: Rng, framing: readonly string[]): string[] {
  const method = rarely(chance, 12) ? oddMethod(chance) : chance.pick(methods)
  const target = rarely(chance, 6) ? chance.pick(oddTargets) : chance.pick(paths)
  const version = rarely(chance, 8)
    ? chance.pick(rarely(chance, 3) ? oddVersions : versions)
    : "HTTP/1.1"
  const lines = [...framing]
  if (!rarely(chance, 20)) lines.push(`Host: ${chance.pick(rarely(chance, 15) ? oddHosts : hosts)}`)
  if (rarely(chance, 25)) lines.push(`Host: ${chance.pick(hosts)}`)
  lines.push(...fieldLines(chance))
  return [`${method} ${target} ${version}`, ...shuffled(chance, lines)]
}

function oddMethod(chance: Rng): string {
  return rarely(chance, 6) ? "M".repeat(chance.between(30, 35)) : chance.pick(oddMethods)
}

function fieldLines(chance: Rng): string[] {
  const lines: string[] = []
  for (let count = chance.between(0, 5); count > 0; count--) {
    const kind = chance.between(1, 6)
    if (kind <= 3) lines.push(chance.pick(plain))
    else if (kind <= 5) lines.push(chance.pick(special))
    else lines.push(`Connection: ${list(chance, options)}`)
  }
  if (rarely(chance, 60)) lines.push(...Array.from({ length: 12 }, (_, index) => `N${index}: x`))
  if (rarely(chance, 60)) lines.push(`Long: ${"x".repeat(chance.between(400, 900))}`)
  return lines
}

function list(chance: Rng, words: Words): string {
  const separator = chance.pick([",", ", ", " ,\t"])
  return Array.from({ length: chance.between(1, 3) }, () => chance.pick(words)).join(separator)
}

function shuffled(chance: Rng, lines: readonly string[]): string[] {
  return lines
    .map((line) => ({ line, rank: chance.next() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ line }) => line)
}

/** A body with the lines that frame it. */
interface Framed {
  readonly lines: readonly string[]
  readonly body: string
}

function framed(chance: Rng): Framed {
  const kind = chance.between(1, 12)
  if (kind <= 5) return { lines: [], body: "" }
  const data = dataOf(chance)
  if (kind <= 7) return { lines: [`Content-Length: ${data.length}`], body: data }
  if (kind <= 10) return { lines: ["Transfer-Encoding: chunked"], body: chunkedBody(chance) }
  const lines: string[] = []
  for (let count = chance.between(1, 2); count > 0; count--) {
    const coding = chance.next() < 0.5
    if (coding) lines.push(`Transfer-Encoding: ${chance.pick(codings)}`)
    else lines.push(`Content-Length: ${rarely(chance, 3) ? data.length : chance.pick(lengths)}`)
  }
  return { lines, body: chance.next() < 0.5 ? data : chunkedBody(chance) }
}

/** Text that looks like the end of something. */
const traps: Words = [
  "0\r\n\r\n",
  "\r\n\r\n",
  "GET / HTTP/1.1\r\n",
  "HTTP/1.1 200 OK\r\n\r\n",
  "\n",
]

function dataOf(chance: Rng): string {
  if (rarely(chance, 4)) return chance.pick(traps)
  return chance.bytes(chance.between(0, 30)).toString("latin1")
}

const extensions: Words = [
  ";a",
  ...[";a=b", ';a="b c"', "; ;", ";\x80", ";", " ;a", "\t ; a = b", " ", ";\n"],
]
const trailers: Words = [
  "A: b",
  "Via: 1.1 x",
  "Content-Length: 5",
  "Host: x",
  "Transfer-Encoding: chunked",
  "X_Real_IP: 1",
  "Trailer_x: 1",
  "Www_Authenticate: x",
  "Cookie: a",
  "Content_Encoding: gzip",
  "Proxy-Authorization: x",
  "traceparent: 00",
  "Content-Digest: x",
]

export function chunkedBody(chance: Rng): string {
  let body = ""
  for (let count = chance.between(0, 3); count > 0; count--) {
    const data = dataOf(chance)
    if (data.length > 0) body += `${sizeOf(chance, data.length)}\r\n${data}\r\n`
  }
  const last = rarely(chance, 6) ? "000" : "0"
  const lines = rarely(chance, 3)
    ? Array.from({ length: chance.between(1, 3) }, () => `${chance.pick(trailers)}\r\n`)
    : []
  const flood = rarely(chance, 80) ? "F: x\r\n".repeat(chance.between(30, 34)) : ""
  const bulk = rarely(chance, 80) ? `G: ${"x".repeat(chance.between(8160, 8200))}\r\n` : ""
  const extension = rarely(chance, 8) ? extensionOf(chance) : ""
  return `${body}${last}${extension}\r\n${lines.join("")}${flood}${bulk}\r\n`
}

function sizeOf(chance: Rng, size: number): string {
  const digits = size.toString(16)
  const shape = chance.between(1, 12)
  if (shape === 1) return `0x${digits}`
  if (shape === 2) return digits.padStart(chance.between(2, 18), "0")
  if (shape === 3) return digits.toUpperCase()
  if (shape === 4) return `${digits}${extensionOf(chance)}`
  if (shape === 5 && rarely(chance, 4))
    return chance.pick([`${digits} `, "", "-1", "+1", "fffffffffffffff"])
  return digits
}

function extensionOf(chance: Rng): string {
  return rarely(chance, 12) ? `;${"e".repeat(chance.between(1020, 1026))}` : chance.pick(extensions)
}

/** A request with what may be its body. */
export function request(chance: Rng): string {
  const { lines, body } = framed(chance)
  const empty = rarely(chance, 20) ? "\r\n".repeat(chance.between(1, 3)) : ""
  return `${empty}${requestLines(chance, lines).join("\r\n")}\r\n\r\n${body}`
}

const statuses: Words = [
  "200 OK",
  "200 OK",
  "200 OK",
  "404 Not Found",
  "304 Not Modified",
  "204 No Content",
]
const oddStatuses: Words = [
  "200",
  "200 ",
  "100 Continue",
  "103 x",
  "101 x",
  "999 x",
  "099 x",
  "20 x",
  "2000 x",
]

/** A response with what may be its body. */
export function response(chance: Rng): string {
  const { lines, body } = framed(chance)
  const status = rarely(chance, 5) ? chance.pick(oddStatuses) : chance.pick(statuses)
  const version = rarely(chance, 6)
    ? chance.pick(["HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "ICY", "http/1.1"])
    : "HTTP/1.1"
  const fields = shuffled(chance, [...lines, ...fieldLines(chance)])
  return `${[`${version} ${status}`, ...fields].join("\r\n")}\r\n\r\n${body}`
}
