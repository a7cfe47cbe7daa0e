/**
 * Connections to unix sockets by the C library, which says why one fails: Bun calls a full queue, a missing right
 * and a dead socket by one name. Linux only.
 *
 * Source: unix(7).
 */
import { libc } from "./libc.ts"

const AF_UNIX = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
/** The size of sun_path. */
const LONGEST_PATH = 108
const ENAMETOOLONG = 36
const ECONNREFUSED = 111

export const STREAM = 1
export const DATAGRAM = 2

/** A descriptor connected to `path`, or the reason why there is none as a negative errno. */
export function connectUnix(path: string, type: typeof STREAM | typeof DATAGRAM): number {
  const bytes = new TextEncoder().encode(path)
  if (bytes.length >= LONGEST_PATH) return -ENAMETOOLONG
  const abstract = path.startsWith("@")
  if (abstract) bytes[0] = 0
  // A name in the file system ends with a zero, an abstract one with its length.
  const address = new Uint8Array(2 + bytes.length + (abstract ? 0 : 1))
  new DataView(address.buffer).setUint16(0, AF_UNIX, true)
  address.set(bytes, 2)
  const { socket, connect, close, errno } = libc()
  const fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return -errno()
  if (connect(fd, address, address.length) === 0) return fd
  const reason = errno()
  close(fd)
  return -reason
}

/** The socket is there and nobody listens: its process has died. One that is only too busy to accept is not dead. */
export function isAbandoned(path: string): boolean {
  if (process.platform !== "linux") return false
  const fd = connectUnix(path, STREAM)
  if (fd >= 0) libc().close(fd)
  return fd === -ECONNREFUSED
}
