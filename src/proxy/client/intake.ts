/**
 * What a client has sent and its connection has not taken up yet: part of a head, pipelined requests, or the first
 * bytes of a protocol that is not agreed on. While much of it waits, or the backend cannot take more, the client is not
 * read.
 */
import { PartialHead } from "../../h1/partial-head.ts"
import { lasting } from "../../net/linux/receive-memory.ts"
import type { TcpSocket } from "../../net/transport/socket.ts"

/** Above so many held bytes the client is not read. */
const HELD_LIMIT = 16 * 1024

export class Intake {
  held: Buffer | null = null
  /** A head of which the end has not come. */
  partial: PartialHead | null = null
  paused = false
  readonly #socket: TcpSocket

  constructor(socket: TcpSocket) {
    this.#socket = socket
  }

  hold(bytes: Buffer, from: number, to: number): void {
    const rest = lasting(bytes, from, to)
    this.held = this.held === null ? rest : Buffer.concat([this.held, rest])
    if (this.held.length > HELD_LIMIT) this.pause()
  }

  /** A head has begun at `bytes[from]` and goes on beyond `to`, for at most `limit` bytes. */
  holdHead(bytes: Buffer, from: number, to: number, limit: number): void {
    if (from > 0) this.partial = null
    this.partial ??= new PartialHead(bytes, from, to, limit)
  }

  /** Nobody will take it up. */
  clear(): void {
    this.held = null
    this.partial = null
  }

  /** What is held, which is the caller's from now on. */
  take(): Buffer | null {
    const { held } = this
    this.held = null
    return held
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#socket.resume()
  }
}
