/** The sockets of one listener, whichever kind its address is of. */
import type { ListenAddress } from "../config/schema/settings.ts"
import { libc } from "./linux/libc.ts"
import { openListeners, openMore, SHARES_ONE, type Queue } from "./listeners.ts"
import { listenAtPath, type SocketFile } from "./unix-listeners.ts"

export interface OpenListener {
  /** The port that is really bound; null for a unix socket. */
  readonly port: number | null
  /** One for each worker, owned by the caller, who closes them. */
  readonly fds: number[]
  /** Those that listen, in the order in which they began to; null when that is not known. */
  readonly listening: readonly number[] | null
  readonly queue: Queue
  /** So many different sockets there are, the first ones. */
  readonly sockets: number
  /** Of a unix socket. Until it is published nobody finds the socket. */
  readonly file: SocketFile | null
}

/**
 * Sockets for `count` workers. `isOurs`: this process, or the one that it follows, has the port or the path already,
 * so that it is not free and yet no reason to refuse. Throws `BunlbError` when the address cannot be bound.
 */
export function openListener(
  address: ListenAddress & { readonly socketMode: number | null },
  count: number,
  isOurs: boolean = false,
): OpenListener {
  if ("path" in address) {
    const { fd, file } = listenAtPath(address.path, isOurs)
    if (address.socketMode !== null) file.permit(address.socketMode)
    const fds = copies(fd, count)
    return { port: null, fds, listening: null, queue: "shared", sockets: 1, file }
  }
  const { host, port } = address
  const opened = isOurs ? openMore(host, port, count) : openListeners(host, port, count)
  const sockets = SHARES_ONE ? 1 : count
  return { ...opened, queue: SHARES_ONE ? "shared" : "own", sockets, file: null }
}

/** `fd` and as many descriptors of the same socket as are missing. */
function copies(fd: number, count: number): number[] {
  return [fd, ...Array.from({ length: count - 1 }, () => libc().dup(fd))]
}
