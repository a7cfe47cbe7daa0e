/**
 * The token of a backend: what the sticky cookie carries instead of an address. It is a keyed hash of
 * the backend's name (HMAC-SHA-256, RFC 2104), so workers and instances with the same key agree
 * without talking to each other, in whatever order the backends are listed. Without the key nobody
 * can test guesses of a backend's address against a cookie: an unkeyed hash of a private address is
 * found in seconds, because there are few private addresses.
 *
 * 48 bits: they fit a number exactly, and 1,024 names collide with a chance of 1 in 500 million.
 */
import { NO_TOKEN } from "./strategy.ts"

const DIGITS = 12

/** The first 48 bits of the HMAC of `host:port`. Called once for each backend and key. */
export function tokenOf(name: string, key: string): number {
  const digest = new Bun.CryptoHasher("sha256", key).update(name).digest("hex")
  return Number.parseInt(digest.slice(0, DIGITS), 16)
}

/** Twelve lower-case hex digits. */
export function formatToken(token: number): string {
  return token.toString(16).padStart(DIGITS, "0")
}

/**
 * Reads what `formatToken` wrote; anything else that a client may send is `NO_TOKEN`. Allocates
 * nothing.
 */
export function parseToken(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== DIGITS) return NO_TOKEN
  let token = 0
  for (let at = start; at < end; at++) {
    const digit = hexDigit(bytes[at] ?? 0)
    if (digit === -1) return NO_TOKEN
    // Not a shift: those work on 32 bits.
    token = token * 16 + digit
  }
  return token
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57
  return -1
}
