/**
 * The two directions of a connection to the admin listener, as something that can be waited for: what the client has
 * sent, and the room that there is for what it gets.
 */
import type { TcpSocket } from "../net/transport/socket.ts"
import type { Pauses } from "../core/slices.ts"

/** Above so many bytes that nobody has taken the client is not read. */
const HELD_LIMIT = 16 * 1024

export class Input {
  readonly #socket: TcpSocket
  #held: Buffer[] = []
  #size = 0
  #paused = false
  #over = false
  #wake: (() => void) | null = null

  constructor(socket: TcpSocket) {
    this.#socket = socket
  }

  get isEmpty(): boolean {
    return this.#size === 0
  }

  put(bytes: Buffer): void {
    this.#held.push(bytes)
    this.#size += bytes.length
    if (this.#size > HELD_LIMIT && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
    }
    this.#wake?.()
  }

  /** Before all that is there. */
  putBack(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#held.unshift(bytes)
    this.#size += bytes.length
  }

  /** Nothing more comes. */
  end(): void {
    this.#over = true
    this.#wake?.()
  }

  /** All that is there, at least one byte; null at the end. */
  async take(): Promise<Buffer | null> {
    while (this.#size === 0) {
      if (this.#over) return null
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const [first = Buffer.alloc(0)] = this.#held
    const bytes = this.#held.length === 1 ? first : Buffer.concat(this.#held)
    this.#held = []
    this.#size = 0
    this.#resume()
    return bytes
  }

  /** From now on nobody takes anything: the client is read on, and what comes is dropped. */
  drop(): void {
    this.#held = []
    this.#size = 0
    this.#resume()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
  }
}

/** Written in one call. */
const SLICE = 64 * 1024

export class Output {
  readonly #socket: TcpSocket
  /** Bytes that the socket has taken. */
  taken = 0
  #gone = false
  #wake: (() => void) | null = null

  constructor(socket: TcpSocket) {
    this.#socket = socket
  }

  drained(): void {
    this.#wake?.()
  }

  /** The connection has ended. */
  close(): void {
    this.#gone = true
    this.#wake?.()
  }

  /** Resolves when the socket has taken everything: false when it is gone before that. */
  async write(bytes: Uint8Array, pauses: Pauses): Promise<boolean> {
    let at = 0
    while (at < bytes.length && !this.#gone) {
      const length = Math.min(SLICE, bytes.length - at)
      const taken = this.#socket.write(bytes, at, length)
      if (taken < 0) return false
      at += taken
      this.taken += taken
      if (taken < length) await new Promise<void>((resolve) => (this.#wake = resolve))
      else if (pauses.isOver) await pauses.rest()
    }
    return !this.#gone
  }
}
