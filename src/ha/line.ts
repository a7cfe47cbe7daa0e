/**
 * A connection of the watcher to its own machine, by address or unix socket. It can be dropped at any time, also while
 * it is still being made, and nothing is heard of it any more.
 */
import type { Socket, SocketHandler } from "bun"
import type { AdminAddress } from "../config/schema/admin-address.ts"

export interface LineEvents {
  opened(): void
  received(bytes: Buffer): void
  /** It is gone or could not be made; `refused`: nobody listens there. */
  gone(refused: boolean): void
}

export class Line {
  #socket: Socket<undefined> | null = null
  #dropped = false
  readonly #events: LineEvents
  /** True from the moment in which it stands. */
  open = false

  constructor(place: AdminAddress, events: LineEvents) {
    this.#events = events
    const socket: SocketHandler<undefined> = {
      open: (opened) => this.#opened(opened),
      data: (_socket, bytes) => {
        if (!this.#dropped) events.received(bytes)
      },
      close: () => this.#gone(false),
      error: () => this.#gone(false),
    }
    const dial =
      "path" in place
        ? Bun.connect({ unix: place.path, socket })
        : Bun.connect({ hostname: place.host, port: place.port, socket })
    dial.catch((error: unknown) => this.#gone(isRefusal(error)))
  }

  write(text: string): void {
    this.#socket?.write(text)
  }

  /** Ends it with a reset: it leaves nothing behind on either side. */
  drop(): void {
    this.#dropped = true
    this.#socket?.terminate()
  }

  #opened(socket: Socket<undefined>): void {
    this.#socket = socket
    this.open = true
    if (this.#dropped) socket.terminate()
    else this.#events.opened()
  }

  #gone(refused: boolean): void {
    if (this.#dropped) return
    this.#dropped = true
    this.#events.gone(refused)
  }
}

/** A socket's file that is not there, or that nobody listens at, counts too. */
function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : ""
  return code === "ECONNREFUSED" || code === "ENOENT"
}
