/**
 * The field section of a head, scanned once: where each line, name and value lies, and what it is to bunlb.
 * The strictest reading of RFC 9112 section 5: no white space before the colon, no folded line, CRLF only, no
 * control character. One pass, no allocation; the arrays belong to the caller and are used again.
 */
import { COLON, COMMA, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from "./bytes.ts"
import { ascii, copyRange, equalsToken } from "./bytes.ts"
import {
  CONNECTION,
  CONTENT_LENGTH,
  HOPS,
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

  /** Fields that are accepted: `capacity` or fewer. */
  limit: number

  constructor(readonly capacity: number) {
    const limit = capacity
    this.limit = limit
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

  /** The bytes of all lines are now `by` further on. */
  moveBy(by: number): void {
    const { starts, nameEnds, valueStarts, valueEnds, count } = this
    for (let i = 0; i < count; i++) {
      starts[i] += by
      nameEnds[i] += by
      valueStarts[i] += by
      valueEnds[i] += by
    }
    starts[count] += by
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
/** Names of fields, or options that mean nothing here. */
export const NOMINATES = 8

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
  return options
}

function readOptions(bytes: Uint8Array, section: FieldSection, position: number): number {
  const end = section.valueEnds[position]
  let options = 0
  let at = section.valueStarts[position]
  while (at < end) {
    let stop = at
    while (stop < end && bytes[stop] !== COMMA) stop++
    const from = pastBlanks(bytes, at, stop)
    const to = beforeBlanks(bytes, from, stop)
    if (to > from) options |= readOption(bytes, from, to, section)
    at = stop + 1
  }
  return options
}

/** The first offset from `from` that is no blank, at most `to`. */
export function pastBlanks(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at++
  return at
}

/** The offset after the last byte before `to` that is no blank, at least `from`. */
export function beforeBlanks(bytes: Uint8Array, from: number, to: number): number {
  let at = to
  while (at > from && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--
  return at
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
  return NOMINATES
}

/** What all Connection fields name, in lower case: trailers of these names are for this hop as well. */
export function nominatedNames(bytes: Buffer, section: FieldSection): readonly string[] {
  const names: string[] = []
  for (let i = 0; i < section.knownCount; i++) {
    const position = section.known[i]
    if (section.kinds[position] !== CONNECTION) continue
    const value = bytes.toString(
      "latin1",
      section.valueStarts[position],
      section.valueEnds[position],
    )
    names.push(...value.toLowerCase().split(",").map(trimmed))
  }
  return names
}

function mayBeNominated(kind: number): boolean {
  return (
    kind !== HOST &&
    kind !== CONNECTION &&
    kind !== CONTENT_LENGTH &&
    kind !== TRANSFER_ENCODING &&
    kind !== HOPS
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

/** Narrows the value to what stands between empty members of a list, for a response (`chunked,` is `chunked`). */
export function skipEmptyMembers(bytes: Uint8Array, section: FieldSection, position: number): void {
  let from = section.valueStarts[position]
  let to = section.valueEnds[position]
  while (from < to && (bytes[from] === COMMA || bytes[from] === SP || bytes[from] === HTAB)) from++
  while (to > from && (bytes[to - 1] === COMMA || bytes[to - 1] === SP || bytes[to - 1] === HTAB))
    to--
  section.valueStarts[position] = from
  section.valueEnds[position] = to
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "")
}

/** Digits at most: enough for 999 TB, and exact in a double. */
const LENGTH_DIGITS = 15

/**
 * The value of a Content-Length field, or -1 unless it is 1 to 15 digits (RFC 9110 section 8.6). The value is narrowed
 * to the digits that count: `010` and `10` are one length, but not every receiver reads the first as ten.
 */
export function readContentLength(
  bytes: Uint8Array,
  section: FieldSection,
  position: number,
): number {
  const from = section.valueStarts[position]
  const to = section.valueEnds[position]
  const length = readDigits(bytes, from, to)
  if (length >= 0) section.valueStarts[position] = afterZeros(bytes, from, to)
  return length
}

function readDigits(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > LENGTH_DIGITS) return -1
  let length = 0
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}

/** Past the leading zeros, but for the last digit. */
function afterZeros(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to - 1 && bytes[at] === 48) at++
  return at
}

/**
 * The same for a response, where a list of equal lengths (`10, 10`) counts once: the backend is configured, so
 * no other parser has to be considered. -1 for anything else.
 */
export function readEqualLengths(
  bytes: Uint8Array,
  section: FieldSection,
  position: number,
): number {
  const single = readContentLength(bytes, section, position)
  if (single >= 0) return single
  const end = section.valueEnds[position]
  let start = section.valueStarts[position]
  let length = -1
  for (let at = start; at <= end; at++) {
    if (at < end && bytes[at] !== COMMA) continue
    const from = pastBlanks(bytes, start, at)
    const to = beforeBlanks(bytes, from, at)
    const value = readDigits(bytes, from, to)
    if (value < 0 || (length >= 0 && value !== length)) return -1
    length = value
    section.valueStarts[position] = afterZeros(bytes, from, to)
    section.valueEnds[position] = to
    start = at + 1
  }
  return length
}

/**
 * Whether the line is `name:value` or `name: value`, for the value as the section has it: white space beyond that, or
 * a value that was narrowed, is written anew.
 */
export function isTidy(bytes: Uint8Array, section: FieldSection, position: number): boolean {
  const gap = section.valueStarts[position] - section.nameEnds[position]
  const blank = gap === 1 || (gap === 2 && bytes[section.nameEnds[position] + 1] === SP)
  return blank && section.valueEnds[position] + 2 === section.starts[position + 1]
}

/** Writes the line as `name: value`, and returns the offset after it. */
export function putTidy(
  from: Buffer,
  section: FieldSection,
  position: number,
  out: Buffer,
  start: number,
): number {
  let at = copyRange(from, section.starts[position], section.nameEnds[position], out, start)
  out[at++] = COLON
  out[at++] = SP
  at = copyRange(from, section.valueStarts[position], section.valueEnds[position], out, at)
  out[at++] = CR
  out[at++] = LF
  return at
}
