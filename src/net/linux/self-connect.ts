/**
 * Finds a socket that is connected to itself. A dial to a port of this machine where nobody listens can be given that
 * very port as its own, when it lies in the range of ephemeral ports; the kernel then connects the socket to itself
 * (a simultaneous open, RFC 9293 section 3.5), and a request sent on it would come back as its own answer.
 *
 * Cost: one system call for each dial. The kernel chooses the local port in connect(2), so it is known at once.
 */
import { libc } from "./libc.ts"

const AF_INET = 2
const SOL_SOCKET = 1
const SO_LINGER = 13

/** Memory that the kernel writes: its own ArrayBuffers, which never move. */
const local = new Uint8Array(new ArrayBuffer(28))
const localLength = new Uint32Array(new ArrayBuffer(4))
const atOnce = new Uint8Array(new ArrayBuffer(8))
atOnce[0] = 1

/** `peer`: the struct sockaddr that connect(2) was given. */
export function isConnectedToItself(fd: number, peer: Uint8Array): boolean {
  localLength[0] = local.length
  if (libc().getsockname(fd, local, localLength) < 0) return false
  if (local[2] !== peer[2] || local[3] !== peer[3]) return false
  const v4 = local[0] === AF_INET
  const from = v4 ? 4 : 8
  const to = v4 ? 8 : 24
  let same = true
  // A dial to 0.0.0.0 or :: goes to this machine.
  let unspecified = true
  for (let at = from; at < to; at++) {
    if (local[at] !== peer[at]) same = false
    if (peer[at] !== 0) unspecified = false
  }
  return same || unspecified
}

/** Closes with a reset, so that the port is free for the backend at once. */
export function reset(fd: number): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, atOnce)
  libc().close(fd)
}
