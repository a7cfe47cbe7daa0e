/**
 * The protocols that a client offers to switch to, and whether a backend has chosen among them (RFC 9110 section 7.8).
 * Any method may offer, with a body or without one, and any number of protocols. HTTP/2 is never offered on: requests
 * inside it would pass unseen.
 *
 * Cost: nothing for a request without an Upgrade field.
 */
import { COMMA, HTAB, SP, TOKEN, ascii, copyRange, equalsToken, foldsTo } from "../http/bytes.ts"
import type { FieldSection } from "../http/field-section.ts"
import { UPGRADE } from "../http/fields.ts"

const SLASH = 47
const DASH = 45

const http = ascii("http")
const h2 = ascii("h2")
/** The version for plain text: `h2c`. */
const PLAIN_TEXT = 99

/** Bounds of the list member that `nextMember` has found last. */
const member = { from: 0, to: 0 }

/** Finds the next member of the list `bytes[from..to)` and returns the offset after it, or -1 when there is none. */
function nextMember(bytes: Uint8Array, from: number, to: number): number {
  let start = from
  while (start < to && (bytes[start] === COMMA || isBlank(bytes[start]))) start++
  if (start === to) return -1
  let stop = start
  while (stop < to && bytes[stop] !== COMMA) stop++
  member.from = start
  member.to = stop
  while (isBlank(bytes[member.to - 1])) member.to--
  return stop
}

function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB
}

/** Offset after the name, which a version may follow; -1 if there is no protocol. */
function nameEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = from
  while (end < to && TOKEN[bytes[end]] === 1) end++
  if (end === from || end === to) return end === from ? -1 : end
  if (bytes[end] !== SLASH || end + 1 === to) return -1
  for (let i = end + 1; i < to; i++) if (TOKEN[bytes[i]] !== 1) return -1
  return end
}

/** Versions of HTTP itself, drafts of HTTP/2 included (`h2c-14`, `h2-14`). */
function isHttp(bytes: Uint8Array, from: number, end: number): boolean {
  if (equalsToken(bytes, from, end, http)) return true
  if (end - from < h2.length || !foldsTo(bytes, from, h2)) return false
  let at = from + h2.length
  if (at < end && (bytes[at] | 32) === PLAIN_TEXT) at++
  return at === end || bytes[at] === DASH
}

/** The position of the first Upgrade field when it and its like offer a protocol that may be offered on; else -1. */
export function findOffer(bytes: Uint8Array, fields: FieldSection): number {
  let offers = 0
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== UPGRADE) continue
    const to = fields.valueEnds[position]
    let at = nextMember(bytes, fields.valueStarts[position], to)
    for (; at >= 0; at = nextMember(bytes, at, to)) {
      const end = nameEnd(bytes, member.from, member.to)
      if (end < 0) return -1
      if (!isHttp(bytes, member.from, end)) offers++
    }
  }
  return offers > 0 ? fields.find(UPGRADE) : -1
}

/** Writes the protocols that are offered on, as one list, and returns the offset after it. */
export function putOffer(from: Buffer, fields: FieldSection, out: Buffer, start: number): number {
  let end = start
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== UPGRADE) continue
    const to = fields.valueEnds[position]
    let at = nextMember(from, fields.valueStarts[position], to)
    for (; at >= 0; at = nextMember(from, at, to)) {
      if (isHttp(from, member.from, nameEnd(from, member.from, member.to))) continue
      if (end > start) {
        out[end++] = COMMA
        out[end++] = SP
      }
      end = copyRange(from, member.from, member.to, out, end)
    }
  }
  return end
}

/** The protocols in the Upgrade fields of a head, in lower case. */
export function protocolsOf(bytes: Buffer, fields: FieldSection): string[] {
  const protocols: string[] = []
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== UPGRADE) continue
    const to = fields.valueEnds[position]
    let at = nextMember(bytes, fields.valueStarts[position], to)
    for (; at >= 0; at = nextMember(bytes, at, to)) {
      const end = nameEnd(bytes, member.from, member.to)
      if (end >= 0 && isHttp(bytes, member.from, end)) continue
      protocols.push(bytes.toString("latin1", member.from, member.to).toLowerCase())
    }
  }
  return protocols
}

/** Whether a 101 names protocols, and only such as were `offered`; protocols in layers make several. */
export function isAmongOffered(
  bytes: Buffer,
  fields: FieldSection,
  offered: readonly string[],
): boolean {
  let chosen = 0
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== UPGRADE) continue
    const to = fields.valueEnds[position]
    let at = nextMember(bytes, fields.valueStarts[position], to)
    for (; at >= 0; at = nextMember(bytes, at, to)) {
      const name = bytes.toString("latin1", member.from, member.to).toLowerCase()
      if (!offered.includes(name)) return false
      chosen++
    }
  }
  return chosen > 0
}
