/**
 * The users of a backend connection: an exchange, then perhaps a tunnel, and the client that it is pinned to. They own
 * the connection and give it back; it only reports events. So the backend side knows nothing of clients.
 */
import type { DialFailure } from "../../net/dial-failure.ts"
import type { BackendStream } from "./backend-stream.ts"

/** An exchange, as its backend connection sees it. */
export interface BackendUser {
  /** The connection being opened for it. */
  dialing: BackendStream | null
  connected(connection: BackendStream): void
  /** No connection, and so no byte of the request sent. */
  dialFailed(failure: DialFailure): void
  receiveResponse(bytes: Buffer): void
  /** Has the kernel move body bytes from the backend's socket, as `Mover` says. */
  moveResponse(from: number): number | null
  /** The socket has taken bytes of the request. */
  backendDrained(connection: BackendStream): void
  /** The connection has ended, with a reset or in good order. */
  backendEnded(reset: boolean): void
  /** The deadline of the connection has passed. */
  backendLate(): void
  /** Probes have found that the backend has vanished, and nothing answers on this connection either. */
  backendVanished(connection: BackendStream): void
}

/** A tunnel, as its backend connection sees it. */
export interface TunnelUser {
  fromBackend(bytes: Buffer): void
  backendDrained(): void
  /** The backend has sent FIN. */
  backendEnded(): void
  /** The connection is gone. */
  backendClosed(reset: boolean): void
}

/** A client connection to which a backend connection is pinned (NTLM, Negotiate). */
export interface PinnedClient {
  pinned: BackendStream | null
  /** The pinned connection is gone. */
  pinnedLost(): void
}
