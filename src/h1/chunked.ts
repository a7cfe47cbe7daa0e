/**
 * A chunked body (RFC 9112 section 7.1), judged byte by byte while it streams through. Its framing is passed on in one
 * spelling: leading zeros of a size, extensions, the blanks before them and forbidden trailers are cut out in place, so
 * that what remains can be written with one call. Sizes are strict: hexadecimal digits, CRLF or an extension.
 *
 * `rules` loosen that where the message cannot be misread: `BLANKS` forgives white space behind a size (for responses:
 * the backend is configured, and old ones pad sizes); `BARE_LF` takes LF alone for a line end when the head used it,
 * as long as all lines do. Such a body is framed anew, with CRLF.
 *
 * Cost: data bytes are skipped, not read; only size lines are looked at. Memory: the trailer section, bounded.
 */
import { CR, FIELD_VALUE, HEX, HTAB, LF, SEMICOLON, SP } from "../http/bytes.ts"
import { FieldSection, scanFields } from "../http/field-section.ts"
import { CHUNK, CHUNK_EXTENSION, TRAILER, TRAILER_SIZE } from "../http/refusal.ts"
import { noNames, passingTrailers } from "../http/trailers.ts"

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
/** White space behind a size. */
const PADDING = 10
const DONE = 11
const FAILED = 12

/** Rules as bits; none is the strict reading. */
export const STRICT = 0
export const BLANKS = 1
export const BARE_LF = 2

/** More would not fit a double exactly, and no honest chunk is larger than 2^53. */
const SIZE_DIGITS = 16
const SIZE_LIMIT = Number.MAX_SAFE_INTEGER
const EXTENSION_LIMIT = 1024
/** Of all extensions together, beyond the data that they go with: a signature for each large chunk is honest. */
const EXTENSION_EXCESS = 16 * 1024
const TRAILER_LIMIT = 8 * 1024
const TRAILER_FIELDS = 32
const ZERO = 48

const nothing = Buffer.alloc(0)
const lastChunk = Buffer.from("0\r\n")
const emptyEnd = Buffer.from("\r\n")
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
  #rules = STRICT
  /** Framing bytes go on where they are; else they are cut out, and for `#framed` made anew. */
  #passes = true
  /** The size of the last chunk was cut out as a leading zero, and has to be put back. */
  #zeroDue = false
  /** The last chunk began in an earlier piece, so its whole text is in `tail`. */
  #endInTail = false
  /** With `BARE_LF`: all lines so far ended in LF alone. */
  #bare = true
  #first = true
  #nominated = noNames
  /** `bytes[from..outEnd)` of the last call is what goes on. */
  outEnd = 0
  /** What goes on after that. Framing passed in place leaves at most the end of the body here. */
  tail: Buffer = nothing
  /** The refusal that names the fault, when `failed`. */
  refusal = 0

  /** `nominated`: names in the head's Connection, in lower case; trailers of these names stay out. */
  start(framed: boolean, rules = STRICT, nominated: readonly string[] = noNames): void {
    this.#state = SIZE_START
    this.#digits = 0
    this.#left = 0
    this.#excess = 0
    this.#trailers = nothing
    this.#framed = framed
    this.#rules = rules
    this.#passes = framed && (rules & BARE_LF) === 0
    this.#zeroDue = false
    this.#endInTail = false
    this.#bare = true
    this.#first = true
    this.#nominated = nominated
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
      const keeps = this.#step(bytes[at] ?? 0)
      if (this.#zeroDue) run = this.#putZero(bytes, from, at, run)
      if (!keeps || !this.#passes || this.#endInTail) {
        kept = keep(bytes, run, at, kept)
        run = at + 1
      }
      at++
    }
    this.outEnd = keep(bytes, run, at, kept)
    if (this.#framed && !this.#passes) this.#frame(bytes, from)
    return at
  }

  /**
   * The zeros of a last chunk look like leading zeros until its line ends. The byte before `at` was one of them, unless
   * it came in an earlier piece. Returns where the run of bytes that go on begins.
   */
  #putZero(bytes: Buffer, from: number, at: number, run: number): number {
    this.#zeroDue = false
    if (!this.#passes) return run
    if (at === from) {
      this.#endInTail = true
      return run
    }
    bytes[at - 1] = ZERO
    return at - 1
  }

  /** The data of this piece as a chunk of our own. */
  #frame(bytes: Buffer, from: number): void {
    const parts: Buffer[] = []
    if (this.outEnd > from) {
      const size = Buffer.from(`${(this.outEnd - from).toString(16)}\r\n`)
      parts.push(size, bytes.subarray(from, this.outEnd), emptyEnd)
    }
    if (this.done) parts.push(lastChunk, this.#end())
    this.outEnd = from
    this.tail = Buffer.concat(parts)
  }

  /** The trailer section that goes on, with its empty line. */
  #end(): Buffer {
    if (this.#trailers === nothing) return emptyEnd
    return passingTrailers(this.#trailers, section, this.#nominated)
  }

  #finish(): void {
    this.#state = DONE
    if (this.#endInTail) this.tail = Buffer.concat([lastChunk, this.#end()])
    else if (this.#passes && this.#trailers !== nothing) this.tail = this.#end()
  }

  /** Moves on by one byte that is not data. Returns whether the byte goes on as it is. */
  #step(octet: number): boolean {
    switch (this.#state) {
      case SIZE_START:
      case SIZE:
        return this.#stepSize(octet)
      case EXTENSION:
        return this.#stepExtension(octet)
      case PADDING:
        return this.#stepPadding(octet)
      case SIZE_LF:
        if (octet !== LF) return this.#fail(CHUNK)
        return this.#sizeEnds()
      case DATA_CR:
        if (octet === LF && this.#endsBare()) this.#state = SIZE_START
        else if (octet !== CR || !this.#endsWhole()) return this.#fail(CHUNK)
        else this.#state = DATA_LF
        return true
      case DATA_LF:
        if (octet !== LF) return this.#fail(CHUNK)
        this.#state = SIZE_START
        return true
      case END_CR:
        if (octet === LF && this.#endsBare()) this.#finish()
        else if (octet !== CR || !this.#endsWhole()) return this.#stepTrailer(octet)
        else this.#state = END_LF
        return true
      case END_LF:
        if (octet !== LF) return this.#fail(TRAILER)
        this.#finish()
        return true
      default:
        return this.#stepTrailer(octet)
    }
  }

  /** A line ends in LF alone: allowed when that is the rule and no line before it ended otherwise. */
  #endsBare(): boolean {
    const allowed = (this.#rules & BARE_LF) !== 0 && this.#bare
    this.#first = false
    return allowed
  }

  /** A line ends in CRLF: not allowed behind one that ended in LF alone. */
  #endsWhole(): boolean {
    if (this.#first) this.#bare = false
    this.#first = false
    return !this.#bare
  }

  #sizeEnds(): boolean {
    this.#state = this.#left > 0 ? DATA : END_CR
    return true
  }

  #stepSize(octet: number): boolean {
    const digit = HEX[octet] ?? 16
    if (digit < 16) {
      if (this.#state === SIZE_START) {
        this.#state = SIZE
        this.#digits = 0
        this.#left = 0
      }
      this.#left = this.#left * 16 + digit
      this.#digits++
      if (this.#digits > SIZE_DIGITS || this.#left > SIZE_LIMIT) return this.#fail(CHUNK)
      return this.#left > 0
    }
    if (this.#state === SIZE_START) return this.#fail(CHUNK)
    if (this.#left === 0) this.#zeroDue = true
    this.#extension = 1
    if (octet === LF && this.#endsBare()) return this.#sizeEnds()
    if (octet === CR && this.#endsWhole()) {
      this.#state = SIZE_LF
      return true
    }
    if (octet === SEMICOLON) this.#state = EXTENSION
    else if (octet === SP || octet === HTAB) this.#state = PADDING
    else return this.#fail(CHUNK)
    return false
  }

  /** Blanks may stand before an extension (RFC 9110 section 5.6.3); before the end of the line only by `BLANKS`. */
  #stepPadding(octet: number): boolean {
    if (octet === CR && (this.#rules & BLANKS) !== 0) {
      // Some servers pad all sizes to one width, so this is not counted as an extension.
      if (!this.#endsWhole()) return this.#fail(CHUNK)
      this.#state = SIZE_LF
      return true
    }
    if (octet === SEMICOLON) this.#state = EXTENSION
    else if (octet !== SP && octet !== HTAB) return this.#fail(CHUNK)
    this.#extension++
    if (this.#extension > EXTENSION_LIMIT) return this.#fail(CHUNK_EXTENSION)
    return false
  }

  /** LF alone never ends an extension: some parsers read on to the CRLF. */
  #stepExtension(octet: number): boolean {
    if (octet === CR) return this.#endExtension()
    if (FIELD_VALUE[octet] !== 1) return this.#fail(CHUNK)
    this.#extension++
    if (this.#extension > EXTENSION_LIMIT) return this.#fail(CHUNK_EXTENSION)
    return false
  }

  #endExtension(): boolean {
    if (!this.#endsWhole()) return this.#fail(CHUNK)
    this.#excess = Math.max(0, this.#excess + this.#extension - this.#left)
    if (this.#excess > EXTENSION_EXCESS) return this.#fail(CHUNK_EXTENSION)
    this.#state = SIZE_LF
    return true
  }

  /** Gathers the trailer section; at its empty line what may pass becomes the end of the body. */
  #stepTrailer(octet: number): boolean {
    if (this.#state !== TRAILERS) {
      this.#state = TRAILERS
      this.#trailers = Buffer.allocUnsafe(256)
      this.#left = 0
    }
    const bare = (this.#rules & BARE_LF) !== 0 && this.#bare
    if (bare && octet === CR) return this.#fail(TRAILER)
    if (bare && octet === LF && !this.#gather(CR)) return false
    if (this.#gather(octet) && octet === LF) this.#judgeTrailers()
    return false
  }

  #gather(octet: number): boolean {
    const size = this.#left
    if (size === TRAILER_LIMIT) return this.#fail(TRAILER_SIZE)
    if (size === this.#trailers.length) {
      this.#trailers = Buffer.concat([this.#trailers], size * 2)
    }
    this.#trailers[size] = octet
    this.#left = size + 1
    return true
  }

  #judgeTrailers(): void {
    const end = scanFields(this.#trailers, 0, this.#left, section)
    if (end < 0) this.#fail(TRAILER)
    else if (end > 0) this.#finish()
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
