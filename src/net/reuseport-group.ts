/**
 * The listening sockets that share one port (SO_REUSEPORT), as the kernel lists them. It picks one of the list for each
 * new connection. While some of them leave, a program attached to the list picks one of the others, at random: no first
 * packet reaches a socket that is about to close, and what is in its queue can be accepted in peace.
 *
 * The program answers with a place in the list, so the list has to be known. The kernel keeps it in this way: a socket
 * joins at the end when it begins to listen; when it stops, by its last close or a shutdown, the last of the list moves
 * into its place. Both happen here, in the process that holds a descriptor of every socket. A place beyond the end of
 * the list counts as no answer, and the kernel picks as without a program.
 *
 * Where the list is not known or the kernel refuses the program, nothing is attached, and a socket that leaves drops
 * first packets instead (newcomers.ts), which costs some clients a second. It does that in any case just before it
 * closes: should the list ever be wrong, no connection is reset.
 * Sources: socket(7), SO_ATTACH_REUSEPORT_CBPF (Linux 4.5, no privilege); net/core/sock_reuseport.c.
 */
import { ptr } from "bun:ffi"
import { fstatSync } from "node:fs"
import { libc } from "./linux/libc.ts"
import { closeListeners, closeQueue, openQueue, SHARES_ONE, type Queue } from "./listeners.ts"

const SOL_SOCKET = 1
const SO_ATTACH_REUSEPORT_CBPF = 51
/** Linux 5.3. */
const SO_DETACH_REUSEPORT_BPF = 68
const ENOENT = 2
/** As an operand of "load": a random number instead of a part of the packet. SKF_AD_OFF + SKF_AD_RANDOM. */
const RANDOM = 0xffff_f000 + 56
/** What the kernel takes in one program (BPF_MAXINSNS), two a socket. */
const MOST_PLACES = 2_000

interface Member {
  /** As the kernel numbers it: every descriptor of one socket has the same. */
  readonly socket: number
  leaving: boolean
}

export class ReuseportGroup {
  /** As the kernel lists them, or null when that is not known. */
  readonly #members: Member[] | null
  /** The descriptors of each socket that are in use. */
  readonly #held = new Map<number, readonly number[]>()
  /** While a program is attached, a descriptor of our own through which it is changed: of a socket that listens. */
  #anchor = -1

  readonly #queue: Queue

  /** `listening`: those that listen already, in the order in which they began to; null when that is not known. */
  constructor(listening: readonly number[] | null, queue: Queue = SHARES_ONE ? "shared" : "own") {
    this.#queue = queue
    const isKnown = listening !== null && queue === "own"
    this.#members = isKnown
      ? listening.map((fd) => ({ socket: socketOf(fd), leaving: false }))
      : null
  }

  /** Owns `fd` until `release`. */
  hold(fd: number): void {
    const socket = socketOf(fd)
    this.#held.set(socket, [...this.#heldOf(socket), fd])
  }

  /** Listens at `fd`; does nothing to one that listens. */
  open(fd: number): void {
    openQueue(fd)
    const socket = socketOf(fd)
    if (this.#members === null || this.#members.some((member) => member.socket === socket)) return
    this.#members.push({ socket, leaving: false })
    // A bunlb before this one may have been killed while its program was attached.
    if (this.#anchor < 0) detach(fd)
    this.#steer()
  }

  /** Stops listening at `fd` until `open`: see `closeQueue`. */
  close(fd: number): void {
    if (this.#queue === "own") this.#remove(socketOf(fd), () => closeQueue(fd))
  }

  /** From now on no new connection goes to these, as long as there are others. */
  leave(fds: readonly number[]): void {
    const sockets = new Set(fds.map(socketOf))
    for (const member of this.#members ?? []) {
      if (sockets.has(member.socket)) member.leaving = true
    }
    this.#steer()
  }

  /** Closes `fd`, which is not used any more. `isShared`: another process goes on with the socket. */
  release(fd: number, isShared = false): void {
    const socket = socketOf(fd)
    const others = this.#heldOf(socket).filter((each) => each !== fd)
    if (others.length > 0) this.#held.set(socket, others)
    else this.#held.delete(socket)
    if (others.length > 0 || isShared) closeListeners([fd])
    else this.#remove(socket, () => closeListeners([fd]))
  }

  /** The places in the list of these descriptors, or null when they are not known. */
  placesOf(fds: readonly number[]): readonly number[] | null {
    const members = this.#members
    if (members === null) return null
    return fds.map(socketOf).map((socket) => members.findIndex((each) => each.socket === socket))
  }

  #heldOf(socket: number): readonly number[] {
    return this.#held.get(socket) ?? []
  }

  #remove(socket: number, act: () => void): void {
    const members = this.#members
    const place = members?.findIndex((member) => member.socket === socket) ?? -1
    if (members === null || place < 0) return act()
    const last = members.length - 1
    if (this.#anchor >= 0) {
      this.#anchorAwayFrom(socket)
      // The last one is about to move: the program that holds meanwhile does not name it, unless nobody else stays.
      const others = staying(members.slice(0, last)).filter((each) => each !== place)
      if (place < last && others.length > 0) attach(this.#anchor, others)
    }
    act()
    const [moved] = members.splice(last, 1)
    if (place < last && moved !== undefined) members[place] = moved
    if (this.#anchor >= 0) this.#steer()
  }

  /** Makes the program fit the list. */
  #steer(): void {
    const members = this.#members ?? []
    const places = staying(members)
    const isNeeded = places.length > 0 && places.length < members.length
    if (isNeeded && this.#anchor < 0) this.#anchor = this.#another(-1)
    if (this.#anchor < 0) return
    if (isNeeded && places.length <= MOST_PLACES && attach(this.#anchor, places)) return
    detach(this.#anchor)
    this.#letGo()
  }

  /** `socket` is about to stop listening, which it would not as long as it is the anchor. */
  #anchorAwayFrom(socket: number): void {
    if (socketOf(this.#anchor) !== socket) return
    const next = this.#another(socket)
    this.#letGo()
    this.#anchor = next
  }

  /** A new descriptor of a socket that listens and is not `socket`, one that stays if there is one; or -1. */
  #another(socket: number): number {
    const others = (this.#members ?? []).filter((member) => member.socket !== socket)
    const inOrder = [...others.filter((each) => !each.leaving), ...others]
    const [held] = inOrder.flatMap((member) => this.#heldOf(member.socket))
    return held === undefined ? -1 : libc().dup(held)
  }

  #letGo(): void {
    libc().close(this.#anchor)
    this.#anchor = -1
  }
}

function staying(members: readonly Member[]): number[] {
  return members.flatMap(({ leaving }, place) => (leaving ? [] : [place]))
}

function socketOf(fd: number): number {
  try {
    return fstatSync(fd).ino
  } catch {
    return -1
  }
}

/** False when the kernel refuses. It takes the place of the one before at once. */
function attach(fd: number, places: readonly number[]): boolean {
  const code = new Uint32Array([
    ...[0x20, RANDOM], // load
    ...[0x94, places.length], // the remainder of a division
    ...places.flatMap((place, i) => [
      ...[0x0100_0015, i], // unless it is i, skip one
      ...[0x06, place], // the answer
    ]),
    ...[0x06, 0xffff_ffff], // never reached; a program has to end with an answer
  ])
  // struct sock_fprog: the number of instructions, and where they are.
  const program = new DataView(new ArrayBuffer(16))
  program.setUint16(0, code.length / 2, true)
  program.setBigUint64(8, BigInt(ptr(code)), true)
  const bytes = new Uint8Array(program.buffer)
  return libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes) === 0
}

/** Older kernels keep a program until the last socket closes: they get one that never answers. */
function detach(fd: number): void {
  const none = new Uint8Array(4)
  if (libc().setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, none) === 0) return
  if (libc().errno() !== ENOENT) attach(fd, [0xffff_ffff])
}
