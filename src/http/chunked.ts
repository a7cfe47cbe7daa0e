/**
 * A chunked body (RFC 9112 section 7.1), judged byte by byte while it streams through. Its framing is passed on
 * as it came, less what must not pass: extensions and forbidden trailers are cut out in place, so that what
 * remains can be written with one call. Sizes are strict: hexadecimal digits, CRLF, nothing else.
 *
 * Cost: data bytes are skipped, not read; only size lines are looked at. Memory: the trailer section, bounded.
 */
import { CR, FIELD_VALUE, HEX, LF, SEMICOLON } from "./bytes.ts"
import { FieldSection, scanFields } from "./field-section.ts"
import { isForbiddenTrailer } from "./fields.ts"
import { CHUNK, CHUNK_EXTENSION, TRAILER, TRAILER_SIZE } from "./refusal.ts"

const SIZE_START = 0
const SIZE = 1
const EXTENSION = 2
const SIZE_LF = 3
const DATA = 4
const DATA_CR = 5
const DATA_LF = 6
const END_CR = 7
const END_LF = 8
const TRAILERS = 9
const DONE = 10
const FAILED = 11

/** More would not fit a double exactly, and no honest chunk is larger than 2^53. */
const SIZE_DIGITS = 16
const SIZE_LIMIT = Number.MAX_SAFE_INTEGER
const EXTENSION_LIMIT = 1024
/** Of all extensions together, beyond the data that they go with: a signature for each large chunk is honest. */
const EXTENSION_EXCESS = 16 * 1024
const TRAILER_LIMIT = 8 * 1024
const TRAILER_FIELDS = 32

const nothing = Buffer.alloc(0)
/** One section serves every body: a trailer section is scanned when it is whole. */
const section = new FieldSection(TRAILER_FIELDS)

export class ChunkedBody {
  #state = SIZE_START
  #digits = 0
  #left = 0
  #extension = 0
  #excess = 0
  #trailers: Buffer = nothing
  /** False when the framing itself is cut out: for HTTP/1.0 clients. */
  #framed = true
  /** `bytes[from..outEnd)` of the last call is what goes on. */
  outEnd = 0
  /** What goes on after that: the cleaned trailer section, once, when there was one. */
  tail: Buffer = nothing
  /** The refusal that names the fault, when `failed`. */
  refusal = 0

  start(framed: boolean): void {
    this.#state = SIZE_START
    this.#digits = 0
    this.#left = 0
    this.#excess = 0
    this.#trailers = nothing
    this.#framed = framed
    this.tail = nothing
    this.refusal = 0
  }

  get done(): boolean {
    return this.#state === DONE
  }

  get failed(): boolean {
    return this.#state === FAILED
  }

  /**
   * Takes `bytes[from..to)`, which it may compact in place, and returns the offset after the last byte that
   * belongs to the body.
   */
  feed(bytes: Buffer, from: number, to: number): number {
    let at = from
    let kept = from
    let run = from
    while (at < to && this.#state < DONE) {
      if (this.#state === DATA) {
        const taken = Math.min(this.#left, to - at)
        this.#left -= taken
        at += taken
        if (this.#left === 0) this.#state = DATA_CR
        continue
      }
      const state = this.#state
      const keeps = this.#step(bytes[at])
      if (!keeps || (!this.#framed && state !== DATA)) {
        kept = keep(bytes, run, at, kept)
        run = at + 1
      }
      at++
    }
    this.outEnd = keep(bytes, run, at, kept)
    return at
  }

  /** Moves on by one byte that is not data. Returns whether the byte goes on as it is. */
  #step(octet: number): boolean {
    switch (this.#state) {
      case SIZE_START:
      case SIZE:
        return this.#stepSize(octet)
      case EXTENSION:
        return this.#stepExtension(octet)
      case SIZE_LF:
        if (octet !== LF) return this.#fail(CHUNK)
        this.#state = this.#left > 0 ? DATA : END_CR
        return true
      case DATA_CR:
        if (octet !== CR) return this.#fail(CHUNK)
        this.#state = DATA_LF
        return true
      case DATA_LF:
        if (octet !== LF) return this.#fail(CHUNK)
        this.#state = SIZE_START
        return true
      case END_CR:
        if (octet !== CR) return this.#stepTrailer(octet)
        this.#state = END_LF
        return true
      case END_LF:
        if (octet !== LF) return this.#fail(TRAILER)
        this.#state = DONE
        return true
      default:
        return this.#stepTrailer(octet)
    }
  }

  #stepSize(octet: number): boolean {
    const digit = HEX[octet]
    if (digit < 16) {
      if (this.#state === SIZE_START) {
        this.#state = SIZE
        this.#digits = 0
        this.#left = 0
      }
      this.#left = this.#left * 16 + digit
      this.#digits++
      if (this.#digits > SIZE_DIGITS || this.#left > SIZE_LIMIT) return this.#fail(CHUNK)
      return true
    }
    if (this.#state === SIZE_START) return this.#fail(CHUNK)
    if (octet === CR) {
      this.#state = SIZE_LF
      return true
    }
    if (octet !== SEMICOLON) return this.#fail(CHUNK)
    this.#state = EXTENSION
    this.#extension = 1
    return false
  }

  #stepExtension(octet: number): boolean {
    if (octet === CR) {
      this.#excess = Math.max(0, this.#excess + this.#extension - this.#left)
      if (this.#excess > EXTENSION_EXCESS) return this.#fail(CHUNK_EXTENSION)
      this.#state = SIZE_LF
      return true
    }
    if (FIELD_VALUE[octet] !== 1) return this.#fail(CHUNK)
    this.#extension++
    if (this.#extension > EXTENSION_LIMIT) return this.#fail(CHUNK_EXTENSION)
    return false
  }

  /** Gathers the trailer section; at its empty line what may pass becomes `tail`. */
  #stepTrailer(octet: number): boolean {
    if (this.#state !== TRAILERS) {
      this.#state = TRAILERS
      this.#trailers = Buffer.allocUnsafe(256)
      this.#left = 0
    }
    const size = this.#left
    if (size === TRAILER_LIMIT) return this.#fail(TRAILER_SIZE)
    if (size === this.#trailers.length) {
      this.#trailers = Buffer.concat([this.#trailers], size * 2)
    }
    this.#trailers[size] = octet
    this.#left = size + 1
    if (octet === LF) this.#finishTrailers(size + 1)
    return false
  }

  #finishTrailers(size: number): void {
    const bytes = this.#trailers
    const end = scanFields(bytes, 0, size, section)
    if (end === 0) return
    if (end < 0) {
      this.#fail(TRAILER)
      return
    }
    this.#state = DONE
    if (this.#framed) this.tail = cleanTrailers(bytes)
  }

  #fail(refusal: number): false {
    this.#state = FAILED
    this.refusal = refusal
    return false
  }
}

/** Closes the gap before the run `bytes[run..end)` and returns the offset after it. */
function keep(bytes: Buffer, run: number, end: number, kept: number): number {
  if (run !== kept && end > run) bytes.copyWithin(kept, run, end)
  return kept + end - run
}

function cleanTrailers(bytes: Buffer): Buffer {
  const lines: Buffer[] = []
  for (let i = 0; i < section.count; i++) {
    if (isForbiddenTrailer(section.kinds[i])) continue
    lines.push(bytes.subarray(section.starts[i], section.starts[i + 1]))
  }
  lines.push(Buffer.from("\r\n"))
  return Buffer.concat(lines)
}
