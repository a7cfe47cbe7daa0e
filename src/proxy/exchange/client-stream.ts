/**
 * A client's side of an exchange, as the exchange and a tunnel see it. An HTTP/1 connection is its own only stream.
 */
import type { HeadPlan } from "../../h1/request-writer.ts"
import type { Outbox } from "../../net/outbox.ts"
import type { PinnedClient } from "../backend/backend-user.ts"
import type { Pool } from "../backend/pool.ts"
import type { ExchangeRecord, Who } from "../core/exchange-record.ts"
import type { Tunnel } from "./tunnel.ts"

/** What an exchange asks of the listener that its client came by. */
export interface ListenerFacts {
  /** It serves the requests of these clients. */
  readonly pool: Pool
  /** Responses get a Via line. */
  readonly addsResponseVia: boolean
  /** Every response asks its client to close the connection. */
  readonly leaving: boolean
  readonly settings: { readonly keepalive: { readonly client: number } }
}

export interface ClientStream extends PinnedClient {
  /** Counts connections of this process; names this one in traces. */
  readonly id: number
  /** The descriptor of the socket, or -1. */
  readonly fd: number
  /** What the requests of this client gain on their way. */
  readonly plan: HeadPlan
  /** What the access log will say, or null while there is none. */
  readonly record: ExchangeRecord | null
  readonly listener: ListenerFacts
  readonly outbox: Outbox
  deadlineAt: number
  /** The client has sent FIN. */
  readonly hasEnded: boolean

  /** Sends or keeps `bytes[from..to)`. */
  send(bytes: Buffer, from: number, to: number): void
  /** Sends a response of bunlb's own. */
  answer(status: number, text: string, keepAlive: boolean, bodiless: boolean): void
  /** Answers with a refusal of `http/refusal.ts` and closes. */
  refuse(refusal: number): void
  /**
   * Ends after an incomplete response: by FIN if the client `sees` that it is incomplete, else by a reset. `left`:
   * because the client has left, which is counted.
   */
  truncate(sees: boolean, left: boolean): void
  /** The exchange is over; `keepAlive`: the client may send another request. */
  exchangeDone(keepAlive: boolean): void
  /** The backend cannot take more of the request: pauses reading. */
  waitForBackend(): void
  backendReady(): void
  enterTunnel(tunnel: Tunnel): void
  /** Sends FIN and goes on reading. */
  shutdown(): void
  /** Closes once everything has been sent. */
  finish(): void
  /** Ends the connection for a reason of bunlb's own. */
  cut(who: Who, reason: string): void
}
