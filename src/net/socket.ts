/**
 * What the rooms above need of a Bun socket, plain or TLS, so that a connection does not depend on what its
 * owner is. BUN.md of this project, "Plain sockets", says what each call really does.
 */
export interface TcpSocket {
  readonly remoteAddress: string | undefined
  /** Bytes taken: maybe fewer than given, 0 when full, -1 when the socket is gone. Copies at once. */
  write(bytes: Uint8Array, from: number, length: number): number
  pause(): void
  resume(): void
  /** Sends FIN; the other direction stays open. */
  shutdown(): void
  /** close(2): what was written is still sent, what was not read makes it a reset. */
  end(): void
  /** Resets the connection. */
  terminate(): void
}
