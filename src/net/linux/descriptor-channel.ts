/**
 * A channel over which one process gives descriptors to another that is running: to a worker that a listener is added
 * to. What is said about them goes another way; they arrive in the order in which they were given. Linux only: macOS
 * lays out the same structures in another way.
 *
 * Sources: unix(7), SCM_RIGHTS; cmsg(3); recvmsg(2).
 */
import { dlopen, ptr } from "bun:ffi"
import { firstThatLoads, libc, libraryNames } from "./libc.ts"

const AF_UNIX = 1
/** Keeps one message apart from the next. */
const SOCK_SEQPACKET = 5
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000

/**
 * Memory that the kernel reads and writes. All of it is named in `prepare`: what no function names is collected.
 *
 * A byte of data: a message without any cannot carry a descriptor.
 */
const data = new Uint8Array(new ArrayBuffer(8))
const piece = new BigUint64Array(new ArrayBuffer(16))
/** struct cmsghdr (length, level, type) and one descriptor, with the padding of CMSG_SPACE. */
const CONTROL = 24
const control = new Int32Array(new ArrayBuffer(CONTROL))
/** struct msghdr: no address; the piece; the control data; flags. */
const header = new BigUint64Array(new ArrayBuffer(56))

function load() {
  const { symbols } = firstThatLoads(libraryNames(process.platform, process.arch), (name) =>
    dlopen(name, {
      socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
      sendmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
      recvmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
    }),
  )
  return symbols
}

let loaded: ReturnType<typeof load> | null = null

function calls() {
  return (loaded ??= load())
}

/** Both ends of a channel, or null when there is none to be had. */
export function openChannel(): readonly [near: number, far: number] | null {
  if (process.platform !== "linux") return null
  const ends = new Int32Array(new ArrayBuffer(8))
  const type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC
  if (calls().socketpair(AF_UNIX, type, 0, ptr(ends)) < 0) return null
  const [near = -1, far = -1] = ends
  return [near, far]
}

/** Whether a descriptor of the same file as `fd` is on its way. `fd` stays the caller's. */
export function giveDescriptor(channel: number, fd: number): boolean {
  prepare()
  control.set([20, 0, SOL_SOCKET, SCM_RIGHTS, fd, 0])
  return calls().sendmsg(channel, ptr(header), MSG_DONTWAIT | MSG_NOSIGNAL) === 1
}

/** The next descriptor, owned by the caller; -1 when none has come, or when this process has no room for it. */
export function takeDescriptor(channel: number): number {
  prepare()
  control.fill(0)
  if (calls().recvmsg(channel, ptr(header), MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !== 1) return -1
  const [length, , level, type, fd = -1] = control
  return length === 20 && level === SOL_SOCKET && type === SCM_RIGHTS ? fd : -1
}

export function closeChannel(end: number): void {
  libc().close(end)
}

/** The kernel writes into the header what it has filled in. */
function prepare(): void {
  piece[0] = BigInt(ptr(data))
  piece[1] = 1n
  header.fill(0n)
  header[2] = BigInt(ptr(piece))
  header[3] = 1n
  header[4] = BigInt(ptr(control))
  header[5] = BigInt(CONTROL)
}
