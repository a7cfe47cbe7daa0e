/**
 * A connection that bunlb opens, to carry requests or a probe. The dial can be given up at any time and says the
 * true reason when it fails, which `Bun.connect` by name or address does not: on Linux the socket is made and
 * connected by the C library. A plain one stays ours, one for TLS is handed to Bun by its descriptor.
 *
 *   DIALING   --connected--> OPEN, or SECURING when TLS
 *   SECURING  --certificate good--> OPEN
 *   any       --failed, late, closed, aborted--> CLOSED
 *
 * Exactly one of `opened` and `dialFailed` is called, and `closed` once after `opened`.
 */
import type { Socket, SocketHandler, TLSSocket } from "bun"
import type { Deadlined } from "../core/deadlines.ts"
import {
  type DialFailure,
  failureOfCode,
  failureOfErrno,
  immediateFailure,
  plainFailure,
  socketFailure,
} from "./dial-failure.ts"
import { type Dialer, DirectSocket } from "./linux/direct-socket.ts"
import { keepAlive } from "./linux/keepalive.ts"
import { libc } from "./linux/libc.ts"
import { isOver } from "./linux/peek.ts"
import type { Poller } from "./linux/poller.ts"
import type { SocketOwner, TcpSocket } from "./transport/socket.ts"
import { isConnectedToItself, reset } from "./linux/self-connect.ts"
import { sockaddr } from "./ip/sockaddr.ts"
import type { TlsClient } from "./tls/tls-client.ts"

const DIALING = 0
const SECURING = 1
const OPEN = 2
const CLOSED = 3

export interface DialLimits {
  readonly connect: number
  readonly tlsHandshake: number
}

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const ECONNREFUSED = 111
const EINPROGRESS = 115

export abstract class Outbound implements Deadlined, SocketOwner, Dialer {
  deadlineAt = Infinity
  deadlineSlot = -1
  phase = DIALING
  socket: TcpSocket | null = null
  /** `socket` when it is a direct one. */
  protected direct: DirectSocket | null = null
  readonly #tls: TlsClient | null
  readonly #limits: DialLimits
  readonly #poller: Poller | null
  /** The socket when it is Bun's. */
  #bun: Socket<Outbound> | null = null
  #connectBy = Infinity

  readonly #keepAlive: number

  /**
   * `direct`: waits for plain sockets; null where they are to be Bun's. `keepAlive`: see `linux/keepalive.ts`; 0 for
   * short connections.
   */
  constructor(tls: TlsClient | null, limits: DialLimits, direct: Poller | null, keepAlive = 0) {
    this.#tls = tls
    this.#poller = direct
    this.#limits = limits
    this.#keepAlive = keepAlive
  }

  /** Bytes may flow. */
  protected abstract opened(): void
  protected abstract dialFailed(failure: DialFailure): void
  abstract received(bytes: Buffer): void
  abstract drained(): void
  abstract ended(): void
  /** The open connection is gone. */
  protected abstract lost(reset: boolean): void
  /** A deadline of the open connection has passed. */
  protected abstract late(now: number): void
  abstract crashed(error: Error): void

  /** Begins. The outcome comes through `opened` or `dialFailed`, which may be called before this returns. */
  dial(ip: string, port: number, now: number): void {
    this.#connectBy = now + this.#limits.connect
    // Nothing tells when TCP stands and only TLS is missing: every sweep looks.
    this.deadlineAt = this.#tls === null ? this.#connectBy : now
    if (!DIALS_BY_DESCRIPTOR) return this.#connect({ hostname: ip, port })
    const address = sockaddr(ip, port)
    if (address === null) return this.#fail({ ...plainFailure, reason: "not an address" })
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
    const fd = libc().socket(address.family, type, 0)
    if (fd < 0) return this.#fail(socketFailure(libc().errno()))
    if (this.#keepAlive > 0) keepAlive(fd, this.#keepAlive)
    if (libc().connect(fd, address.bytes, address.bytes.length) < 0) {
      const errno = libc().errno()
      // The number alone is no proof that nothing is in progress.
      if (errno !== EINPROGRESS && isOver(fd)) {
        libc().close(fd)
        return this.#fail(immediateFailure(errno, ip))
      }
    }
    if (isConnectedToItself(fd, address.bytes)) {
      reset(fd)
      return this.#fail(failureOfErrno(ECONNREFUSED))
    }
    const direct = this.#tls === null ? this.#poller : null
    if (direct === null) return this.#connect({ fd })
    direct.kernel.noDelay(fd)
    this.socket = this.direct = new DirectSocket(direct, fd, this)
    this.direct.owner = this
  }

  /** The connect of a direct socket has ended. */
  connected(errno: number): void {
    if (this.phase !== DIALING) return
    if (errno === 0) this.#open()
    else this.#fail(failureOfErrno(errno))
  }

  #connect(target: { fd: number } | { hostname: string; port: number }): void {
    const tls = this.#tls === null ? {} : { tls: this.#tls.options }
    // `fd` is there, though Bun's types do not say so.
    const options = {
      ...target,
      ...tls,
      allowHalfOpen: true,
      data: this,
      socket: Outbound.#handlers,
    }
    Bun.connect<Outbound>(options as unknown as Bun.TCPSocketConnectOptions<Outbound>).catch(
      (error: unknown) => this.#fail(failureOfCode(codeOf(error))),
    )
  }

  /** The peer's machine has answered, though TLS may not have. */
  get isConnected(): boolean {
    if (this.phase !== DIALING) return this.phase !== CLOSED
    return this.#tls !== null && this.#bun !== null && hasPeer(this.#bun)
  }

  /** Gives up or closes at once, with a reset. Neither `dialFailed` nor `closed` follows. */
  abort(): void {
    this.#drop()
  }

  /** Closes in good order. Neither `dialFailed` nor `closed` follows. */
  retire(): void {
    const socket = this.socket
    this.phase = CLOSED
    this.deadlineAt = Infinity
    this.socket = null
    if (socket === null) return
    // TLS `end()` would hold the descriptor for seconds, and `terminate()` after it does nothing.
    if (this.#tls === null) socket.end()
    else {
      socket.shutdown()
      socket.terminate()
    }
  }

  expired(now: number): void {
    if (this.phase === OPEN) return this.late(now)
    if (this.phase === DIALING && this.#tls !== null) {
      const connected = this.#bun !== null && hasPeer(this.#bun)
      if (connected) {
        this.phase = SECURING
        this.deadlineAt = now + this.#limits.tlsHandshake
      }
      if (connected || now < this.#connectBy) return
    }
    const reason = this.phase === SECURING ? "TLS handshake timed out" : "connect timed out"
    this.#fail({ ...plainFailure, reason, timeout: true, tls: this.phase === SECURING })
  }

  #open(): void {
    this.phase = OPEN
    this.deadlineAt = Infinity
    this.opened()
  }

  #fail(failure: DialFailure): void {
    if (this.phase === CLOSED || this.phase === OPEN) return
    this.#drop()
    this.dialFailed(failure)
  }

  #drop(): void {
    const socket = this.socket
    this.phase = CLOSED
    this.deadlineAt = Infinity
    this.socket = null
    socket?.terminate()
  }

  #opening(socket: Socket<Outbound> & TcpSocket): void {
    if (this.phase === CLOSED) {
      socket.terminate()
      return
    }
    this.socket = this.#bun = socket
    if (!DIALS_BY_DESCRIPTOR && this.#keepAlive > 0) keepAlive(socket.fd, this.#keepAlive)
    if (!DIALS_BY_DESCRIPTOR && isOwnPeer(socket)) return this.#fail(failureOfErrno(ECONNREFUSED))
    if (this.#tls !== null) this.#tls.resume(socket as unknown as TLSSocket)
    else if (!DIALS_BY_DESCRIPTOR) this.#open()
  }

  /** On a descriptor of ours, the first drain with a peer's address says that the connection stands. */
  #writable(socket: Socket<Outbound>): void {
    if (this.phase === OPEN) this.drained()
    else if (this.phase === DIALING && this.#tls === null && hasPeer(socket)) this.#open()
  }

  #secured(socket: Socket<Outbound>, error: Error | null): void {
    if (this.#tls === null || this.phase === CLOSED || this.phase === OPEN) return
    const fault = this.#tls.fault(socket as unknown as TLSSocket, error)
    if (fault === null) this.#open()
    else this.#fail({ ...plainFailure, reason: fault, tls: true })
  }

  #gone(error: Error | undefined): void {
    if (this.phase === OPEN) return this.closed(error !== undefined)
    const tls = this.#tls !== null && codeOf(error) === ""
    this.#fail(
      tls
        ? { ...plainFailure, reason: "TLS: closed in handshake", tls }
        : failureOfCode(codeOf(error)),
    )
  }

  closed(reset: boolean): void {
    if (this.phase !== OPEN) return
    this.phase = CLOSED
    this.deadlineAt = Infinity
    this.socket = null
    this.lost(reset)
  }

  /** TLS found an alert or garbage in the stream: the peer's fault, and no good end of anything. */
  #broken(error: Error): void {
    const { socket } = this
    this.#gone(error)
    socket?.terminate()
  }

  /** What Bun calls. Each is idempotent: some are called without need, and `close` from inside `end()`. */
  static readonly #handlers: SocketHandler<Outbound> & SessionHandler = {
    open: (socket) => socket.data.#opening(socket as Socket<Outbound> & TcpSocket),
    data: (socket, bytes) => {
      if (socket.data.phase === OPEN) socket.data.received(bytes)
    },
    drain: (socket) => socket.data.#writable(socket),
    handshake: (socket, _ok, error) => socket.data.#secured(socket, error),
    session: (socket, session) => {
      const outbound = socket.data
      if (outbound.phase === OPEN) outbound.#tls?.remember(session)
    },
    end: (socket) => {
      if (socket.data.phase === OPEN) socket.data.ended()
      else socket.data.#gone(undefined)
    },
    close: (socket, error) => socket.data.#gone(error),
    error: (socket, error) => {
      if (codeOf(error) === "EPROTO") socket.data.#broken(error)
      else socket.data.crashed(error)
    },
  }
}

const DIALS_BY_DESCRIPTOR = process.platform === "linux"

/** Called with a TLS session to resume; Bun's types do not know it. */
interface SessionHandler {
  session(socket: Socket<Outbound>, session: Uint8Array): void
}

function isOwnPeer({ localAddress, localPort, remoteAddress, remotePort }: Socket<Outbound>) {
  return localPort === remotePort && localAddress === remoteAddress
}

function hasPeer(socket: Socket<Outbound>): boolean {
  return socket.remoteAddress !== undefined
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : ""
}
