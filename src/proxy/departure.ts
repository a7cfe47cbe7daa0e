/**
 * How a client's connection is closed in such a way that what was sent to it is not lost.
 *
 *   FLUSH   the outbox still holds bytes              --all written--> LINGER or closed
 *   LINGER  our FIN is sent; whatever the client still sends is read and discarded, because a connection that is
 *           closed with unread bytes is reset, and a reset destroys an answer that is still on its way
 */
import type { TcpSocket } from "../net/socket.ts"
import type { ClientConnection } from "./client-connection.ts"

/** How much is read after the last answer, and for how long: time for the client to read that answer. */
const LINGER_BYTES = 16 * 1024 * 1024
const LINGER_MS = 2000

export class Departure {
  readonly #client: ClientConnection
  readonly #socket: TcpSocket
  /** Reads on after the last byte is written. */
  readonly #lingers: boolean
  #discarded = 0

  constructor(client: ClientConnection, socket: TcpSocket, lingers: boolean) {
    this.#client = client
    this.#socket = socket
    this.#lingers = lingers
  }

  begin(): void {
    if (this.#client.outbox.size > 0) this.#client.within(this.#client.timeouts.clientBody)
    else this.written()
  }

  /** Everything has been written to the socket. */
  written(): void {
    if (!this.#lingers || this.#client.hasEnded) return this.#client.close()
    this.#client.within(LINGER_MS)
    this.#socket.shutdown()
  }

  /** The client still sends. */
  received(bytes: Buffer): void {
    if (!this.#lingers) return
    this.#discarded += bytes.length
    if (this.#discarded > LINGER_BYTES) this.#client.abort()
  }

  /** The client has sent FIN. */
  ended(): void {
    if (this.#lingers && this.#client.outbox.size === 0) this.#client.close()
  }

  expired(): void {
    this.#client.cut("c", "nothing came in time")
  }
}
