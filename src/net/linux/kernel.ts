/**
 * The kernel's own interface to sockets, on Linux. What a request costs is in these calls, so they are bound here
 * once and take numbers: descriptors and addresses. The rarer calls are in `libc.ts`.
 *
 * Cost: 5 to 20 ns a call over the kernel's own time. Each answers -1 on failure. The reason is in `errno`, as far as
 * that can be relied on: see `libc.ts`.
 * Sources: epoll(7), recv(2), send(2), accept4(2), splice(2), socket(7), ip(7).
 */
import { dlopen, ptr, type Pointer } from "bun:ffi"
import { UNIX_CLIENT } from "../../http/identity.ts"
import { textOfV6 } from "../ip/text.ts"
import { firstThatLoads, libc, libraryNames } from "./libc.ts"
import { isOver } from "./peek.ts"

export const READABLE = 0x1
export const WRITABLE = 0x4
/** An error or a reset. Told of without being asked for, as is `HUNG_UP`. */
export const FAILED = 0x8
/** Both directions have ended. */
export const HUNG_UP = 0x10
/** The peer has sent FIN; bytes before it may still be unread. */
export const PEER_ENDED = 0x2000

const ENOTCONN = 107

const CTL_ADD = 1
const CTL_DEL = 2
const CTL_MOD = 3
const CLOEXEC = 0o2000000
const NONBLOCK = 0o4000
const MSG_NOSIGNAL = 0x4000
const SOL_SOCKET = 1
const SO_ERROR = 4
const SO_LINGER = 13
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const F_GETFL = 3
const F_SETFL = 4

const F_SETPIPE_SZ = 1031
const SPLICE_MOVE = 1
const SPLICE_NONBLOCK = 2

/** Events that one wait can bring. */
const EVENTS = 512
/** In 32-bit words. struct epoll_event is packed on x64 alone: events, then 64 bits of data. */
const STRIDE = process.arch === "x64" ? 3 : 4
const DATA = STRIDE - 2

/** Memory that the kernel reads and writes. Its own ArrayBuffers, which never move. */
const event = new Int32Array(new ArrayBuffer(16))
const events = new Int32Array(new ArrayBuffer(EVENTS * STRIDE * 4))
const option = new Int32Array(new ArrayBuffer(8))
const optionLength = new Uint32Array(new ArrayBuffer(4))
const peer = new Uint8Array(new ArrayBuffer(28))
const peerWords = new Uint32Array(peer.buffer)
const peerLength = new Uint32Array(new ArrayBuffer(4))

/** Two struct iovec, in 32-bit words: address and length, 64 bits each; sendmsg(2). */
const pieces = new Uint32Array(new ArrayBuffer(32))
/** A struct msghdr of 56 bytes that names them: no address, no control data. */
const message = new BigUint64Array(new ArrayBuffer(56))
message[2] = BigInt(ptr(pieces))
message[3] = 2n

function putPiece(word: number, address: number, length: number): void {
  pieces[word] = address
  pieces[word + 1] = address / 0x1_0000_0000
  pieces[word + 2] = length
}

function load() {
  const { symbols } = firstThatLoads(libraryNames(process.platform, process.arch), (name) =>
    dlopen(name, {
      epoll_create1: { args: ["i32"], returns: "i32" },
      epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
      epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" },
      recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
      send: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
      sendmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
      accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
      fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
      close: { args: ["i32"], returns: "i32" },
      pipe2: { args: ["ptr", "i32"], returns: "i32" },
      splice: { args: ["i32", "ptr", "i32", "ptr", "usize", "u32"], returns: "i32" },
      read: { args: ["i32", "ptr", "usize"], returns: "i32" },
    }),
  )
  return symbols
}

/** A place in memory, which Bun's types keep apart from numbers. */
function at(address: number): Pointer {
  return address as Pointer
}

export interface Pipe {
  readonly into: number
  readonly out: number
}

export class Kernel {
  readonly #calls = load()
  readonly #event = ptr(event)
  readonly #message = ptr(message)
  readonly #events = ptr(events)
  readonly #option = ptr(option)
  readonly #optionLength = ptr(optionLength)
  readonly #peer = ptr(peer)
  readonly #peerLength = ptr(peerLength)

  /** The IPv4 peer of last time, which often is that of next time. */
  #lastAddress = 0
  #lastText = "0.0.0.0"

  createEpoll(): number {
    return this.#calls.epoll_create1(CLOEXEC)
  }

  watch(epoll: number, fd: number, interest: number): number {
    return this.#control(epoll, CTL_ADD, fd, interest)
  }

  change(epoll: number, fd: number, interest: number): number {
    return this.#control(epoll, CTL_MOD, fd, interest)
  }

  ignore(epoll: number, fd: number): number {
    return this.#control(epoll, CTL_DEL, fd, 0)
  }

  #control(epoll: number, operation: number, fd: number, interest: number): number {
    event[0] = interest
    event[DATA] = fd
    return this.#calls.epoll_ctl(epoll, operation, fd, this.#event)
  }

  /** Waits for at most `ms`. Returns how many events `eventAt` and `fdAt` tell of. */
  wait(epoll: number, ms: number): number {
    return this.#calls.epoll_wait(epoll, this.#events, EVENTS, ms)
  }

  eventAt(index: number): number {
    return events[index * STRIDE] ?? 0
  }

  fdAt(index: number): number {
    return events[index * STRIDE + DATA] ?? -1
  }

  receive(fd: number, address: number, length: number): number {
    return this.#calls.recv(fd, at(address), length, 0)
  }

  send(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.#calls.send(fd, ptr(bytes, from), length, MSG_NOSIGNAL)
  }

  /** The first `length` bytes of `head` and then `more` of `body`, which begin at `from`. */
  sendBoth(
    fd: number,
    head: Uint8Array,
    length: number,
    body: Uint8Array,
    from: number,
    more: number,
  ): number {
    putPiece(0, ptr(head), length)
    putPiece(4, ptr(body, from), more)
    return this.#calls.sendmsg(fd, this.#message, MSG_NOSIGNAL)
  }

  /** The next connection in the queue of `fd`; it does not block. Its peer is `peerAddress()`. */
  accept(fd: number): number {
    peerLength[0] = peer.length
    return this.#calls.accept4(fd, this.#peer, this.#peerLength, NONBLOCK | CLOEXEC)
  }

  /** Of the connection accepted last: dotted for IPv4, without zone for IPv6, `UNIX_CLIENT` for a unix socket. */
  peerAddress(): string {
    if (peer[0] === 1) return UNIX_CLIENT
    if (peer[0] !== 2) return textOfV6(peer.subarray(8, 24))
    const address = peerWords[1] ?? 0
    if (address !== this.#lastAddress) {
      this.#lastAddress = address
      this.#lastText = `${peer[4]}.${peer[5]}.${peer[6]}.${peer[7]}`
    }
    return this.#lastText
  }

  /** errno of a connect that has ended; 0 when the connection stands. Asking takes the reason away. */
  connectFault(fd: number): number {
    optionLength[0] = 4
    option[0] = 0
    const read = this.#calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#option, this.#optionLength)
    if (read < 0) return libc().errno()
    return option[0] === 0 && isOver(fd) ? ENOTCONN : option[0]
  }

  /** Small writes go out at once. Accepted connections inherit it from their listener. */
  noDelay(fd: number): void {
    option[0] = 1
    this.#calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, this.#option, 4)
  }

  neverBlock(fd: number): void {
    const flags = this.#calls.fcntl(fd, F_GETFL, 0)
    if (flags >= 0) this.#calls.fcntl(fd, F_SETFL, flags | NONBLOCK)
  }

  /** A pipe for `splice`, of `size` bytes where the system allows. Null when there are no descriptors. */
  pipe(size: number): Pipe | null {
    if (this.#calls.pipe2(this.#option, NONBLOCK | CLOEXEC) < 0) return null
    const [out = -1, into = -1] = option
    this.#calls.fcntl(into, F_SETPIPE_SZ, size)
    return { into, out }
  }

  /** Moves bytes from a socket into a pipe or out of one, without a copy. */
  splice(from: number, to: number, length: number): number {
    return this.#calls.splice(from, null, to, null, length, SPLICE_MOVE | SPLICE_NONBLOCK)
  }

  read(fd: number, address: number, length: number): number {
    return this.#calls.read(fd, at(address), length)
  }

  close(fd: number): void {
    this.#calls.close(fd)
  }

  /** Closes with a reset: what was not sent is dropped. */
  reset(fd: number): void {
    option[0] = 1
    option[1] = 0
    this.#calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#option, 8)
    this.#calls.close(fd)
  }
}
