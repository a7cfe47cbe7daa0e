/**
 * A message body on its way through: what belongs to it, what goes on, and whether it is complete. Never
 * gathered: each piece is judged where it lies and handed on.
 */
import { ChunkedBody, STRICT } from "./chunked.ts"
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "../http/framing.ts"
import { noNames } from "../http/trailers.ts"

const nothing = Buffer.alloc(0)

export class Body {
  #framing = NO_BODY
  #left = 0
  /** Made for the first chunked body of a connection and used again. */
  #chunks: ChunkedBody | null = null
  /** Of the last piece, `bytes[from..outEnd)` goes on, and after it `tail`. */
  outEnd = 0
  tail: Buffer = nothing
  done = true
  /** The refusal that names the fault of a chunked body; 0 when there is none. */
  refusal = 0

  /**
   * `length` counts for `BY_LENGTH`; `framed` false cuts chunk framing out; `rules` and `nominated` are those of
   * `ChunkedBody`.
   */
  start(
    framing: number,
    length: number,
    framed: boolean,
    rules = STRICT,
    nominated: readonly string[] = noNames,
  ): void {
    this.#framing = framing
    this.#left = length
    this.done = framing === NO_BODY || (framing === BY_LENGTH && length === 0)
    this.refusal = 0
    // Only when it changes: a pointer written into an old object costs at the next garbage collection.
    if (this.tail !== nothing) this.tail = nothing
    if (framing !== BY_CHUNKS) return
    this.#chunks ??= new ChunkedBody()
    this.#chunks.start(framed, rules, nominated)
  }

  /** Bytes that are still to come of a body whose length is known; else 0. */
  get left(): number {
    return this.#framing === BY_LENGTH ? this.#left : 0
  }

  /** `count` bytes of a body of known length have passed by another way. */
  skip(count: number): void {
    this.#left -= count
    this.done = this.#left === 0
  }

  /** The peer's FIN is a proper end of this body. */
  get endsByClose(): boolean {
    return this.#framing === BY_CLOSE && !this.done
  }

  /**
   * Takes what of `bytes[from..to)` belongs to the body, which may be compacted in place. Returns the offset
   * after it.
   */
  feed(bytes: Buffer, from: number, to: number): number {
    if (this.done) {
      this.outEnd = from
      return from
    }
    if (this.#framing === BY_LENGTH) {
      const taken = Math.min(this.#left, to - from)
      this.#left -= taken
      this.done = this.#left === 0
      this.outEnd = from + taken
      return from + taken
    }
    if (this.#framing === BY_CLOSE || this.#chunks === null) {
      this.outEnd = to
      return to
    }
    return this.#feedChunks(this.#chunks, bytes, from, to)
  }

  #feedChunks(chunks: ChunkedBody, bytes: Buffer, from: number, to: number): number {
    const end = chunks.feed(bytes, from, to)
    this.outEnd = chunks.outEnd
    this.done = chunks.done
    this.tail = chunks.tail
    this.refusal = chunks.refusal
    return end
  }
}
