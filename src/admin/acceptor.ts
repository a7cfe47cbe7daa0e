/**
 * Accepts connections to the admin listener, on a port or a unix socket, with Bun's sockets: in a master that serves
 * no clients direct ones would cost more than they spare. While it rests, the kernel goes on queueing.
 */
import type { Socket } from "bun"
import { libc } from "../net/linux/libc.ts"
import { acceptPackets, dropNewConnections } from "../net/linux/syn-filter.ts"
import type { SocketOwner, TcpSocket } from "../net/transport/socket.ts"

/** For connections on their way to a listener that retires. */
const ON_THEIR_WAY_MS = 300
/** Until the next try when there was no descriptor to accept with. */
const RETRY_MS = 1_000

export class AdminAcceptor {
  readonly #fd: number
  readonly #accept: (socket: TcpSocket) => SocketOwner | null
  #listener: { stop(): void } | null = null
  #closed = false
  /** Who is accepted hears nothing before it is told to. */
  #deaf = false

  /** Owns `fd`, which listens, from now on. `accept` returns null when it has closed the connection. */
  constructor(fd: number, accept: (socket: TcpSocket) => SocketOwner | null) {
    this.#fd = fd
    this.#accept = accept
  }

  /** Begins or goes on to accept. */
  resume(): void {
    if (this.#listener !== null || this.#closed) return
    const fd = libc().dup(this.#fd)
    if (fd >= 0) this.#listener = this.#listen(fd)
    if (this.#listener === null) setTimeout(() => this.resume(), RETRY_MS)
  }

  /** Null when there are no descriptors left to accept with. */
  #listen(fd: number): { stop(): void } | null {
    const options = {
      fd,
      allowHalfOpen: true,
      socket: {
        open: (socket: Socket<SocketOwner | null> & TcpSocket) => {
          socket.data = null
          if (this.#deaf) acceptPackets(socket.fd)
          socket.data = this.#accept(socket)
        },
        data: ({ data }: Socket<SocketOwner | null>, bytes: Buffer) => data?.received(bytes),
        drain: ({ data }: Socket<SocketOwner | null>) => data?.drained(),
        end: ({ data }: Socket<SocketOwner | null>) => data?.ended(),
        close: ({ data }: Socket<SocketOwner | null>) => data?.closed(false, -1),
        error: ({ data }: Socket<SocketOwner | null>, error: Error) => data?.crashed(error),
      },
    }
    type Options = Bun.TCPSocketListenOptions<SocketOwner | null>
    try {
      // `fd` is there, though Bun's types do not say so.
      return Bun.listen<SocketOwner | null>(options as unknown as Options)
    } catch {
      libc().close(fd)
      return null
    }
  }

  /** Accepts no more for now. */
  pause(): void {
    this.#listener?.stop()
    this.#listener = null
  }

  /** Accepts those who have begun to connect, then closes. */
  async finish(): Promise<void> {
    if (!this.#closed) this.#deaf = dropNewConnections(this.#fd)
    await Bun.sleep(ON_THEIR_WAY_MS)
    this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.pause()
    libc().close(this.#fd)
  }
}
