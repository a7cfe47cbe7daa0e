/**
 * Accepts connections on a listening descriptor, and can stop and go on without losing one: the descriptor is
 * held here, Bun gets a dup of it, so while Bun does not listen the kernel goes on queueing.
 */
import type { Socket } from "bun"
import { BunlbError } from "../observe/errors.ts"
import { isHeld } from "./activation.ts"
import { libc } from "./libc.ts"
import { ignoreNewcomers, openQueue } from "./listeners.ts"

/** What an accepted connection becomes. */
export interface Accepted {
  received(bytes: Buffer): void
  drained(): void
  /** The peer has sent FIN. */
  ended(): void
  /** `reset`: the peer has broken off, or the network has. */
  closed(reset: boolean): void
  crashed(error: Error): void
}

export class Acceptor<T extends Accepted> {
  readonly #fd: number
  readonly #accept: (socket: Socket<T>) => T
  #listener: { stop(): void } | null = null
  #closed = false

  /** Owns `fd` from now on. `accept` is called for every connection. */
  constructor(fd: number, accept: (socket: Socket<T>) => T) {
    this.#fd = fd
    this.#accept = accept
  }

  get accepting(): boolean {
    return this.#listener !== null
  }

  /** Begins or goes on to accept. */
  resume(): void {
    if (this.#listener !== null || this.#closed) return
    const fd = libc().dup(this.#fd)
    if (fd < 0) throw new BunlbError("BUNLB_E_LISTEN", "cannot accept: out of file descriptors")
    const options = {
      fd,
      allowHalfOpen: true,
      socket: {
        open: (socket: Socket<T>) => {
          if (isGone(socket)) socket.terminate()
          else socket.data = this.#accept(socket)
        },
        data: (socket: Socket<T>, bytes: Buffer) => socket.data?.received(bytes),
        drain: (socket: Socket<T>) => socket.data?.drained(),
        end: (socket: Socket<T>) => socket.data?.ended(),
        close: (socket: Socket<T>, error?: Error) => socket.data?.closed(error !== undefined),
        error: (socket: Socket<T>, error: Error) => socket.data?.crashed(error),
      },
    }
    // `fd` is there, though Bun's types do not say so.
    this.#listener = Bun.listen<T>(options as unknown as Bun.TCPSocketListenOptions<T>)
    openQueue(this.#fd)
  }

  /** Accepts no more for now; who knocks waits in the kernel. */
  pause(): void {
    this.#listener?.stop()
    this.#listener = null
  }

  /** Accepts who has knocked and nobody after them, so that a `close` some time later loses no one. */
  ignoreNewcomers(): void {
    // With a socket that outlives this process, newcomers wait for the next one.
    if (isHeld()) this.close()
    else if (!this.#closed) ignoreNewcomers(this.#fd)
  }

  /** Accepts no more, ever. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.pause()
    libc().close(this.#fd)
  }
}

/** Who resets while waiting in the queue is accepted all the same, and has no address any more. */
function isGone(socket: { readonly remoteAddress: string | undefined }): boolean {
  return socket.remoteAddress === undefined
}
