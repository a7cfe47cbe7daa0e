/**
 * A client's side of an exchange, as the exchange and a tunnel see it. An HTTP/1 connection is its own only stream.
 */
import type { HeadPlan } from "../../h1/request-writer.ts"
import type { ResponseMessage } from "../../http/response-message.ts"
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
}

export interface ClientStream extends PinnedClient {
  /** Counts connections of this process; names this one in traces. */
  readonly id: number
  /** What the requests of this client gain on their way. */
  readonly plan: HeadPlan
  /** What the access log will say, or null while there is none. */
  readonly record: ExchangeRecord | null
  readonly listener: ListenerFacts
  /** When the tunnel wants to look again; nothing else may set it. */
  deadlineAt: number
  /** The client has sent FIN. */
  readonly hasEnded: boolean

  /** Chunked framing may pass as it is; else bodies come without it. */
  readonly takesChunks: boolean
  /** Bytes that may be sent before the source should pause; negative once it should have. */
  readonly room: number
  /** The descriptor to which the kernel may move body bytes, or -1 while it may not. */
  readonly sink: number

  /** Whether the client can tell where a response framed like this ends before its connection does. */
  delimits(framing: number): boolean
  /** Sends a response with a status below 200 on, where the client knows such. */
  sendInterim(head: ResponseMessage): void
  /**
   * Sends the final head on, and with it what of the body follows it up to `bodyEnd`. `cookie`: a line to add.
   * `goesOn`: the client may send another request after this response.
   */
  sendHead(head: ResponseMessage, bodyEnd: number, cookie: Uint8Array | null, goesOn: boolean): void
  /** Sends the head of a 101 on, and with it the first bytes of the new protocol that follow it. */
  sendSwitch(head: ResponseMessage): void
  /** Sends or keeps `bytes[from..to)` of a body, or of a tunnel. */
  send(bytes: Buffer, from: number, to: number): void
  /** The kernel has moved so many bytes to `sink`. */
  moved(count: number): void
  /** Sends a response of bunlb's own. `mayGoOn`: another request may follow. */
  answer(status: number, text: string, mayGoOn: boolean, bodiless: boolean): void
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
  /** Bytes that were sent wait for the client to take them. */
  readonly waits: boolean
  /** Whether the client has acknowledged more since this was asked last, and has still more to get. */
  delivers(): boolean
  /** The client's machine no longer answers. */
  readonly hasVanished: boolean
  /** Sends FIN and goes on reading. */
  shutdown(): void
  /** Closes once everything has been sent. */
  finish(): void
  /** Ends the connection for a reason of bunlb's own. */
  cut(who: Who, reason: string): void
}
