/**
 * A backend's side of an exchange, as the exchange and a tunnel see it: what they tell it, while `backend-user.ts` has
 * what it tells them. An HTTP/1 connection is its own only stream.
 */
import type { HeadPlan } from "../../h1/request-writer.ts"
import type { RequestMessage } from "../../http/request-message.ts"
import type { BackendUser, PinnedClient, TunnelUser } from "./backend-user.ts"
import type { Upstream } from "./upstream.ts"

export interface BackendStream {
  readonly upstream: Upstream
  /** Its events go to this exchange. */
  exchange: BackendUser | null
  /** When it is late with what is awaited from it. */
  deadlineAt: number
  /** The backend is not read. */
  readonly paused: boolean
  /** Bytes that may be sent before the source should pause; negative once it should have. */
  readonly room: number
  /** Bytes that were sent wait for the backend to take them. */
  readonly waits: boolean

  /**
   * Sends the head of a request, and with it what of the body follows it up to `bodyEnd`. `plan` and `requestId`: what
   * it gains on its way. `client`: its number, for traces.
   */
  sendHead(
    head: RequestMessage,
    bodyEnd: number,
    plan: HeadPlan,
    requestId: number,
    client: number,
  ): void
  /** Sends or keeps `bytes[from..to)` of a body, or of a tunnel. */
  send(bytes: Buffer, from: number, to: number): void
  pause(): void
  resume(): void
  /** Sets the time limit for what is awaited now. */
  awaitBackend(requestDone: boolean, responseStarted: boolean): void
  /** Whether a backend whose time is over is slow, not late, with taking the request: then it has another deadline. */
  isStillTaken(responseStarted: boolean): boolean
  /** More of a response is to come. `moves`: the kernel may move it. */
  stream(moves: boolean): void
  /** The peer has ended or spoken unasked, so that it must not be used. */
  isStale(): boolean

  /** Its events go to this tunnel, which has time limits of its own. */
  enterTunnel(tunnel: TunnelUser): void
  /** Whether the backend has acknowledged more since this was asked last, and has still more to get. */
  delivers(): boolean
  /** The backend's machine no longer answers. */
  readonly hasVanished: boolean
  /** Sends the end of a tunnel, and goes on reading. */
  shutdown(): void
  /** Closes once everything has been sent: the last of a tunnel. */
  finish(): void

  /** Both messages were complete: it goes back to its pool. */
  release(now: number): void
  /** It serves this client alone from now on. */
  pinTo(client: PinnedClient): void
  unpin(): void
  /** Ends in good order. */
  retire(): void
  /** Ends at once. */
  abort(): void
}
