/**
 * How a client's connection is closed so that the client gets everything that bunlb has taken for it, however slowly
 * it reads. A connection that is closed with unread bytes is reset, and a reset destroys what is still on its way: so
 * bunlb sends FIN, reads and discards what the client still sends, and closes when the client has acknowledged all.
 *
 *   WRITING    the outbox still holds bytes         --all written--> SENDING
 *   SENDING    all is in the kernel, FIN sent       --all acknowledged--> DELIVERED
 *   DELIVERED  the client has it all                --its FIN, or LINGER_MS later--> closed
 *   WRITING, SENDING   --nothing acknowledged for timeouts.client_read--> reset, logged and counted
 *
 * Cost: for a client that closes when it has read everything one shutdown(2), and one look at its FIN. While one reads
 * slowly, one look at the kernel a second.
 */
import { hasFailed, isQuiet, unacknowledged } from "../../net/linux/peek.ts"
import type { TcpSocket } from "../../net/transport/socket.ts"
import type { ClientConnection } from "./client-connection.ts"
import type { Gateway } from "../core/gateway.ts"
import { cutReader, judgeReading, watchReading } from "./reading.ts"

/** Closes at once when the client has everything already. */
export const IN_ORDER = 0
/** A short answer to a client that is about to close: if it sends nothing more, the kernel delivers after the close. */
export const BRIEFLY = 3
/** The client may still be sending: reads on for a while in any case. */
export const READING_ON = 1
/** The response has no visible end, so a reset shows that it is incomplete; not before the client has what came. */
export const BY_RESET = 2

const WRITING = 0
const SENDING = 1
const DELIVERED = 2

/** How much is read after the last answer, and for how long: time for the client to read that answer. */
const LINGER_BYTES = 16 * 1024 * 1024
const LINGER_MS = 2000
/** When the kernel is asked whether the client has everything: soon, then less and less often. */
const FIRST_LOOK_MS = 100
const LAST_LOOK_MS = 1000

/** What became of a connection that had to end: nothing lost, cut, or still being sent by the kernel alone. */
type Stop = "clean" | "cut" | "sending"

/** bunlb stops now: whatever is under way for this client ends. */
export function stopClient(client: ClientConnection, gateway: Gateway): Stop {
  if (client.departure !== null) return client.departure.stop()
  const { active, response } = client.exchange
  if (client.outbox.size > 0 || (active && response.started)) gateway.figures.undelivered.stop++
  client.cut("K", "bunlb stopped")
  return "cut"
}

export class Departure {
  readonly #client: ClientConnection
  readonly #gateway: Gateway
  readonly #socket: TcpSocket
  readonly #manner: number
  /** The client's leave has been counted. */
  readonly #counted: boolean
  #state = WRITING
  #discarded = 0
  /** Bytes that the client has not acknowledged, at the last look; -1 before the first. */
  #left = -1
  #progressAt = 0
  #nextLookMs = FIRST_LOOK_MS

  constructor(
    client: ClientConnection,
    gateway: Gateway,
    socket: TcpSocket,
    manner: number,
    counted: boolean,
  ) {
    this.#client = client
    this.#gateway = gateway
    this.#socket = socket
    this.#manner = manner
    this.#counted = counted
  }

  begin(): void {
    const brief = this.#manner === BRIEFLY && this.#client.outbox.size === 0
    if (brief && isQuiet(this.#socket)) this.#finish()
    else if (this.#client.outbox.size > 0) watchReading(this.#client)
    else this.written()
  }

  /** Everything has been written to the socket. */
  written(): void {
    if (this.#state !== WRITING) return
    const client = this.#client
    const mayBeDone = this.#manner === IN_ORDER || this.#manner === BY_RESET || client.hasEnded
    if (mayBeDone && unacknowledged(this.#socket.fd) === 0) return this.#finish()
    this.#state = SENDING
    this.#progressAt = this.#gateway.clock.now()
    // A socket of Bun's may close, and say so, within this call.
    if (this.#manner !== BY_RESET) this.#socket.shutdown()
    if (client.fd >= 0) client.within(FIRST_LOOK_MS)
  }

  /** The client still sends. What comes beyond the limit stays in the kernel, and no close resets the answer. */
  received(bytes: Buffer): void {
    this.#discarded += bytes.length
    if (this.#discarded > LINGER_BYTES) this.#socket.pause()
  }

  /** The client has sent FIN. */
  ended(): void {
    if (this.#state === SENDING) this.#look()
    else if (this.#state === DELIVERED) this.#client.close()
  }

  expired(): void {
    if (this.#state === SENDING) this.#look()
    else if (this.#state === DELIVERED) this.#client.close()
    else judgeReading(this.#client, this.#gateway.figures)
  }

  #look(): void {
    const client = this.#client
    const { clientRead } = client.listener.timeouts
    const now = this.#gateway.clock.now()
    const left = unacknowledged(this.#socket.fd)
    if (left === 0) return this.#delivered()
    if (hasFailed(this.#socket.fd)) {
      this.gone(left)
      client.abort()
      return
    }
    if (left !== this.#left) {
      this.#left = left
      this.#progressAt = now
    } else if (now - this.#progressAt >= clientRead) return cutReader(client, this.#gateway.figures)
    client.within(Math.min(this.#nextLookMs, clientRead))
    this.#nextLookMs = Math.min(2 * this.#nextLookMs, LAST_LOOK_MS)
  }

  #delivered(): void {
    if (this.#manner === BY_RESET || this.#client.hasEnded) return this.#finish()
    this.#state = DELIVERED
    this.#client.record?.finish()
    this.#client.within(LINGER_MS)
  }

  /** The client has everything that it is to get. */
  #finish(): void {
    this.#state = DELIVERED
    this.#client.record?.finish()
    if (this.#manner === BY_RESET) this.#client.abort()
    else this.#client.close()
  }

  /** The connection is gone. `lost`: bytes that the client never acknowledged, -1 when they are not known. */
  gone(lost: number): void {
    const missing = this.#client.outbox.size + (lost < 0 ? this.#left : lost)
    if (this.#state === DELIVERED || missing <= 0 || this.#counted) return
    this.#gateway.figures.aborts++
    this.#client.record?.blame("C", "the client left before it had the whole response")
  }

  /** bunlb ends now. What the kernel has it goes on sending, for as long as it is not told to reset. */
  stop(): Stop {
    const client = this.#client
    if (this.#state === DELIVERED || (this.#state === SENDING && this.#isAcknowledged())) {
      this.#finish()
      return "clean"
    }
    if (this.#state === SENDING && this.#manner !== BY_RESET) {
      client.record?.blame("K", "bunlb stopped while the kernel was still sending the response")
      client.close()
      return "sending"
    }
    this.#gateway.figures.undelivered.stop++
    client.cut("K", "bunlb stopped")
    return "cut"
  }

  #isAcknowledged(): boolean {
    return unacknowledged(this.#socket.fd) === 0
  }
}
