/**
 * Accepts from a listening descriptor itself: no dup, no second backlog, and the true reason when it cannot.
 */
import { DirectSocket } from "./direct-socket.ts"
import { READABLE } from "./kernel.ts"
import { libc } from "./libc.ts"
import type { Pollable, Poller } from "./poller.ts"
import type { SocketOwner, TcpSocket } from "../transport/socket.ts"

/** Connections accepted before others have their turn. */
const BATCH = 16
/** ENOMEM, EINVAL when another process has shut it, ENFILE, EMFILE, ENOBUFS: it would be so again at once. */
const LASTING = [12, 22, 23, 24, 105]

export class DirectListener<T extends SocketOwner> implements Pollable {
  readonly fd: number
  readonly #poller: Poller
  readonly #accept: (socket: TcpSocket, address: string) => T
  readonly #exhausted: () => void
  #stopped = false

  /** Accepts from now on. `exhausted` is called when nothing can be accepted: stop, and try again later. */
  constructor(
    poller: Poller,
    fd: number,
    accept: (socket: TcpSocket, address: string) => T,
    exhausted: () => void,
  ) {
    this.#poller = poller
    this.fd = fd
    this.#accept = accept
    this.#exhausted = exhausted
    poller.kernel.neverBlock(fd)
    poller.kernel.noDelay(fd)
    poller.watch(this, READABLE)
  }

  ready(): void {
    const { kernel } = this.#poller
    for (let i = 0; i < BATCH && !this.#stopped; i++) {
      const fd = kernel.accept(this.fd)
      if (fd < 0) return this.#acceptedNone()
      const socket = new DirectSocket(this.#poller, fd, null)
      try {
        socket.owner = this.#accept(socket, kernel.peerAddress())
      } finally {
        // It threw: nobody will ever hear of this connection.
        if (socket.owner === null) socket.terminate()
      }
    }
  }

  /** Whatever else failed concerned the one connection (accept(2), "Error handling"). */
  #acceptedNone(): void {
    if (LASTING.includes(libc().errno())) this.#exhausted()
  }

  /** Goes where every uncaught error goes, as it does from a handler of Bun's. */
  crashed(error: Error): void {
    queueMicrotask(() => {
      throw error
    })
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#poller.ignore(this.fd, true)
  }
}
