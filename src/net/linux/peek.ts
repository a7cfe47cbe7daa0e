/**
 * What the kernel already knows about a connection and the event loop does not know yet. Each answer is a result that
 * the kernel writes, never `errno`: JavaScript that runs between two calls can change `errno`.
 *
 * Cost: one system call each, about 0.4 us.
 * Sources: poll(2), tcp(7) (SIOCOUTQ), tcp_poll() and tcp_ioctl() in Linux.
 */
import { constants } from "node:os"
import { libc } from "./libc.ts"
import type { TcpSocket } from "../transport/socket.ts"

const POLLIN = 1
const POLLERR = 8
const POLLHUP = 16
/** Not an open descriptor. */
const POLLNVAL = 32

const isMac = process.platform === "darwin"

const { EAGAIN } = constants.errno
/** MSG_PEEK is the same everywhere, MSG_DONTWAIT is not. */
const MSG_PEEK_DONTWAIT = 0x2 | (isMac ? 0x80 : 0x40)
const peeked = new Uint8Array(1)
/** struct pollfd: the descriptor, then the events asked for and those returned, 16 bits each. */
const polled = new Int32Array(new ArrayBuffer(8))
const count = new Int32Array(new ArrayBuffer(4))
const countLength = new Uint32Array(new ArrayBuffer(4))

const SIOCOUTQ = 0x5411
const SOL_SOCKET_MAC = 0xffff
const SO_NWRITE = 0x1024

/** The events that poll(2) reports for `fd` now; -1 when it cannot tell. */
export function eventsNow(fd: number, interest: number): number {
  if (fd < 0) return POLLNVAL
  polled[0] = fd
  polled[1] = interest
  const ready = libc().poll(polled, 1, 0)
  return ready > 0 ? polled[1] >>> 16 : ready
}

/**
 * The peer has neither sent anything nor ended: no byte waits to be received, no FIN, no reset. Asked for every request
 * on a pooled connection, so by recv(2), which costs half of what poll(2) does. Only `EAGAIN` is taken from `errno`:
 * nothing is declared lost by it. Any other number is no proof, and poll(2) decides.
 */
export function isQuiet({ fd }: TcpSocket): boolean {
  if (libc().recv(fd, peeked, 1, MSG_PEEK_DONTWAIT) >= 0) return false
  return libc().errno() === EAGAIN || eventsNow(fd, POLLIN) === 0
}

/** The connection has ended in both directions, as it does with a reset or a time limit of the kernel. */
export function isOver(fd: number): boolean {
  const events = eventsNow(fd, 0)
  return events > 0 && (events & (POLLERR | POLLHUP | POLLNVAL)) !== 0
}

/** The connection has failed, and nobody has asked for the reason yet. */
export function hasFailed(fd: number): boolean {
  const events = eventsNow(fd, 0)
  return events > 0 && (events & (POLLERR | POLLNVAL)) !== 0
}

/**
 * Bytes that the kernel has taken and the peer has not acknowledged; a FIN counts as one. 0 when the kernel does not
 * tell. After a reset it is what was never acknowledged.
 */
export function unacknowledged(fd: number): number {
  if (fd < 0) return 0
  count[0] = 0
  countLength[0] = 4
  if (isMac) libc().getsockopt(fd, SOL_SOCKET_MAC, SO_NWRITE, count, countLength)
  else libc().ioctl(fd, SIOCOUTQ, count)
  return count[0]
}
