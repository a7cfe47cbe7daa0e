/**
 * A connection that bunlb opens, to carry requests or a probe. The dial can be given up at any time and says the
 * true reason when it fails, which `Bun.connect` by name or address does not: on Linux the socket is made and
 * connected by the C library and handed to Bun by its descriptor (BUN.md of this project, trap 3).
 *
 *   DIALING   --connected--> OPEN, or SECURING when TLS
 *   SECURING  --certificate good--> OPEN
 *   any       --failed, late, closed, aborted--> CLOSED
 *
 * Exactly one of `opened` and `dialFailed` is called, and `closed` once after `opened`.
 */
import type { Socket, SocketHandler, TLSSocket } from "bun"
import type { Deadlined } from "./deadlines.ts"
import { libc } from "./libc.ts"
import { sockaddr } from "./sockaddr.ts"
import type { TlsClient } from "./tls-client.ts"

const DIALING = 0
const SECURING = 1
const OPEN = 2
const CLOSED = 3

/** What a failed dial means. */
export interface DialFailure {
  /** From a small fixed set: "connect refused". */
  readonly reason: string
  /** bunlb itself lacks descriptors or ports: says nothing about the backend. */
  readonly local: boolean
  readonly timeout: boolean
  readonly tls: boolean
}

export interface DialLimits {
  readonly connect: number
  readonly tlsHandshake: number
}

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const EINPROGRESS = 115
const EAGAIN = 11
const EADDRNOTAVAIL = 99

export abstract class Outbound implements Deadlined {
  deadlineAt = Infinity
  deadlineSlot = -1
  phase = DIALING
  socket: Socket<Outbound> | null = null
  readonly #tls: TlsClient | null
  readonly #limits: DialLimits
  #connectBy = Infinity

  constructor(tls: TlsClient | null, limits: DialLimits) {
    this.#tls = tls
    this.#limits = limits
  }

  /** Bytes may flow. */
  protected abstract opened(): void
  protected abstract dialFailed(failure: DialFailure): void
  abstract received(bytes: Buffer): void
  abstract drained(): void
  /** The peer has sent FIN. */
  abstract ended(): void
  protected abstract closed(reset: boolean): void
  /** A deadline of the open connection has passed. */
  protected abstract late(now: number): void
  /** A handler threw: a fault of bunlb's own. */
  abstract crashed(error: Error): void

  /** Begins. The outcome comes through `opened` or `dialFailed`, which may be called before this returns. */
  dial(ip: string, port: number, now: number): void {
    this.#connectBy = now + this.#limits.connect
    // Nothing tells when TCP stands and only TLS is missing: every sweep looks.
    this.deadlineAt = this.#tls === null ? this.#connectBy : now
    if (!DIALS_BY_DESCRIPTOR) return this.#connect({ hostname: ip, port })
    const address = sockaddr(ip, port)
    if (address === null) return this.#fail({ ...plain, reason: "not an address" })
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
    const fd = libc().socket(address.family, type, 0)
    if (fd < 0) return this.#fail({ ...plain, reason: "out of descriptors", local: true })
    if (libc().connect(fd, address.bytes, address.bytes.length) < 0) {
      const errno = libc().errno()
      if (errno !== EINPROGRESS) {
        libc().close(fd)
        return this.#fail(immediateFailure(errno))
      }
    }
    this.#connect({ fd })
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
      (error: unknown) => this.#fail(failureOf(error)),
    )
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
    // TLS `end()` would hold the descriptor for seconds (trap 5).
    if (this.#tls === null) socket.end()
    else {
      socket.shutdown()
      socket.terminate()
    }
  }

  expired(now: number): void {
    if (this.phase === OPEN) return this.late(now)
    if (this.phase === DIALING && this.#tls !== null) {
      const connected = this.socket !== null && hasPeer(this.socket)
      if (connected) {
        this.phase = SECURING
        this.deadlineAt = now + this.#limits.tlsHandshake
      }
      if (connected || now < this.#connectBy) return
    }
    const reason = this.phase === SECURING ? "TLS handshake timed out" : "connect timed out"
    this.#fail({ reason, local: false, timeout: true, tls: this.phase === SECURING })
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

  #opening(socket: Socket<Outbound>): void {
    if (this.phase === CLOSED) {
      socket.terminate()
      return
    }
    this.socket = socket
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
    else this.#fail({ ...plain, reason: fault, tls: true })
  }

  #gone(error: Error | undefined): void {
    if (this.phase === CLOSED) return
    if (this.phase !== OPEN) {
      const tls = this.#tls !== null && codeOf(error) === ""
      this.#fail(tls ? { ...plain, reason: "TLS: closed in handshake", tls } : failureOf(error))
      return
    }
    this.phase = CLOSED
    this.deadlineAt = Infinity
    this.socket = null
    this.closed(error !== undefined)
  }

  /** TLS found an alert or garbage in the stream: the peer's fault, and no good end of anything. */
  #broken(error: Error): void {
    const { socket } = this
    this.#gone(error)
    socket?.terminate()
  }

  /** What Bun calls. Each is idempotent, because Bun calls some without need (traps 10 and 11). */
  static readonly #handlers: SocketHandler<Outbound> & SessionHandler = {
    open: (socket) => socket.data.#opening(socket),
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

function hasPeer(socket: Socket<Outbound>): boolean {
  return socket.remoteAddress !== undefined
}

const plain = { local: false, timeout: false, tls: false } as const

function immediateFailure(errno: number): DialFailure {
  const local = errno === EAGAIN || errno === EADDRNOTAVAIL
  return { ...plain, reason: local ? "out of local ports" : "unreachable", local }
}

const reasons: Record<string, string> = {
  ECONNREFUSED: "connect refused",
  ETIMEDOUT: "connect timed out",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
}

function failureOf(error: unknown): DialFailure {
  const code = codeOf(error)
  return { ...plain, reason: reasons[code] ?? `connect failed ${code}`.trim() }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : ""
}
