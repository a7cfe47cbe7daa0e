/**
 * Loops. Every bunlb counts a request up in a field of its own, Bunlb-Hops, and one that has passed here more often
 * than any honest chain is going round. Instances are not told apart on purpose: two balancers that send to each other
 * are found as well as one that sends to itself. Via could say the same (RFC 9110 section 7.6.3), but web servers
 * answer requests that carry it without compression; its entries that name bunlb count all the same, since an older
 * bunlb writes nothing else.
 */
import { COMMA, HTAB, SP, ascii, equalsToken } from "./bytes.ts"
import type { FieldSection } from "./field-section.ts"
import { HOPS, VIA } from "./fields.ts"

const pseudonym = ascii("bunlb")

/** Times that a request may have passed a bunlb before. */
export const HOP_LIMIT = 8

/** How many bunlbs the request has passed, by its own count or by Via, whichever is more. */
export function countHops(bytes: Uint8Array, fields: FieldSection): number {
  let counted = 0
  let named = 0
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i] ?? 0
    const from = fields.valueStarts[position] ?? 0
    const to = fields.valueEnds[position] ?? from
    if (fields.kinds[position] === VIA) named += hopsIn(bytes, from, to)
    else if (fields.kinds[position] === HOPS) counted = Math.max(counted, numberIn(bytes, from, to))
  }
  return Math.max(counted, named)
}

/** A value that is not a number does not count. */
function numberIn(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] ?? 0) - 48
    if (digit < 0 || digit > 9) return 0
    value = Math.min(value * 10 + digit, HOP_LIMIT + 1)
  }
  return value
}

/** Entries are `version name` or `protocol/version name`, and may end in a comment. */
function hopsIn(bytes: Uint8Array, from: number, to: number): number {
  let hops = 0
  let at = from
  while (at < to) {
    at = skip(bytes, at, to, true)
    at = skip(bytes, at, to, false)
    at = skip(bytes, at, to, true)
    const name = at
    at = skip(bytes, at, to, false)
    if (equalsToken(bytes, name, at, pseudonym)) hops++
    while (at < to && bytes[at] !== COMMA) at++
    at++
  }
  return hops
}

/** Passes blanks, or everything up to a blank or comma. */
function skip(bytes: Uint8Array, from: number, to: number, blanks: boolean): number {
  let at = from
  while (at < to && bytes[at] !== COMMA && (bytes[at] === SP || bytes[at] === HTAB) === blanks) at++
  return at
}
