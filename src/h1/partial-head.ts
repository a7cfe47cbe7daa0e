/**
 * A head that came in pieces. Pieces are gathered in one growing buffer, and a scan is worth its while only when
 * a line has ended or the limit is reached: a peer that sends byte by byte costs a copy a byte, not a scan.
 */
const LF = 10

export class PartialHead {
  #bytes: Buffer
  #length: number
  readonly #limit: number

  /** Begins with `bytes[from..to)`; `limit`: bytes from which on a scan would refuse. */
  constructor(bytes: Buffer, from: number, to: number, limit: number) {
    this.#length = to - from
    this.#limit = limit
    this.#bytes = Buffer.allocUnsafe(Math.max(1024, this.#length * 2))
    bytes.copy(this.#bytes, 0, from, to)
  }

  /** Adds a piece. Returns whether a scan can say something new. */
  add(bytes: Buffer): boolean {
    const length = this.#length + bytes.length
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(length * 2)
      this.#bytes.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    bytes.copy(this.#bytes, this.#length)
    this.#length = length
    return length >= this.#limit || bytes.includes(LF)
  }

  /** All bytes so far. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
