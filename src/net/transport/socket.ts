/**
 * What the rooms above need of a socket, Bun's own or a direct one, plain or TLS, so that a connection does not
 * depend on what carries it. What each call says here is what both kinds really do.
 */
export interface TcpSocket {
  /** The descriptor, or -1 once it is closed. */
  readonly fd: number
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

/** Who hears what happens on a socket. */
export interface SocketOwner {
  /** `bytes` may be changed, and are the owner's until this returns: what is to stay must be copied. */
  received(bytes: Buffer): void
  /** There is room again after a short write. May be called without need. */
  drained(): void
  /**
   * The peer has sent FIN. After our own FIN it is told only while the peer has still to acknowledge bytes, and only by
   * a direct socket; else the connection is closed in good order.
   */
  ended(): void
  /** Reading is paused, and the peer has sent FIN behind bytes that are not read yet. Direct sockets alone tell it. */
  endsUnread?(): void
  /**
   * `reset`: the peer has broken off, or the network has. `lost`: bytes that the peer never acknowledged, -1 when they
   * are not known.
   */
  closed(reset: boolean, lost: number): void
  /** A handler threw: a fault of bunlb's own. */
  crashed(error: Error): void
}
