/**
 * The Keep-Alive field, with which a server may say for how long it keeps an idle connection: `timeout=5, max=100`
 * (RFC 2068 section 19.7.1.1). It is for this hop alone.
 */
import { ascii, equalsToken } from "../http/bytes.ts"
import type { FieldSection } from "../http/field-section.ts"

const name = ascii("keep-alive")
const parameter = ascii("timeout=")
/** A day; what is longer is never waited for. */
const LONGEST = 86_400

/** The seconds that the field at `position` announces; -1 when it is another field, or does not say. */
export function readIdleSeconds(bytes: Uint8Array, fields: FieldSection, position: number): number {
  const start = fields.starts[position] ?? 0
  if (!equalsToken(bytes, start, fields.nameEnds[position] ?? start, name)) return -1
  const end = fields.valueEnds[position] ?? 0
  for (let at = fields.valueStarts[position] ?? 0; at + parameter.length < end; at++) {
    if (!equalsToken(bytes, at, at + parameter.length, parameter)) continue
    return readNumber(bytes, at + parameter.length, end)
  }
  return -1
}

function readNumber(bytes: Uint8Array, from: number, end: number): number {
  let number = -1
  for (let at = from; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 48
    if (digit < 0 || digit > 9) break
    number = Math.min(LONGEST, Math.max(0, number) * 10 + digit)
  }
  return number
}
