/**
 * What a socket has not taken yet. Nobody keeps it for us: a short write is ours to finish when there is room again.
 * The owner pauses its source while much is waiting, so an outbox holds one read of the source above the high-water
 * mark and never more.
 *
 * Cost: while the socket takes everything, one write and one compare. Small pieces are put together, so a flood
 * of one-byte chunks does not become a flood of objects.
 */
import { unacknowledged } from "./linux/peek.ts"
import type { DirectSocket } from "./linux/direct-socket.ts"
import type { TcpSocket } from "./transport/socket.ts"

/** Above this many waiting bytes a source is paused; it goes on when all are gone. */
export const HIGH_WATER = 256 * 1024

/** A limit on how long a peer may take nothing is watched in so many steps, each with one look at the kernel. */
export const LOOKS = 4

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
  /** Bytes that the socket has taken. */
  taken = 0
  /** How many of them the peer had acknowledged at the last look. */
  #acknowledged = 0
  /** Looks since then that found no more. */
  #vainLooks = 0
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
    if (taken < 0) return false
    this.taken += taken
    if (taken < to - from) this.keep(bytes, from + taken, to)
    return true
  }

  /**
   * As `send`, for a head and the body bytes behind it: in one call, and without a copy, where the socket is `direct`.
   */
  sendBoth(
    socket: TcpSocket,
    direct: DirectSocket | null,
    head: Buffer,
    length: number,
    body: Buffer,
    from: number,
    to: number,
  ): boolean {
    if (direct === null || this.size > 0) {
      return this.send(socket, head, 0, length) && this.send(socket, body, from, to)
    }
    const taken = direct.writeBoth(head, length, body, from, to - from)
    if (taken < 0) return false
    this.taken += taken
    if (taken < length) {
      this.keep(head, taken, length)
      this.keep(body, from, to)
    } else if (taken - length < to - from) this.keep(body, from + taken - length, to)
    return true
  }

  /** Bytes have just left, or the first has begun to wait. */
  renew(): void {
    this.#vainLooks = 0
  }

  /**
   * Whether the peer has acknowledged more since the last look. It may be a slow one: a socket says that there is room
   * only when a third of its buffer is free, which at 15 KB/s takes minutes.
   */
  advanced(fd: number): boolean {
    const acknowledged = this.taken - unacknowledged(fd)
    if (acknowledged === this.#acknowledged) return false
    this.#acknowledged = acknowledged
    this.#vainLooks = 0
    return true
  }

  /** As `advanced`, and there is more to come. */
  delivers(fd: number): boolean {
    return this.advanced(fd) && this.size + unacknowledged(fd) > 0
  }

  /** To be asked `LOOKS` times in a limit: false when the peer has acknowledged nothing for the whole of it. */
  moves(fd: number): boolean {
    return this.advanced(fd) || ++this.#vainLooks < LOOKS
  }

  /** Writes what is waiting. Returns false when the socket is gone. Any number of calls does no harm. */
  flush(socket: TcpSocket): boolean {
    while (this.size > 0) {
      this.#sealBlock()
      const piece = this.#pieces[this.#next]
      if (piece === undefined) break
      const taken = socket.write(piece, 0, piece.length)
      if (taken < 0) return false
      this.size -= taken
      this.taken += taken
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
