/**
 * The listening descriptors that outlive every worker: while the fleet holds them, the kernel goes on queueing
 * connections, so a worker can die, restart or be exchanged without one being refused.
 *
 * One descriptor a worker, all on one port (SO_REUSEPORT): the kernel spreads connections over them by hash, with
 * no lock and no thundering herd. Elsewhere than on Linux the kernel gives all to one of such sockets, so workers share
 * one and take from it who comes first. Bun opens them, we keep a dup, and Bun lets go in the same tick, before its
 * event loop could accept anything. Source: socket(7).
 */
import { constants } from "node:os"
import type { ListenerSettings } from "../config/schema/settings.ts"
import { BunlbError } from "../core/errors.ts"
import { libc } from "./linux/libc.ts"
import { sockaddr } from "./ip/sockaddr.ts"

/** Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn. Bun's own is 512. */
const BACKLOG = 4096
const SHUT_RDWR = 2
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const AF_INET6 = process.platform === "darwin" ? 30 : 10
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const NO = new Uint8Array(4)

/** Workers have descriptors of one socket, and not each a socket of its own. */
export const SHARES_ONE = process.platform !== "linux"

/**
 * Who takes from the queue of a listening socket: one worker alone; several workers; or processes before and after this
 * one too, because a service manager holds it.
 */
export type Queue = "own" | "shared" | "held"

/** One listener's socket as one worker gets it. */
export interface ListeningSocket {
  /** Of the listener, the same in all workers; one that moves gets another. */
  readonly id: number
  readonly settings: ListenerSettings
  readonly fd: number
  readonly queue: Queue
  /** Nobody is accepted before the worker is told to. */
  readonly waits: boolean
}

export interface Listeners {
  readonly port: number
  /** Owned by the caller, who closes them. */
  readonly fds: number[]
  /** Those that listen, in the order in which they began to; null when that is not known. */
  readonly listening: readonly number[] | null
}

/** Throws `BunlbError` with the reason and the cure when the address cannot be bound. */
export function openListeners(host: string, port: number, count: number): Listeners {
  return listenShared(host, claim(host, port), count)
}

/**
 * More descriptors at a port that this process or the bunlb before it has already. They are bound and do not listen:
 * until a worker does, every connection goes to those who were there before, so closing them loses nobody. Where
 * workers share a socket this is for another host at that port, and those before are to be asked for a `dup`.
 */
export function openMore(host: string, port: number, count: number): Listeners {
  const address = SHARES_ONE ? null : sockaddr(hostToBind(host), port)
  if (address === null) return listenShared(host, port, count)
  const fds: number[] = []
  for (let i = 0; i < count; i++) {
    const fd = libc().socket(address.family, SOCK_STREAM | SOCK_NONBLOCK, 0)
    if (fd >= 0) fds.push(fd)
    const yes = new Uint8Array(new Uint32Array([1]).buffer)
    for (const option of [SO_REUSEADDR, SO_REUSEPORT]) {
      libc().setsockopt(fd, SOL_SOCKET, option, yes)
    }
    // As Bun does it: "::" takes clients of both families.
    if (address.family === AF_INET6) libc().setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, NO)
    if (fd >= 0 && libc().bind(fd, address.bytes, address.bytes.length) === 0) continue
    closeListeners(fds)
    throw bindError(host, port, Object.assign(new Error(), { code: codeOf(libc().errno()) }))
  }
  return { port, fds, listening: [] }
}

function codeOf(errno: number): string {
  const { errno: names } = constants
  return Object.entries(names).find(([, number]) => number === errno)?.[0] ?? String(errno)
}

function listenShared(host: string, port: number, count: number): Listeners {
  const opened: ReturnType<typeof bind>[] = []
  const fds: number[] = []
  try {
    const sockets = SHARES_ONE ? 1 : count
    for (let i = 0; i < sockets; i++) opened.push(bind(host, port, true))
    for (let i = 0; i < count; i++) {
      const listener = opened[i % sockets]
      if (listener !== undefined) openQueue(listener.fd)
      const fd = libc().dup(listener?.fd ?? -1)
      if (fd < 0) throw new BunlbError("BUNLB_E_LISTEN", noDescriptor(host, port))
      fds.push(fd)
    }
  } catch (error) {
    closeListeners(fds)
    throw error
  } finally {
    for (const listener of opened) listener.stop()
  }
  return { port, fds, listening: fds }
}

export function closeListeners(fds: readonly number[]): void {
  for (const fd of fds) libc().close(fd)
}

/**
 * Lets connections queue up at `fd`: at first, after `closeQueue`, and after a worker took the descriptor over,
 * because Bun then sets the backlog back to 512.
 */
export function openQueue(fd: number): void {
  libc().listen(fd, BACKLOG)
}

/**
 * Takes `fd` out of the port's group, so that no connection is left waiting for a worker that will be away for
 * seconds; the others get them all. What waits there is reset. The descriptor stays bound for `openQueue`. Never for a
 * socket that is shared: the others take from it.
 */
export function closeQueue(fd: number): void {
  libc().shutdown(fd, SHUT_RDWR)
}

/**
 * The port, proven free. With SO_REUSEPORT alone a second bunlb of the same user would bind in silence and take
 * half of the first one's connections. It also turns port 0 into a number: the kernel forgets a port that it
 * chose itself when the queue is closed.
 */
function claim(host: string, port: number): number {
  const listener = bind(host, port, false)
  listener.stop()
  return listener.port
}

/** No host stands for all addresses of both families; where there is no IPv6, for those of IPv4. */
function hostToBind(host: string): string {
  if (host !== "") return host
  const fd = libc().socket(AF_INET6, SOCK_STREAM, 0)
  libc().close(fd)
  return fd < 0 ? "0.0.0.0" : "::"
}

/** `fd` is there, though Bun's types do not say so; without it nothing here works, so it is checked. */
function bind(host: string, port: number, reusePort: boolean) {
  // A variable of its own, because the types do not know `reusePort`.
  const options = { hostname: hostToBind(host), port, reusePort, socket: { data() {} } }
  try {
    const listener = Bun.listen(options)
    const fd = "fd" in listener ? listener.fd : undefined
    if (typeof fd !== "number") {
      listener.stop()
      throw new BunlbError("BUNLB_E_RUNTIME", `Bun ${Bun.version} hides descriptors: use 1.4.5`)
    }
    return { port: listener.port, fd, stop: () => listener.stop() }
  } catch (error) {
    if (error instanceof BunlbError) throw error
    throw bindError(host, port, error)
  }
}

function bindError(address: string, port: number, error: unknown): BunlbError {
  const host = address === "" ? "all addresses" : address
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  switch (code) {
    case "EADDRINUSE":
      return new BunlbError(
        "BUNLB_E_PORT_IN_USE",
        `port ${port} on ${host} is already in use; stop what listens there or choose another ` +
          `with --port (\`${whoListens(port)}\` names it)`,
      )
    case "EACCES":
      return new BunlbError(
        "BUNLB_E_PORT_PRIVILEGED",
        `port ${port} on ${host} needs a privilege; choose one from 1024 up with --port, ` +
          "or allow it: AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd, or " +
          `sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
      )
    case "EADDRNOTAVAIL":
    case "":
      return new BunlbError(
        "BUNLB_E_ADDRESS",
        `${host} is not an address of this machine; choose one with --host, 0.0.0.0 for all`,
      )
    default:
      return new BunlbError("BUNLB_E_LISTEN", `cannot listen on ${host}, port ${port}: ${code}`)
  }
}

function whoListens(port: number): string {
  if (process.platform === "linux") return `ss -ltnp 'sport = :${port}'`
  return `lsof -nP -iTCP:${port} -sTCP:LISTEN`
}

function noDescriptor(host: string, port: number): string {
  return `cannot listen on ${host}, port ${port}: out of file descriptors; raise \`ulimit -n\``
}
