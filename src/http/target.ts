/**
 * Request targets (RFC 9112 section 3.2) and authorities (RFC 3986 section 3.2, narrowed to what host names are).
 * A target is forwarded byte for byte; of an absolute one the authority becomes the Host and the rest is sent.
 */
import { COLON, HOST_NAME, IPV6, ascii, foldsTo } from "./bytes.ts"
import { HOST_INVALID, TARGET_FORM } from "./refusal.ts"
import { OPTIONS, type RequestMessage } from "./request-message.ts"

const SLASH = 47
const ASTERISK = 42
const QUESTION = 63
const OPEN = 91
const CLOSE = 93

const schemes = [ascii("http://"), ascii("https://")]

/** Sets `pathStart`, `absolute` and, for an absolute target, the host. Returns 0 or a refusal. */
export function judgeTarget(bytes: Uint8Array, head: RequestMessage): number {
  const from = head.targetStart
  const to = head.targetEnd
  head.pathStart = from
  head.absolute = false
  if (bytes[from] === SLASH) return 0
  if (bytes[from] === ASTERISK) {
    return to === from + 1 && head.method === OPTIONS ? 0 : TARGET_FORM
  }
  const authority = authorityStart(bytes, from, to)
  if (authority < 0) return TARGET_FORM
  let end = authority
  while (end < to && bytes[end] !== SLASH && bytes[end] !== QUESTION) end++
  const hostEnd = authorityEnd(bytes, authority, end)
  if (hostEnd < 0) return HOST_INVALID
  head.hostStart = authority
  head.hostEnd = hostEnd
  head.pathStart = end
  head.absolute = true
  return 0
}

function authorityStart(bytes: Uint8Array, from: number, to: number): number {
  for (const scheme of schemes) {
    if (to - from > scheme.length && foldsTo(bytes, from, scheme)) return from + scheme.length
  }
  return -1
}

/**
 * `host`, `host:port`, `[v6]` or `[v6]:port`; no user, no empty host, a port from 0 to 65535. Returns where it ends, or
 * -1. An empty port (`host:`, RFC 3986 section 3.2.3) means the default one and is left out: a receiver that compares
 * hosts as text would take `host:` for another host.
 */
export function authorityEnd(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to) return -1
  let at = from
  if (bytes[from] === OPEN) {
    at++
    while (at < to && IPV6[bytes[at] ?? 0] === 1) at++
    if (at >= to || bytes[at] !== CLOSE || at === from + 1) return -1
    at++
  } else {
    while (at < to && HOST_NAME[bytes[at] ?? 0] === 1) at++
    if (at === from) return -1
  }
  if (at === to) return at
  if (bytes[at] !== COLON) return -1
  if (at + 1 === to) return at
  return isPort(bytes, at + 1, to) ? to : -1
}

function isPort(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > 5) return false
  let port = 0
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] ?? 0) - 48
    if (digit < 0 || digit > 9) return false
    port = port * 10 + digit
  }
  return port <= 65535
}
