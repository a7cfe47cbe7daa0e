/**
 * The field section of a head, scanned once: where each line, name and value lies, and what it is to bunlb.
 * The strictest reading of RFC 9112 section 5: no white space before the colon, no folded line, CRLF only, no
 * control character. One pass, no allocation; the arrays belong to the caller and are used again.
 */
import { COLON, COMMA, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN, ascii, equalsToken } from "./bytes.ts"
import {
  CONNECTION,
  CONTENT_LENGTH,
  HOST,
  NOMINATED,
  PLAIN,
  TRANSFER_ENCODING,
  fieldKind,
} from "./fields.ts"
import { FIELD_CONTENT, FIELD_COUNT, FIELD_NAME, LINE_END, OBS_FOLD } from "./refusal.ts"

export class FieldSection {
  /** Offsets of the lines; entry `count` is the offset of the empty line. */
  readonly starts: Int32Array
  readonly nameEnds: Int32Array
  readonly valueStarts: Int32Array
  readonly valueEnds: Int32Array
  readonly kinds: Uint8Array
  /** Positions of the fields whose kind is not `PLAIN`. */
  readonly known: Int32Array
  count = 0
  knownCount = 0

  /** `limit`: fields at most. */
  constructor(readonly limit: number) {
    this.starts = new Int32Array(limit + 1)
    this.nameEnds = new Int32Array(limit)
    this.valueStarts = new Int32Array(limit)
    this.valueEnds = new Int32Array(limit)
    this.kinds = new Uint8Array(limit)
    this.known = new Int32Array(limit)
  }

  /** The position of the first field of a kind, or -1. */
  find(kind: number): number {
    for (let i = 0; i < this.knownCount; i++) {
      if (this.kinds[this.known[i]] === kind) return this.known[i]
    }
    return -1
  }
}

/**
 * Scans from the first field line. Returns the offset after the empty line, 0 when more bytes are needed, or a
 * refusal negated.
 */
export function scanFields(
  bytes: Uint8Array,
  from: number,
  to: number,
  section: FieldSection,
): number {
  let at = from
  section.count = 0
  section.knownCount = 0
  for (;;) {
    if (at >= to) return 0
    if (bytes[at] === CR) {
      if (at + 1 >= to) return 0
      if (bytes[at + 1] !== LF) return -LINE_END
      section.starts[section.count] = at
      return at + 2
    }
    at = scanLine(bytes, at, to, section)
    if (at <= 0) return at
  }
}

function scanLine(bytes: Uint8Array, start: number, to: number, section: FieldSection): number {
  if (bytes[start] === SP || bytes[start] === HTAB) return -OBS_FOLD
  const position = section.count
  if (position === section.limit) return -FIELD_COUNT
  let at = start
  while (at < to && TOKEN[bytes[at]] === 1) at++
  if (at >= to) return 0
  if (bytes[at] !== COLON || at === start) return bytes[at] === LF ? -LINE_END : -FIELD_NAME
  const nameEnd = at
  at++
  while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at++
  const valueStart = at
  while (at < to && FIELD_VALUE[bytes[at]] === 1) at++
  if (at >= to) return 0
  if (bytes[at] !== CR) return bytes[at] === LF ? -LINE_END : -FIELD_CONTENT
  if (at + 1 >= to) return 0
  if (bytes[at + 1] !== LF) return -LINE_END
  let valueEnd = at
  while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) {
    valueEnd--
  }
  const kind = fieldKind(bytes, start, nameEnd)
  section.starts[position] = start
  section.nameEnds[position] = nameEnd
  section.valueStarts[position] = valueStart
  section.valueEnds[position] = valueEnd
  section.kinds[position] = kind
  if (kind !== PLAIN) section.known[section.knownCount++] = position
  section.count = position + 1
  return at + 2
}

/** Options of Connection as bits. */
export const CLOSE = 1
export const KEEP_ALIVE = 2
export const UPGRADE_OPTION = 4
const OTHER = 8

const closeToken = ascii("close")
const keepAliveToken = ascii("keep-alive")
const upgradeToken = ascii("upgrade")

/**
 * The options that all Connection fields of the section name, as bits; the fields that they nominate are marked
 * `NOMINATED` (RFC 9110 section 7.6.1), save those that carry routing and framing, which no peer can take away.
 */
export function readConnectionOptions(bytes: Uint8Array, section: FieldSection): number {
  let options = 0
  for (let i = 0; i < section.knownCount; i++) {
    const position = section.known[i]
    if (section.kinds[position] === CONNECTION) options |= readOptions(bytes, section, position)
  }
  return options & ~OTHER
}

function readOptions(bytes: Uint8Array, section: FieldSection, position: number): number {
  const end = section.valueEnds[position]
  let options = 0
  let at = section.valueStarts[position]
  while (at < end) {
    let stop = at
    while (stop < end && bytes[stop] !== COMMA) stop++
    let from = at
    while (from < stop && (bytes[from] === SP || bytes[from] === HTAB)) from++
    let to = stop
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--
    if (to > from) options |= readOption(bytes, from, to, section)
    at = stop + 1
  }
  return options
}

function readOption(bytes: Uint8Array, from: number, to: number, section: FieldSection): number {
  if (equalsToken(bytes, from, to, keepAliveToken)) return KEEP_ALIVE
  if (equalsToken(bytes, from, to, closeToken)) return CLOSE
  if (equalsToken(bytes, from, to, upgradeToken)) return UPGRADE_OPTION
  for (let i = 0; i < section.count; i++) {
    const start = section.starts[i]
    if (section.nameEnds[i] - start !== to - from || !mayBeNominated(section.kinds[i])) continue
    if (sameName(bytes, start, from, to - from)) section.kinds[i] = NOMINATED
  }
  return OTHER
}

function mayBeNominated(kind: number): boolean {
  return (
    kind !== HOST && kind !== CONNECTION && kind !== CONTENT_LENGTH && kind !== TRANSFER_ENCODING
  )
}

function sameName(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    const difference = bytes[a + i] ^ bytes[b + i]
    if (difference === 0) continue
    const letter = bytes[a + i] | 32
    if (difference !== 32 || letter < 97 || letter > 122) return false
  }
  return true
}

const chunkedToken = ascii("chunked")

/** What a Transfer-Encoding field says. */
const NOT_CHUNKED = 0
export const CHUNKED = 1
export const OTHER_CODING = 2

const otherCodings = ["gzip", "x-gzip", "deflate", "compress", "x-compress", "identity"]

/** Only `chunked` alone is accepted (RFC 9112 section 6.1); known other codings are told from nonsense. */
export function readTransferCoding(bytes: Buffer, section: FieldSection, position: number): number {
  const from = section.valueStarts[position]
  const to = section.valueEnds[position]
  if (equalsToken(bytes, from, to, chunkedToken)) return CHUNKED
  const codings = bytes.toString("latin1", from, to).toLowerCase().split(",").map(trimmed)
  const known = codings.every((coding) => coding === "chunked" || otherCodings.includes(coding))
  return known && otherCodings.includes(codings[0]) ? OTHER_CODING : NOT_CHUNKED
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "")
}

/** Digits at most: enough for 999 TB, and exact in a double. */
const LENGTH_DIGITS = 15

/** The value of a Content-Length field, or -1 unless it is 1 to 15 digits (RFC 9110 section 8.6). */
export function readContentLength(
  bytes: Uint8Array,
  section: FieldSection,
  position: number,
): number {
  const from = section.valueStarts[position]
  const to = section.valueEnds[position]
  if (to === from || to - from > LENGTH_DIGITS) return -1
  let length = 0
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}
