/**
 * The field names that bunlb acts on, told apart by length and bytes. Every other field is passed on as it came.
 */
import { ascii, foldsTo } from "./bytes.ts"

/** The kind of a field. `PLAIN` fields pass; all others have a rule of their own. */
export const PLAIN = 0
export const HOST = 1
export const CONNECTION = 2
/** Hop by hop, always dropped: Keep-Alive, Proxy-Connection, TE, HTTP2-Settings. */
export const HOP_BY_HOP = 3
export const TRANSFER_ENCODING = 4
export const CONTENT_LENGTH = 5
export const UPGRADE = 6
export const EXPECT = 7
export const FORWARDED_FOR = 8
export const FORWARDED_PROTO = 9
export const FORWARDED_HOST = 10
/** Other fields that claim to say where a request came from: Forwarded, any X-Forwarded-*, X-Client-IP ... */
export const FORWARDED_OTHER = 11
export const REAL_IP = 12
export const REQUEST_ID = 13
export const VIA = 14
export const COOKIE = 15
export const AUTHORIZATION = 16
export const AUTHENTICATE = 17
/** Named by Connection, so meant for this hop only (RFC 9110 section 7.6.1). */
export const NOMINATED = 18
/** A known name spelled with `_` or `.`: a careless receiver would take it for the real one. */
export const ALIAS = 19
export const MAX_FORWARDS = 20
/** Of a distributed trace (W3C Trace Context). */
export const TRACEPARENT = 21
export const TRACESTATE = 22
export const FORWARDED_PORT = 23
/** How many bunlbs a request has passed. */
export const HOPS = 24

interface Known {
  readonly name: Uint8Array
  readonly kind: number
}

const LONGEST_NAME = 31
const nobody: readonly Known[] = []

/** Known names by length and first letter, so that most other fields are told apart by one array read. */
const byShape: (readonly Known[])[] = new Array((LONGEST_NAME + 1) * 32).fill(nobody)

/** Letters differ in their low five bits, whatever their case. */
function shapeOf(length: number, first: number): number {
  return length * 32 + (first & 31)
}

function know(kind: number, ...names: string[]): void {
  for (const name of names) {
    const shape = shapeOf(name.length, name.charCodeAt(0))
    byShape[shape] = [...byShape[shape], { name: ascii(name), kind }]
  }
}

know(HOST, "host")
know(CONNECTION, "connection")
know(HOP_BY_HOP, "keep-alive", "proxy-connection", "te", "http2-settings")
know(TRANSFER_ENCODING, "transfer-encoding")
know(CONTENT_LENGTH, "content-length")
know(UPGRADE, "upgrade")
know(EXPECT, "expect")
know(FORWARDED_FOR, "x-forwarded-for")
know(FORWARDED_PROTO, "x-forwarded-proto")
know(FORWARDED_HOST, "x-forwarded-host")
know(FORWARDED_PORT, "x-forwarded-port")
know(
  FORWARDED_OTHER,
  ...[
    "forwarded",
    "x-forwarded",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-proto",
  ],
  ...["client-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-real-port"],
  ...["x-remote-ip", "x-remote-addr", "x-remote-user", "remote-user", "x-originating-ip"],
  ...["cf-connecting-ip", "cf-connecting-ipv6", "cf-visitor", "do-connecting-ip", "fly-client-ip"],
  ...["fastly-client-ip", "fastly-ssl", "x-appengine-user-ip", "x-azure-clientip"],
  ...["x-envoy-external-address", "x-envoy-peer-metadata", "x-nf-client-connection-ip"],
  ...["proxy-client-ip", "wl-proxy-client-ip", "wl-proxy-ssl", "x-proxyuser-ip"],
  ...["real-ip", "forwarded-for", "x-forward-for", "x-true-client-ip", "x-client-port"],
  ...["x-remote-host", "x-remote-port", "cf-pseudo-ipv4", "incap-client-ip", "x-sucuri-clientip"],
  ...["cloudfront-viewer-address", "cloudfront-forwarded-proto", "x-azure-socketip"],
  ...["x-vercel-forwarded-for", "x-scheme", "x-url-scheme", "front-end-https", "x-arr-ssl"],
  ...["client-cert", "client-cert-chain", "x-client-cert", "ssl-client-cert", "x-ssl-client-cert"],
  ...["x-ssl-client-verify", "x-ssl-client-s-dn", "x-ssl-client-dn", "x-ssl-client-cn"],
  ...["x-ssl-client-i-dn", "x-arr-clientcert", "ssl-client-verify", "ssl-client-subject-dn"],
)
know(REAL_IP, "x-real-ip")
know(REQUEST_ID, "x-request-id")
know(VIA, "via")
know(HOPS, "bunlb-hops")
know(COOKIE, "cookie")
know(AUTHORIZATION, "authorization")
know(AUTHENTICATE, "www-authenticate")
know(MAX_FORWARDS, "max-forwards")
know(TRACEPARENT, "traceparent")
know(TRACESTATE, "tracestate")

/** Whatever comes behind it: applications make up names of their own (-User, -Email, -Client-Cert). */
const X_FORWARDED = ascii("x-forwarded-")

const UNDERSCORE = 95
const DOT = 46

/** The kind of the field whose name is `bytes[from..to)`. */
export function fieldKind(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from
  if (length <= LONGEST_NAME) {
    const known = byShape[shapeOf(length, bytes[from])]
    for (let i = 0; i < known.length; i++) {
      if (foldsTo(bytes, from, known[i].name)) {
        return hasAliasByte(bytes, from, to) ? ALIAS : known[i].kind
      }
    }
  }
  const byPrefix = length >= X_FORWARDED.length && (bytes[from] | 32) === X_FORWARDED[0]
  if (!byPrefix || !foldsTo(bytes, from, X_FORWARDED)) return PLAIN
  return hasAliasByte(bytes, from, to) ? ALIAS : FORWARDED_OTHER
}

function hasAliasByte(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (bytes[i] === UNDERSCORE || bytes[i] === DOT) return true
  }
  return false
}

/** Whether a field of this name, in lower case, may be kept from untrusted clients. */
export function isKeepable(name: string): boolean {
  const bytes = ascii(name)
  return fieldKind(bytes, 0, bytes.length) === FORWARDED_OTHER
}
