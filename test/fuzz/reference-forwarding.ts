/**
 * What becomes of a head on its way (RFC 9110 section 7.6): which fields end here, which are added, in text.
 */
import { nominatedBy, type Field } from "./reference-fields.ts"
import type { RequestFacts } from "./reference-request.ts"
import type { ResponseFacts } from "./reference-response.ts"

const hopByHop = ["connection", "keep-alive", "proxy-connection", "te", "http2-settings"]
const framing = ["transfer-encoding", "content-length"]
const notInTrailers = [
  ["age", "cache-control", "date", "expires", "location", "pragma", "range", "retry-after"],
  ["vary", "warning", "if-match", "if-modified-since", "if-none-match", "if-range"],
  ["if-unmodified-since", "accept", "accept-charset", "accept-encoding", "accept-language"],
  ["accept-ranges", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization"],
  ["set-cookie", "set-cookie2", "content-disposition", "content-encoding", "content-language"],
  ["content-location", "content-range", "content-security-policy", "content-type", "trailer"],
  ["http-method", "x-http-method", "x-http-method-override", "x-method-override"],
  ["x-original-host", "x-original-url", "x-rewrite-url"],
].flat()
const origin = ["x-forwarded-for", "x-real-ip"]
const believed = [
  ["x-forwarded-proto", "x-forwarded-host", "x-request-id", "forwarded", "x-forwarded-port"],
  ["x-forwarded-prefix", "x-forwarded-server", "x-forwarded-scheme", "x-forwarded-ssl"],
  ["x-forwarded-by"],
].flat()
const others = ["host", "upgrade", "expect", "cookie", "authorization", "max-forwards"]
const harmless = ["via", "www-authenticate", "traceparent", "tracestate"]
const known = [...hopByHop, ...framing, ...origin, ...believed, ...others, ...harmless]

/** Spelled with `_` or `.` where a name that bunlb knows has `-`. */
function isAlias(name: string): boolean {
  const plain = name.replace(/[_.]/g, "-")
  return plain !== name && known.includes(plain)
}

export function mayPassInTrailer(name: string): boolean {
  const lower = name.toLowerCase()
  const plain = lower.replace(/[_.]/g, "-")
  return !known.includes(plain) && !notInTrailers.includes(plain)
}

export interface Peer {
  readonly address: string
  readonly trusted: boolean
  /** A Forwarded field is added (RFC 7239). */
  readonly forwardedField: boolean
}

/** The head as the backend gets it, with `{id}` for the request id when it is made here. */
export function forwardedRequest(facts: RequestFacts, peer: Peer, ownHost: string): string {
  const { fields, absolutePath, host } = facts
  const rewritten = absolutePath !== null || !has(fields, "host")
  const dropped = [...hopByHop, ...origin, ...nominatedBy(fields), "transfer-encoding", "upgrade"]
  if (!peer.trusted) dropped.push(...believed)
  if (!facts.expectsContinue) dropped.push("expect")
  if (rewritten) dropped.push("host")
  const { maxForwards } = facts
  if (maxForwards !== null && maxForwards > 0) dropped.push("max-forwards")
  const expectation = fields.find(([name, value]) => isExpectation(name, value))
  const kept = fields.filter((field) => {
    const lower = field[0].toLowerCase()
    if (lower === "expect" && field !== expectation) return false
    return !dropped.includes(lower) && !isAlias(lower)
  })
  const lines = [`${facts.method} ${forwardedTarget(facts)} HTTP/1.1`]
  if (rewritten) lines.push(`Host: ${host ?? ownHost}`)
  lines.push(...kept.map(([name, value]) => `${name}: ${value}`))
  if (maxForwards !== null && maxForwards > 0) lines.push(`Max-Forwards: ${maxForwards - 1}`)
  if (facts.chunked) lines.push("Transfer-Encoding: chunked")
  if (facts.expectsContinue && expectation === undefined) lines.push("Expect: 100-continue")
  if (facts.upgrade !== null) lines.push("Connection: Upgrade", `Upgrade: ${facts.upgrade}`)
  return [...lines, ...originLines(facts, peer), "", ""].join("\r\n")
}

/** The one line that goes on as it came. */
function isExpectation(name: string, value: string): boolean {
  return /^expect$/i.test(name) && /^100-continue$/i.test(value)
}

function forwardedTarget({ target, absolutePath, method }: RequestFacts): string {
  if (absolutePath === null) return target
  if (absolutePath === "") return method === "OPTIONS" ? "*" : "/"
  return absolutePath.startsWith("/") ? absolutePath : `/${absolutePath}`
}

function originLines({ fields, host, minor }: RequestFacts, peer: Peer): string[] {
  const { address, trusted } = peer
  const nominated = nominatedBy(fields)
  const counting = fields.filter(([name]) => !nominated.includes(name.toLowerCase()))
  const said = (name: string): string[] =>
    trusted
      ? counting.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
      : []
  const chain = said("x-forwarded-for").join(", ")
  const lines = [
    `X-Forwarded-For: ${chain === "" ? address : `${chain}, ${address}`}`,
    `X-Real-IP: ${chain === "" ? address : `client of ${chain}`}`,
  ]
  if (said("x-forwarded-proto").length === 0) lines.push("X-Forwarded-Proto: http")
  if (peer.forwardedField) lines.push(`Forwarded: for=${nodeOf(address)};proto=http`)
  if (host !== null && said("x-forwarded-host").length === 0) {
    lines.push(`X-Forwarded-Host: ${host}`)
  }
  if (said("x-request-id").length === 0) lines.push("X-Request-Id: {id}")
  return [...lines, `Via: 1.${minor} bunlb`]
}

/** RFC 7239 section 6. */
function nodeOf(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address
}

function has(fields: readonly Field[], name: string): boolean {
  return fields.some(([each]) => each.toLowerCase() === name)
}

/** The head as the client gets it. `connection` is what this hop says of itself, if anything. */
export function forwardedResponse(
  facts: ResponseFacts,
  dechunked: boolean,
  connection: string | null,
): string {
  const { status, fields } = facts
  const dropped = [...hopByHop, ...nominatedBy(fields)]
  if (status !== 101 && status !== 426) dropped.push("upgrade")
  if (dechunked || status < 200 || status === 204) dropped.push("transfer-encoding")
  if (status < 200 || status === 204) dropped.push("content-length")
  const length = fields.findIndex(([name]) => /^content-length$/i.test(name))
  const kept = fields.filter(([name], index) => {
    const again = /^content-length$/i.test(name) && index !== length
    return !again && !dropped.includes(name.toLowerCase())
  })
  // The space is there even where no reason follows it: RFC 9112 section 4.
  const statusText = facts.statusText.padEnd(" 200 ".length)
  const lines = [`HTTP/1.1${statusText}`, ...kept.map(([name, value]) => `${name}: ${value}`)]
  if (connection !== null) lines.push(`Connection: ${connection}`)
  return [...lines, "", ""].join("\r\n")
}
