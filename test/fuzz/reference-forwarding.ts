/**
 * What becomes of a head on its way (RFC 9110 section 7.6): which fields end here, which are added, in text.
 */
import { listOf, nominatedBy, valuesOf, type Field } from "./reference-fields.ts"
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
const kin = [
  ["forwarded", "x-forwarded", "x-original-forwarded-for", "x-original-host", "x-original-proto"],
  ["client-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-real-port"],
  ["x-remote-ip", "x-remote-addr", "x-remote-user", "remote-user", "x-originating-ip"],
  ["cf-connecting-ip", "cf-connecting-ipv6", "cf-visitor", "do-connecting-ip", "fly-client-ip"],
  ["fastly-client-ip", "fastly-ssl", "x-appengine-user-ip", "x-azure-clientip"],
  ["x-envoy-external-address", "x-envoy-peer-metadata", "x-nf-client-connection-ip"],
  ["proxy-client-ip", "wl-proxy-client-ip", "wl-proxy-ssl", "x-proxyuser-ip"],
  ["real-ip", "forwarded-for", "x-forward-for", "x-true-client-ip", "x-client-port"],
  ["x-remote-host", "x-remote-port", "cf-pseudo-ipv4", "incap-client-ip", "x-sucuri-clientip"],
  ["cloudfront-viewer-address", "cloudfront-forwarded-proto", "x-azure-socketip"],
  [
    "x-vercel-forwarded-for",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "x-arr-ssl",
    "x-arr-clientcert",
  ],
  ["client-cert", "client-cert-chain", "x-client-cert", "ssl-client-cert", "x-ssl-client-cert"],
  ["x-ssl-client-verify", "x-ssl-client-s-dn", "x-ssl-client-dn", "x-ssl-client-cn"],
  ["x-ssl-client-i-dn", "ssl-client-verify", "ssl-client-subject-dn"],
].flat()
/** Kept from anybody, as the settings of these tests say. */
const exceptions = ["client-ip"]

/** Fields that only a trusted proxy may say: those of the list, and any X-Forwarded-*. */
function isBelieved(name: string): boolean {
  return kin.includes(name) || name.startsWith("x-forwarded-")
}
const others = ["host", "upgrade", "expect", "cookie", "authorization", "max-forwards"]
const harmless = ["via", "www-authenticate", "traceparent", "tracestate"]
const own = ["x-request-id", "bunlb-hops"]
const known = [...hopByHop, ...framing, ...origin, ...own, ...others, ...harmless]

/** Spelled with `_` or `.` where a name that bunlb knows has `-`. */
function isAlias(name: string): boolean {
  const plain = name.replace(/[_.]/g, "-")
  return plain !== name && (known.includes(plain) || isBelieved(plain))
}

export function mayPassInTrailer(name: string): boolean {
  const lower = name.toLowerCase()
  const plain = lower.replace(/[_.]/g, "-")
  return !known.includes(plain) && !isBelieved(plain) && !notInTrailers.includes(plain)
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
  dropped.push("bunlb-hops")
  const keepsId = peer.trusted && soundId(fields)
  if (!keepsId) dropped.push("x-request-id")
  if (!facts.expectsContinue) dropped.push("expect")
  if (rewritten) dropped.push("host")
  const { maxForwards } = facts
  if (maxForwards !== null && maxForwards > 0) dropped.push("max-forwards")
  const expectation = fields.find(([name, value]) => isExpectation(name, value))
  const kept = fields.filter((field) => {
    const lower = field[0].toLowerCase()
    if (lower === "expect" && field !== expectation) return false
    const claimed = !peer.trusted && isBelieved(lower) && !exceptions.includes(lower)
    return !claimed && !dropped.includes(lower) && !isAlias(lower)
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

/** One id that may be kept. */
function soundId(fields: readonly Field[]): boolean {
  const nominated = nominatedBy(fields)
  const ids = nominated.includes("x-request-id") ? [] : valuesOf(fields, "x-request-id")
  return ids.length === 1 && /^[-\w.~:/+=@]{1,200}$/.test(ids[0] ?? "")
}

/** The first from the right that is no proxy (9...), as far as there are addresses. */
function clientOf(members: readonly string[], peer: string): string {
  let client = peer
  for (const member of members.toReversed()) {
    if (member.charCodeAt(0) > 64) break
    client = member
    if (!member.startsWith("9")) break
  }
  return client
}

function originLines({ fields, host, minor, hops }: RequestFacts, peer: Peer): string[] {
  const { address, trusted } = peer
  const nominated = nominatedBy(fields)
  const counting = fields.filter(([name]) => !nominated.includes(name.toLowerCase()))
  const said = (name: string): string[] =>
    trusted
      ? counting.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
      : []
  const chain = said("x-forwarded-for").length === 0 ? [] : listOf(counting, "x-forwarded-for")
  const lines = [
    `X-Forwarded-For: ${[...chain, address].join(", ")}`,
    `X-Real-IP: ${clientOf(chain, address)}`,
  ]
  if (said("x-forwarded-proto").length === 0) lines.push("X-Forwarded-Proto: http")
  if (peer.forwardedField) lines.push(`Forwarded: for=${nodeOf(address)};proto=http`)
  if (said("x-forwarded-port").length === 0) {
    const [asked = host] = said("x-forwarded-host")
    const [, port] = /:([0-9]+)$/.exec(asked?.split(",")[0]?.replace(/[ \t]+$/, "") ?? "") ?? []
    const secure = /^[ \t,]*https[ \t]*(,|$)/i.test(said("x-forwarded-proto")[0] ?? "")
    const standard = secure ? "443" : "80"
    lines.push(`X-Forwarded-Port: ${port ?? (asked === null ? "8080" : standard)}`)
  }
  if (host !== null && said("x-forwarded-host").length === 0) {
    lines.push(`X-Forwarded-Host: ${host}`)
  }
  if (!(trusted && soundId(fields))) lines.push("X-Request-Id: {id}")
  // The settings of these tests want Via where they want Forwarded.
  if (peer.forwardedField) lines.push(`Via: 1.${minor} bunlb`)
  return [...lines, `Bunlb-Hops: ${hops + 1}`]
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
