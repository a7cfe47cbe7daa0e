/**
 * Accepts connections on a listening descriptor, and can stop and go on without losing one: while nobody accepts, the
 * kernel goes on queueing.
 *
 * On Linux the descriptor, which `Bun.listen` has opened, is accepted from directly. Elsewhere Bun listens on a dup of
 * it and is stopped and started.
 */
import type { Socket } from "bun"
import { BunlbError } from "../core/errors.ts"
import { portOf } from "./linux/activation.ts"
import { DirectListener } from "./linux/direct-listener.ts"
import { handshakesEnd } from "./linux/handshakes.ts"
import { UNIX_CLIENT } from "../http/identity.ts"
import { plainAddress } from "./ip/address.ts"
import { libc } from "./linux/libc.ts"
import { keepAlive } from "./linux/keepalive.ts"
import { openQueue, SHARES_ONE, type Queue } from "./listeners.ts"
import { acceptPackets, dropNewConnections } from "./linux/syn-filter.ts"
import type { Poller } from "./linux/poller.ts"
import type { SocketOwner, TcpSocket } from "./transport/socket.ts"

export class Acceptor<T extends SocketOwner> {
  readonly #fd: number
  readonly #direct: Poller | null
  readonly #queue: Queue
  readonly #isUnix: boolean
  readonly #accept: (socket: TcpSocket, address: string) => T
  #listener: { stop(): void } | null = null
  #closed = false
  /** Who is accepted hears nothing before it is told to. */
  #deaf = false

  /**
   * Owns `fd` from now on. `direct`: waits for its connections; null where they are to be Bun's. `accept` is called for
   * every connection, with the peer's address.
   */
  constructor(
    fd: number,
    direct: Poller | null,
    accept: (socket: TcpSocket, address: string) => T,
    queue: Queue = SHARES_ONE ? "shared" : "own",
  ) {
    this.#fd = fd
    this.#queue = queue
    this.#isUnix = portOf(fd) === null
    this.#direct = direct
    this.#accept = (socket, address) => {
      if (this.#deaf) acceptPackets(socket.fd)
      return accept(socket, address)
    }
  }

  /** For connections accepted from now on: they inherit it from their listener. */
  keepAlive(idleMs: number): void {
    if (!this.#closed) keepAlive(this.#fd, idleMs)
  }

  get accepting(): boolean {
    return this.#listener !== null
  }

  /** Begins or goes on to accept. Without descriptors it stops by itself: to be called again after a while. */
  resume(): void {
    if (this.#listener !== null || this.#closed) return
    this.#listener =
      this.#direct === null
        ? this.#listenWithBun()
        : new DirectListener(this.#direct, this.#fd, this.#accept, () => this.pause())
    openQueue(this.#fd)
  }

  #listenWithBun(): { stop(): void } {
    const fd = libc().dup(this.#fd)
    if (fd < 0) throw new BunlbError("BUNLB_E_LISTEN", "cannot accept: out of file descriptors")
    const options = {
      fd,
      allowHalfOpen: true,
      socket: {
        open: (socket: Socket<T> & TcpSocket) => {
          const { remoteAddress } = socket
          if (this.#isUnix) socket.data = this.#accept(socket, UNIX_CLIENT)
          // A client that resets while it waits in the queue is accepted all the same, and has no address any more.
          else if (remoteAddress === undefined) socket.terminate()
          else socket.data = this.#accept(socket, plainAddress(remoteAddress))
        },
        data: (socket: Socket<T>, bytes: Buffer) => socket.data?.received(bytes),
        drain: (socket: Socket<T>) => socket.data?.drained(),
        end: (socket: Socket<T>) => socket.data?.ended(),
        close: (socket: Socket<T>, error?: Error) => socket.data?.closed(error !== undefined, -1),
        error: (socket: Socket<T>, error: Error) => socket.data?.crashed(error),
      },
    }
    // `fd` is there, though Bun's types do not say so.
    return Bun.listen<T>(options as unknown as Bun.TCPSocketListenOptions<T>)
  }

  /** Accepts no more for now; who knocks waits in the kernel. */
  pause(): void {
    this.#listener?.stop()
    this.#listener = null
  }

  /** Accepts who has knocked and nobody after them, so that a `close` some time later loses no one. */
  #dropNewConnections(): void {
    // With a socket that outlives this process, newcomers wait for the next one. Where the kernel cannot be told, who
    // is in the queue is reset now, and who has been accepted still has the time in which to say what he wants.
    if (this.#queue !== "own") this.close()
    else if (!this.#closed) this.#deaf = dropNewConnections(this.#fd)
  }

  /**
   * Accepts those who have begun to connect, then closes. Twice `limitMs` later at the latest: nobody may come at all
   * (reuseport-group.ts), and who comes nevertheless is ignored only when the others are in.
   */
  async finish(limitMs: number): Promise<void> {
    const isOurs = process.platform === "linux" && this.#queue === "own"
    if (isOurs) await this.#handshakesEnd(limitMs)
    // The file of a unix socket is gone by now: only the clients in the queue can still come.
    if (!this.#isUnix || this.#queue === "held") this.#dropNewConnections()
    if (isOurs) await this.#handshakesEnd(limitMs)
    else await Bun.sleep(limitMs)
    this.close()
  }

  async #handshakesEnd(limitMs: number): Promise<void> {
    const port = this.#closed ? null : portOf(this.#fd)
    if (port !== null) await handshakesEnd(this.#fd, port, limitMs)
  }

  /** Accepts no more, ever. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.pause()
    libc().close(this.#fd)
  }
}
