/**
 * A TCP socket without Bun between it and the kernel: what is received lies in memory that all sockets share, so it
 * is the owner's only until `received` returns, and nothing is allocated for it.
 *
 *   CONNECTING --writable--> open --FIN received--> ended      reading: open, not paused, not ended
 *   any --end, terminate, lost--> closed (fd -1)
 *
 * Cost: one recv(2) for what has come, one send(2) for what goes; epoll_ctl(2) only when a write was short, or at
 * pause and resume.
 */
import type { Kernel } from "./kernel.ts"
import { FAILED, HUNG_UP, PEER_ENDED, READABLE, WRITABLE } from "./kernel.ts"
import { libc } from "./libc.ts"
import { isOver, unacknowledged } from "./peek.ts"
import type { Pollable, Poller } from "./poller.ts"
import { receivedBytes, RECEIVE_ADDRESS, RECEIVE_SIZE } from "./receive-memory.ts"
import type { SocketOwner, TcpSocket } from "../transport/socket.ts"

/** Full reads of one socket before others have their turn. */
const READS = 4
const SHUT_WR = 1

/** Hears whether a connect has succeeded: errno, 0 when it has. */
export interface Dialer {
  connected(errno: number): void
}

/** Takes over what would be received, so that the kernel can move it. */
export interface Mover {
  /** Returns how many bytes have left `from`, 0 at FIN, -1 at a reset; null when they are to be received after all. */
  move(from: number): number | null
}

export class DirectSocket implements TcpSocket, Pollable {
  fd: number
  readonly #poller: Poller
  readonly #kernel: Kernel
  /** Set before the first event. */
  owner: SocketOwner | null = null
  /** Bytes that one read brings at most. */
  readSize = RECEIVE_SIZE
  mover: Mover | null = null
  #dialer: Dialer | null
  #interest: number
  #paused = false
  /** The peer's FIN has been read. */
  #ended = false
  /** The owner has been told of a FIN behind unread bytes. */
  #endTold = false
  /** Our FIN has been sent. */
  #shut = false
  /** A write was short: told when there is room again. */
  #full = false
  /** A write has failed. It has used up the news of a reset, so an end that follows is none in good order. */
  #broken = false
  /** Out of the poller while paused, because the kernel would tell of the hang-up again and again. */
  #parked = false

  /** Owns `fd`, which must not block. With a `dialer` it is still connecting. */
  constructor(poller: Poller, fd: number, dialer: Dialer | null) {
    this.#poller = poller
    this.#kernel = poller.kernel
    this.fd = fd
    this.#dialer = dialer
    this.#interest = dialer === null ? READABLE : WRITABLE
    poller.watch(this, this.#interest)
  }

  ready(events: number): void {
    if (this.#dialer !== null) return this.#connected(this.#dialer)
    if ((events & WRITABLE) !== 0 && this.#full) {
      this.#full = false
      this.owner?.drained()
      this.#update()
    }
    if (this.fd < 0 || (events & ~WRITABLE) === 0) return
    if ((events & this.#interest & PEER_ENDED) !== 0) {
      this.#endTold = true
      this.#update()
      this.owner?.endsUnread?.()
      return
    }
    if ((this.#interest & READABLE) !== 0) this.#receive()
    else if ((events & (FAILED | HUNG_UP)) !== 0) {
      this.#hangUp(this.#broken || (events & FAILED) !== 0)
    }
  }

  crashed(error: Error): void {
    this.owner?.crashed(error)
  }

  write(bytes: Uint8Array, from: number, length: number): number {
    if (this.fd < 0 || this.#shut || this.#broken) return -1
    return this.#sent(this.#kernel.send(this.fd, bytes, from, length), length)
  }

  /** As `write`, for the first `length` bytes of `head` and then `more` of `body`, in one call. */
  writeBoth(
    head: Uint8Array,
    length: number,
    body: Uint8Array,
    from: number,
    more: number,
  ): number {
    if (this.fd < 0 || this.#shut || this.#broken) return -1
    const taken = this.#kernel.sendBoth(this.fd, head, length, body, from, more)
    return this.#sent(taken, length + more)
  }

  /** `taken` of `length` bytes have gone, or -1. Returns what `write` does. */
  #sent(taken: number, length: number): number {
    if (taken === length) return taken
    // A full buffer or a lack of memory passes; only the end of the connection does not.
    if (taken < 0 && isOver(this.fd)) {
      this.#broken = true
      return -1
    }
    this.#full = true
    this.#update()
    return Math.max(0, taken)
  }

  pause(): void {
    this.#paused = true
    this.#update()
  }

  resume(): void {
    this.#paused = false
    this.#update()
  }

  shutdown(): void {
    if (this.fd < 0 || this.#shut) return
    this.#shut = true
    libc().shutdown(this.fd, SHUT_WR)
    this.#update()
  }

  end(): void {
    const fd = this.#leave()
    if (fd >= 0) this.#kernel.close(fd)
  }

  terminate(): void {
    const fd = this.#leave()
    if (fd >= 0) this.#kernel.reset(fd)
  }

  #connected(dialer: Dialer): void {
    this.#dialer = null
    dialer.connected(this.#kernel.connectFault(this.fd))
    this.#update()
  }

  #receive(): void {
    for (let reads = 0; reads < READS; reads++) {
      const size = this.readSize
      const moved = this.mover === null ? null : this.mover.move(this.fd)
      const length = moved ?? this.#kernel.receive(this.fd, RECEIVE_ADDRESS, size)
      if (length <= 0) return this.#receivedNothing(length)
      if (moved === null) this.owner?.received(receivedBytes(length))
      if (this.#paused || this.fd < 0 || length < (moved === null ? size : RECEIVE_SIZE)) return
    }
  }

  #receivedNothing(length: number): void {
    if (length === 0) this.#end()
    else if (isOver(this.fd)) this.#lost(true)
  }

  /** After our own FIN the peer's is the close in good order, once the peer has everything. */
  #end(): void {
    if (this.#broken) return this.#lost(true)
    if (this.#shut) {
      if (unacknowledged(this.fd) === 0) return this.#lost(false)
      this.#park()
    }
    this.#ended = true
    this.#update()
    this.owner?.ended()
  }

  /** Reading is paused or over, and the kernel reports that both directions have ended. */
  #hangUp(failed: boolean): void {
    if (this.#ended && (failed || !this.#shut || unacknowledged(this.fd) === 0)) {
      return this.#lost(failed)
    }
    // The owner has heard of the FIN, and will ask when the peer has acknowledged the rest.
    if (!failed) return this.#park()
    // What came before the reset is still there, and the owner is told of the reset at once.
    this.#receiveRest()
    if (this.fd >= 0) this.#lost(true)
  }

  /** Leaves the poller, which would report the same hang-up again and again. */
  #park(): void {
    this.#parked = true
    this.#poller.ignore(this.fd, true)
  }

  #receiveRest(): void {
    let length = RECEIVE_SIZE
    while (length > 0 && this.fd >= 0) {
      length = this.#kernel.receive(this.fd, RECEIVE_ADDRESS, RECEIVE_SIZE)
      if (length > 0) this.owner?.received(receivedBytes(length))
    }
  }

  #lost(reset: boolean): void {
    const lost = reset ? unacknowledged(this.fd) : 0
    this.end()
    this.owner?.closed(reset, lost)
  }

  #update(): void {
    if (this.fd < 0 || this.#dialer !== null) return
    const reads = !this.#paused && !this.#ended
    const looks = this.#paused && !this.#endTold && this.owner?.endsUnread !== undefined
    const interest = (reads ? READABLE : 0) | (this.#full ? WRITABLE : 0) | (looks ? PEER_ENDED : 0)
    if (this.#parked && reads) {
      this.#parked = false
      this.#interest = interest
      this.#poller.watch(this, interest)
    } else if (interest !== this.#interest) {
      this.#interest = interest
      if (!this.#parked) this.#poller.change(this, interest)
    }
  }

  /** Returns the descriptor, which is the caller's to close now; -1 when that has been done. */
  #leave(): number {
    const { fd } = this
    if (fd >= 0 && !this.#parked) this.#poller.ignore(fd, false)
    this.fd = -1
    return fd
  }
}
