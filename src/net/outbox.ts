/**
 * What a socket has not taken yet. Nobody keeps it for us: a short write is ours to finish when there is room again.
 * The owner pauses its source while much is waiting, so an outbox holds one read of the source above the high-water
 * mark and never more.
 *
 * Cost: while the socket takes everything, one write and one compare. Small pieces are put together, so a flood
 * of one-byte chunks does not become a flood of objects.
 */
import type { TcpSocket } from "./socket.ts"

/** Above this many waiting bytes a source is paused; it goes on when all are gone. */
export const HIGH_WATER = 256 * 1024

/** Pieces below this are copied together. */
const SMALL = 4 * 1024
const BLOCK = 16 * 1024
/** Pieces that have been sent and are still in the list, at most. */
const SENT_PIECES = 16

/** Shared by all that are empty; never added to. */
const noPieces: Buffer[] = []

export class Outbox {
  /** Bytes waiting. */
  size = 0
  #pieces = noPieces
  #next = 0
  /** The last piece when it is a block of ours with room, and its length so far. */
  #block: Buffer | null = null
  #blockLength = 0

  /**
   * Writes `bytes[from..to)` or keeps a copy of what the socket does not take. Returns false when the socket is gone.
   */
  send(socket: TcpSocket, bytes: Buffer, from: number, to: number): boolean {
    if (this.size > 0) {
      this.keep(bytes, from, to)
      return true
    }
    const taken = socket.write(bytes, from, to - from)
    if (taken === to - from) return true
    if (taken < 0) return false
    this.keep(bytes, from + taken, to)
    return true
  }

  /** Writes what is waiting. Returns false when the socket is gone. Any number of calls does no harm. */
  flush(socket: TcpSocket): boolean {
    while (this.size > 0) {
      this.#sealBlock()
      const piece = this.#pieces[this.#next]
      const taken = socket.write(piece, 0, piece.length)
      if (taken < 0) return false
      this.size -= taken
      if (taken < piece.length) {
        this.#pieces[this.#next] = piece.subarray(taken)
        return true
      }
      this.#next++
      if (this.#next === SENT_PIECES) this.#forgetSent()
    }
    if (this.#next > 0) this.clear()
    return true
  }

  /** A peer that reads just fast enough keeps the outbox from ever being empty: what is sent goes all the same. */
  #forgetSent(): void {
    this.#pieces.splice(0, this.#next)
    this.#next = 0
  }

  clear(): void {
    this.size = 0
    this.#pieces = noPieces
    this.#next = 0
    this.#block = null
    this.#blockLength = 0
  }

  /** Has `bytes[from..to)`, of which a copy is made, wait behind what waits already. */
  keep(bytes: Buffer, from: number, to: number): void {
    const length = to - from
    this.size += length
    if (this.#pieces === noPieces) this.#pieces = []
    if (length < SMALL) {
      this.#append(bytes, from, to)
      return
    }
    this.#sealBlock()
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)))
  }

  #append(bytes: Buffer, from: number, to: number): void {
    if (this.#block === null || this.#blockLength + to - from > BLOCK) {
      this.#sealBlock()
      this.#block = Buffer.allocUnsafe(BLOCK)
      this.#pieces.push(this.#block)
    }
    bytes.copy(this.#block, this.#blockLength, from, to)
    this.#blockLength += to - from
  }

  /** The block has its final length from now on. */
  #sealBlock(): void {
    if (this.#block === null) return
    this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#blockLength)
    this.#block = null
    this.#blockLength = 0
  }
}
