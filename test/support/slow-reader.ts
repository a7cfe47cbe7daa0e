/**
 * A client that takes bytes from the kernel only when a test says so, with a receive buffer as small as it goes, so
 * that bunlb feels at once when it stops reading. Linux only.
 */
import { writeSync } from "node:fs"
import { libc } from "../../src/net/linux/libc.ts"
import { sockaddr } from "../../src/net/ip/sockaddr.ts"
import { shrinkReceiving } from "./socket-buffers.ts"
import { PATIENCE_MS, until } from "./until.ts"

const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000
const SHUT_WR = 1
const EAGAIN = 11
const POLL_MS = 2

export class SlowReader {
  readonly #fd: number
  readonly #pieces: Buffer[] = []
  readonly #buffer = new Uint8Array(64 * 1024)
  /** Bytes read so far. */
  taken = 0
  ending: "end" | "reset" | null = null

  private constructor(fd: number) {
    this.#fd = fd
  }

  static async connect(port: number, receiveBytes?: number): Promise<SlowReader> {
    const address = sockaddr("127.0.0.1", port)
    if (address === null) throw new Error("no address")
    const fd = libc().socket(address.family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0)
    shrinkReceiving(fd, receiveBytes)
    libc().connect(fd, address.bytes, address.bytes.length)
    return new SlowReader(fd)
  }

  /** Of a socket of Bun's that is paused, and has to stay so. */
  static over(socket: object | null, receiveBytes?: number): SlowReader {
    const fd = socket !== null && "fd" in socket ? Number(socket.fd) : -1
    shrinkReceiving(fd, receiveBytes)
    return new SlowReader(fd)
  }

  async send(text: string): Promise<void> {
    const sent = (): boolean => {
      try {
        return writeSync(this.#fd, text) === text.length
      } catch {
        return false
      }
    }
    await until(sent, PATIENCE_MS, "the connection")
  }

  /** Everything read so far. */
  get received(): Buffer {
    return Buffer.concat(this.#pieces)
  }

  /** `count` bytes, or fewer when the stream ends before. `ms` limits each wait for the next ones. */
  async receive(count: number, ms: number = PATIENCE_MS): Promise<Buffer> {
    const pieces: Buffer[] = []
    let left = count
    let waitsUntil = performance.now() + ms
    while (left > 0 && this.ending === null) {
      const length = Math.min(left, this.#buffer.length)
      const got = libc().recv(this.#fd, this.#buffer, length, 0)
      if (got > 0) {
        const piece = Buffer.from(this.#buffer.subarray(0, got))
        pieces.push(piece)
        this.#pieces.push(piece)
        this.taken += got
        left -= got
        waitsUntil = performance.now() + ms
      } else if (got === 0) this.ending = "end"
      else if (libc().errno() !== EAGAIN) this.ending = "reset"
      else if (performance.now() > waitsUntil) throw new Error(`nothing came for ${ms} ms`)
      else await Bun.sleep(POLL_MS)
    }
    return Buffer.concat(pieces)
  }

  /** Reads to the end and gives everything that was ever read. Fails on a reset. */
  async receiveRest(): Promise<Buffer> {
    await this.receiveUntilEnded()
    if (this.ending === "reset") throw new Error(`reset after ${this.taken} bytes`)
    return this.received
  }

  async receiveUntilEnded(): Promise<void> {
    await this.receive(Infinity)
  }

  halfClose(): void {
    libc().shutdown(this.#fd, SHUT_WR)
  }

  close(): void {
    libc().close(this.#fd)
  }
}
