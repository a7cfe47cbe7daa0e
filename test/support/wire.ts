/**
 * One end of a real connection as a test holds it: bytes are sent and awaited, never assumed. Both the client
 * and the scripted backend are built on it. Nothing is parsed and nothing is repaired here.
 *
 * Half-open connections stay open: a FIN of the peer is seen (`closed`), and answered only when the test says so.
 */
import type { Socket, SocketHandler } from "bun"
import { ByteQueue } from "./byte-queue.ts"
import { PATIENCE_MS } from "./until.ts"

/** How the peer ended its side: with a FIN, with a RST (or any other error), or we did it ourselves. */
export type Ending = "end" | "reset" | "ours"

/** The connection ended while a test waited for bytes. `received` is what had come and was not yet taken. */
export class WireEnded extends Error {
  override readonly name = "WireEnded"

  constructor(
    readonly by: Ending,
    what: string,
    readonly received: Buffer,
  ) {
    super(`the connection ended (${by}) before ${what}; untaken: ${show(received)}`)
  }
}

interface Waiter {
  /** True when the waiter is content. */
  look(): boolean
  fail(error: Error): void
  what: string
  /** Fails when the connection ends. */
  needsBytes: boolean
}

export type Sink = (bytes: Buffer) => void

export class Wire {
  /** The Bun socket, for what a test wants to ask it directly. */
  socket: Socket<Wire> | null = null
  /** All bytes that ever came, also those that went to a sink. */
  bytesReceived = 0
  /** How the peer ended its side, or null while it has not. */
  ending: Ending | null = null
  /** The TLS handshake: null before it or without TLS; the error that verification found, if any. */
  handshake: { error: string | null } | null = null
  readonly incoming = new ByteQueue()
  readonly #history: Buffer[] = []
  readonly #waiters = new Set<Waiter>()
  readonly #outgoing: { bytes: Buffer; done: (sent: boolean) => void }[] = []
  #sink: Sink | null = null
  #closing = false

  /** Everything that came except what went to a sink. */
  get received(): Buffer {
    return Buffer.concat(this.#history)
  }

  /** Resolves true when the kernel has taken all of it, false when the connection ended first. */
  send(data: Uint8Array | string): Promise<boolean> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data)
    return new Promise((done) => {
      this.#outgoing.push({ bytes, done })
      this.flush()
    })
  }

  /** Bytes up to and with the pattern, or as many as `length` says (a negative answer means "not yet"). */
  async receiveUntil(
    pattern: string | ((waiting: Buffer) => number),
    ms: number = PATIENCE_MS,
  ): Promise<Buffer> {
    const measure =
      typeof pattern === "function"
        ? pattern
        : (waiting: Buffer) => {
            const at = waiting.indexOf(pattern, 0, "latin1")
            return at < 0 ? -1 : at + pattern.length
          }
    const what = typeof pattern === "function" ? "the awaited bytes" : JSON.stringify(pattern)
    let length = -1
    await this.#wait(() => (length = measure(this.incoming.peek())) >= 0, ms, what, true)
    return this.incoming.take(length)
  }

  async receiveBytes(count: number, ms: number = PATIENCE_MS): Promise<Buffer> {
    await this.#wait(() => this.incoming.length >= count, ms, `${count} bytes`, true)
    return this.incoming.take(count)
  }

  /** Everything up to the peer's FIN; fails on a reset. */
  async receiveRest(ms: number = PATIENCE_MS): Promise<Buffer> {
    await this.#wait(() => this.ending === "end", ms, "the end of the stream", true)
    return this.incoming.take(this.incoming.length)
  }

  /** Hands what waits and all that comes to `sink` instead of keeping it: for bodies too big to hold. */
  sink(sink: Sink): void {
    this.#sink = sink
    if (this.incoming.length > 0) sink(this.incoming.take(this.incoming.length))
  }

  /** Resolves when the peer has ended its side. */
  async closed(ms: number = PATIENCE_MS): Promise<{ by: Ending }> {
    await this.#wait(() => this.ending !== null, ms, "the end of the connection", false)
    return { by: this.ending ?? "ours" }
  }

  /** Resolves when verification of the peer's certificate is over, with its error or null. */
  async secured(ms: number = PATIENCE_MS): Promise<string | null> {
    await this.#wait(() => this.handshake !== null, ms, "the TLS handshake", true)
    return this.handshake?.error ?? null
  }

  /** FIN after what was sent; bytes of the peer still arrive. */
  async halfClose(): Promise<void> {
    if (this.#outgoing.length > 0) await this.send("")
    this.socket?.shutdown()
  }

  /** Close after what was sent. */
  async close(): Promise<void> {
    if (this.#outgoing.length > 0) await this.send("")
    this.#closing = true
    this.socket?.end()
  }

  /** RST now; what was not sent is lost. */
  reset(): void {
    this.#closing = true
    this.socket?.terminate()
  }

  /** Stops reading, so that the peer runs into our full receive window. */
  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  flush(): void {
    for (let next = this.#outgoing[0]; next !== undefined; next = this.#outgoing[0]) {
      if (next.bytes.length > 0) {
        const taken = this.socket === null ? -1 : this.socket.write(next.bytes)
        if (taken < 0 && this.socket !== null) return this.#giveUpSending()
        next.bytes = next.bytes.subarray(Math.max(taken, 0))
        if (next.bytes.length > 0) return
      }
      this.#outgoing.shift()
      next.done(true)
    }
  }

  receive(bytes: Buffer): void {
    this.bytesReceived += bytes.length
    if (this.#sink !== null) return this.#sink(bytes)
    this.#history.push(bytes)
    this.incoming.add(bytes)
    this.notify()
  }

  /** The peer will send no more. */
  end(by: Ending): void {
    this.ending ??= this.#closing ? "ours" : by
    this.notify()
  }

  /** The connection is gone in both directions. */
  gone(by: Ending): void {
    this.#giveUpSending()
    this.end(by)
  }

  notify(): void {
    for (const waiter of this.#waiters) {
      if (waiter.look()) continue
      if (this.ending !== null && waiter.needsBytes) {
        waiter.fail(new WireEnded(this.ending, waiter.what, Buffer.from(this.incoming.peek())))
      }
    }
  }

  #giveUpSending(): void {
    for (const { done } of this.#outgoing.splice(0)) done(false)
  }

  #wait(look: () => boolean, ms: number, what: string, needsBytes: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
      }
      const waiter: Waiter = {
        look: () => {
          const content = look()
          if (content) {
            settle()
            resolve()
          }
          return content
        },
        fail: (error) => {
          settle()
          reject(error)
        },
        what,
        needsBytes,
      }
      const timer =
        ms === Infinity ? undefined : setTimeout(() => waiter.fail(this.#late(ms, what)), ms)
      this.#waiters.add(waiter)
      this.notify()
    })
  }

  #late(ms: number, what: string): Error {
    return new Error(`waited ${ms} ms for ${what}; untaken: ${show(this.incoming.peek())}`)
  }
}

/** What Bun calls for a socket whose data is a Wire. */
export const wireHandlers: Omit<SocketHandler<Wire>, "open"> = {
  data: (socket, bytes) => socket.data.receive(bytes),
  drain: (socket) => socket.data.flush(),
  end: (socket) => socket.data.end("end"),
  close: (socket, error) => socket.data.gone(error ? "reset" : "end"),
  error: (socket) => socket.data.gone("reset"),
  handshake: (socket, _ok, error) => {
    socket.data.handshake = { error: error === null ? null : error.message }
    socket.data.notify()
    socket.data.flush()
  },
}

function show(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, 400).toString("latin1"))
  return bytes.length > 400 ? `${text}… (${bytes.length} bytes)` : text
}
