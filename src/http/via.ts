/**
 * Loops, seen in the Via fields (RFC 9110 section 7.6.3): every bunlb adds its name, so a request that has passed
 * here more often than any honest chain is going round. Names are not unique to an instance on purpose: two
 * balancers that send to each other are found as well as one that sends to itself.
 */
import { COMMA, HTAB, SP, ascii, equalsToken } from "./bytes.ts"
import type { FieldSection } from "./field-section.ts"
import { VIA } from "./fields.ts"

const pseudonym = ascii("bunlb")

/** Times that a request may have passed a bunlb before. */
export const HOP_LIMIT = 8

/** How often the Via fields name a bunlb. */
export function countHops(bytes: Uint8Array, fields: FieldSection): number {
  let hops = 0
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== VIA) continue
    hops += hopsIn(bytes, fields.valueStarts[position], fields.valueEnds[position])
  }
  return hops
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
