/**
 * The sticky cookie as bytes: found in a request's Cookie field, taken out of it before a backend
 * sees it, and set on a response. Reading follows RFC 6265 section 4.2.1 (`a=1; b=2`) and, as
 * servers do (section 5.4 leaves them free), bears missing and surplus white space.
 *
 * Cost: reading is one pass over the field and allocates nothing. A Set-Cookie field is made once
 * for each token.
 */
import type { StickySettings } from "../config/schema/settings.ts"
import { formatToken } from "./token.ts"

const SEMICOLON = 0x3b
const EQUALS = 0x3d
const SPACE = 0x20
const TAB = 0x09

/** Where the cookie's value lies; one object is made and used again for every request. */
export class FoundCookie {
  start = 0
  end = 0
}

/**
 * Looks for the first cookie called `name` in the field value `bytes[start, end)`. When true,
 * `found` says where its value lies and the field must go through `copyWithoutCookie`; when false,
 * `found` is untouched.
 */
export function findCookie(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: Uint8Array,
  found: FoundCookie,
): boolean {
  for (let pair = start; pair < end; pair = endOfPair(bytes, pair, end) + 1) {
    const first = skipSpace(bytes, pair, end)
    if (!isNamed(bytes, first, end, name)) continue
    found.start = first + name.length + 1
    found.end = trimSpace(bytes, found.start, endOfPair(bytes, found.start, end))
    return true
  }
  return false
}

/**
 * Copies the field value `bytes[start, end)` to `into` from `at` on, without any cookie called
 * `name`: a client that sends several must not reach the backend with one of them. Answers where
 * the copy ends; when that is `at`, no cookie is left and the field has to go. Never writes more
 * than `end - start` bytes.
 */
export function copyWithoutCookie(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: Uint8Array,
  into: Uint8Array,
  at: number,
): number {
  let write = at
  for (let pair = start; pair < end; pair = endOfPair(bytes, pair, end) + 1) {
    const first = skipSpace(bytes, pair, end)
    const last = trimSpace(bytes, first, endOfPair(bytes, first, end))
    if (first >= last || isNamed(bytes, first, end, name)) continue
    // The first pair that stays loses the separator before it, the others keep theirs as the client
    // wrote it.
    if (write > at) into[write++] = SEMICOLON
    for (let read = write > at ? pair : first; read < last; read++) {
      into[write++] = bytes[read] ?? SPACE
    }
  }
  return write
}

const made = new WeakMap<StickySettings, Map<number, Uint8Array>>()
const encoder = new TextEncoder()

/**
 * The whole Set-Cookie line for `token`, CRLF included. `overTls` tells whether the client came
 * over TLS; the setting `secure` may overrule it. Made once: only tokens of configured backends
 * come here, so the cache is bounded.
 */
export function setCookieField(
  settings: StickySettings,
  token: number,
  overTls: boolean,
): Uint8Array {
  const lines = made.get(settings) ?? new Map<number, Uint8Array>()
  if (lines.size === 0) made.set(settings, lines)
  const key = token * 2 + Number(overTls)
  const known = lines.get(key)
  if (known) return known
  const line = encoder.encode(setCookieLine(settings, token, overTls))
  lines.set(key, line)
  return line
}

function setCookieLine(settings: StickySettings, token: number, overTls: boolean): string {
  const { cookie, secure, sameSite, maxAge } = settings
  const site = sameSite === "lax" ? "Lax" : sameSite === "strict" ? "Strict" : "None"
  let line = `Set-Cookie: ${cookie}=${formatToken(token)}; Path=/; HttpOnly; SameSite=${site}`
  if (secure === "on" || (secure === "auto" && overTls)) line += "; Secure"
  if (maxAge > 0) line += `; Max-Age=${maxAge}`
  return `${line}\r\n`
}

/**
 * Whether a pair that begins at `at` is `name=...`. Cookie names are compared as they are, case
 * included.
 */
function isNamed(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  const equals = at + name.length
  if (equals >= end || bytes[equals] !== EQUALS) return false
  for (let index = 0; index < name.length; index++) {
    if (bytes[at + index] !== name[index]) return false
  }
  return true
}

function endOfPair(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== SEMICOLON) at++
  return at
}

function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++
  return at
}

function trimSpace(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--
  return end
}
