/** Very many client connections, held as cheaply as Bun can. */
import type { Socket } from "bun"

const AT_ONCE = 100

export interface CrowdOptions {
  readonly port: number
  readonly size: number
  /** Called for each as it opens. */
  readonly opened?: (socket: Socket<Member>) => void
}

export interface Member {
  readonly index: number
  /** Bytes that came. */
  received: number
  closed: boolean
}

export class Crowd implements Disposable {
  readonly sockets: Socket<Member>[] = []
  closed = 0
  /** Connections that could not be made. */
  refused = 0
  received = 0

  static async gather(options: CrowdOptions): Promise<Crowd> {
    const crowd = new Crowd()
    for (let from = 0; from < options.size; from += AT_ONCE) {
      const length = Math.min(AT_ONCE, options.size - from)
      const indexes = Array.from({ length }, (_, offset) => from + offset)
      await Promise.all(indexes.map((index) => crowd.#connect(options, index)))
    }
    return crowd
  }

  /** Writes to everyone who is still there; nothing when it is nothing. */
  say(text: (member: Member) => string): void {
    for (const socket of this.sockets) {
      const said = socket.data.closed ? "" : text(socket.data)
      if (said !== "") socket.write(said)
    }
  }

  get open(): number {
    return this.sockets.length - this.closed
  }

  /** How many have had at least a byte. */
  get answered(): number {
    return this.sockets.filter(({ data }) => data.received > 0).length
  }

  /** Resets `count` of those who are still there. */
  leave(count: number): void {
    const present = this.sockets.filter(({ data }) => !data.closed)
    for (const socket of present.slice(0, count)) socket.terminate()
  }

  [Symbol.dispose](): void {
    this.leave(Infinity)
  }

  async #connect({ port, opened }: CrowdOptions, index: number): Promise<void> {
    try {
      const data = { index, received: 0, closed: false }
      const socket = await Bun.connect<Member>({
        hostname: "127.0.0.1",
        port,
        data,
        socket: this.#handlers,
      })
      this.sockets.push(socket)
      opened?.(socket)
    } catch {
      this.refused++
    }
  }

  readonly #handlers = {
    data: (socket: Socket<Member>, bytes: Buffer): void => {
      socket.data.received += bytes.length
      this.received += bytes.length
    },
    close: (socket: Socket<Member>): void => {
      if (socket.data.closed) return
      socket.data.closed = true
      this.closed++
    },
    error: (): void => {},
  }
}
