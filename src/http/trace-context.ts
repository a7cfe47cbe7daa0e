/**
 * bunlb's place in a distributed trace: the `traceparent` that a backend is sent names the trace that the client named
 * and bunlb's own span as the parent. A client that names none, or not as the specification wants it, begins a new
 * trace here; its `tracestate`, which belongs to a trace that cannot be read, goes then. A sound one passes untouched.
 *
 * One object a client connection, used again for each exchange; all attempts of an exchange are one span. While
 * tracing is off there is none, and what the client sent passes as it came. Cost: about 0.3 µs a request.
 *
 * Source: W3C Trace Context, sections 3.2 and 4 (REC-trace-context-1, and for the random flag level 2).
 */
import { ascii } from "./bytes.ts"
import type { FieldSection } from "./field-section.ts"
import { TRACEPARENT } from "./fields.ts"

const NAME = "traceparent: "
/** `00-` trace id `-` parent id `-` flags. */
const LENGTH = 55
const TRACE_ID = 3
const PARENT_ID = 36
const FLAGS = 53
const DASH = 45
const SAMPLED = 1
/** The trace id is random, as ours are (level 2). Others of these bits have no meaning yet and must not be sent. */
const RANDOM = 2

const DIGITS = ascii("0123456789abcdef")

/** Lower-case hexadecimal digits by character; 255 for all else, upper case too. */
const VALUES = new Uint8Array(256).fill(255)
DIGITS.forEach((digit, value) => (VALUES[digit] = value))

const random = new Uint8Array(4096)
let used = random.length

export class Span {
  /** The whole field line. */
  readonly line = Buffer.from(`${NAME}00-${"0".repeat(32)}-${"0".repeat(16)}-00\r\n`, "latin1")
  /** It begins a trace: a tracestate is of another. */
  restarted = true

  constructor() {
    this.#restart()
    this.#putRandom(PARENT_ID, 8)
  }

  /** The next exchange begins, with these fields. */
  begin(bytes: Buffer, fields: FieldSection): void {
    const at = soleTraceparent(bytes, fields)
    this.restarted = at < 0
    if (at < 0) this.#restart()
    else {
      bytes.copy(this.line, NAME.length + TRACE_ID, at + TRACE_ID, at + PARENT_ID - 1)
      this.#putFlags(VALUES[bytes[at + FLAGS + 1]] & (SAMPLED | RANDOM))
    }
    this.#putRandom(PARENT_ID, 8)
  }

  get traceId(): string {
    return this.#text(TRACE_ID, PARENT_ID - 1)
  }

  /** That of bunlb. */
  get spanId(): string {
    return this.#text(PARENT_ID, FLAGS - 1)
  }

  #restart(): void {
    this.#putRandom(TRACE_ID, 16)
    this.#putFlags(SAMPLED | RANDOM)
  }

  #putFlags(flags: number): void {
    this.line[NAME.length + FLAGS + 1] = DIGITS[flags]
  }

  /** The hexadecimal digits of `count` random bytes, never all zero. */
  #putRandom(offset: number, count: number): void {
    if (used + count > random.length) {
      crypto.getRandomValues(random)
      used = 0
    }
    let at = NAME.length + offset
    let bits = 0
    for (let i = 0; i < count; i++) {
      const byte = random[used++]
      bits |= byte
      this.line[at++] = DIGITS[byte >> 4]
      this.line[at++] = DIGITS[byte & 15]
    }
    if (bits === 0) this.line[at - 1] = DIGITS[1]
  }

  #text(from: number, to: number): string {
    return this.line.toString("latin1", NAME.length + from, NAME.length + to)
  }
}

/** Where the value of the only traceparent begins, or -1 when there is none, one too many, or a bad one. */
function soleTraceparent(bytes: Uint8Array, fields: FieldSection): number {
  let found = -1
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== TRACEPARENT) continue
    if (found >= 0) return -1
    found = position
  }
  if (found < 0) return -1
  const start = fields.valueStarts[found]
  return isSound(bytes, start, fields.valueEnds[found]) ? start : -1
}

/** A later version may say more behind another dash; 00 is exactly as long as it is, and ff is none. */
function isSound(bytes: Uint8Array, at: number, end: number): boolean {
  const length = end - at
  if (length < LENGTH) return false
  const version = hex(bytes, at, 2)
  if (version < 0 || (VALUES[bytes[at]] === 15 && VALUES[bytes[at + 1]] === 15)) return false
  if (length > LENGTH && (version === 0 || bytes[at + LENGTH] !== DASH)) return false
  const dashes =
    bytes[at + 2] === DASH && bytes[at + PARENT_ID - 1] === DASH && bytes[at + FLAGS - 1] === DASH
  if (!dashes || hex(bytes, at + FLAGS, 2) < 0) return false
  return hex(bytes, at + TRACE_ID, 32) > 0 && hex(bytes, at + PARENT_ID, 16) > 0
}

/** -1: not all are digits; 0: all are zero; 1 otherwise. */
function hex(bytes: Uint8Array, from: number, count: number): number {
  let bits = 0
  for (let i = from; i < from + count; i++) bits |= VALUES[bytes[i]]
  return bits > 15 ? -1 : bits > 0 ? 1 : 0
}
