/**
 * Listening sockets that a service manager holds and hands over (systemd's socket activation): they are there before
 * bunlb and after it, so that while it restarts, connections wait instead of being refused.
 *
 * What is done to such a socket outlasts this process, and others may share it: nothing here closes its queue or
 * keeps anybody out of it. Source: sd_listen_fds(3).
 */
import { BunlbError } from "../../core/errors.ts"
import { libc } from "./libc.ts"

/** The first descriptor that is handed over. */
const FIRST_FD = 3
const AF_INET = 2
const { platform } = process
const AF_INET6 = platform === "darwin" ? 30 : 10

/** Tells the workers of this process whose their sockets are. */
const HELD = "BUNLB_HELD_LISTENERS"

type Environment = Record<string, string | undefined>

interface Handed {
  readonly port: number
  /** One for each of `count`, owned by the caller. */
  readonly fds: number[]
  /** Others may share them, whose order is not known. */
  readonly listening: null
}

/** True when the listening sockets of this process belong to a service manager. */
export function isHeld(): boolean {
  return heldCount() > 0
}

/** How many of them it holds. */
export function heldCount(): number {
  return Number(process.env[HELD] ?? 0)
}

/**
 * The sockets that were handed to this process, shared by `count` workers, or null. Throws `BunlbError` when there are
 * more of them than workers, or when one is not of TCP.
 */
export function takeHanded(count: number, environment: Environment = process.env): Handed | null {
  const { LISTEN_PID: pid, LISTEN_FDS: number } = environment
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name]
  const handed = pid === String(process.pid) ? Number(number) : 0
  if (!(handed > 0)) return null
  if (handed > count) {
    const story = `${handed} sockets were handed over for ${count} of --workers`
    throw new BunlbError("BUNLB_E_LISTEN", `${story}: at most one a worker is of use`)
  }
  const originals = descriptors(handed)
  const [port = 0] = originals.map(requirePort)
  const fds = spread(originals, count)
  environment[HELD] = String(handed)
  return { port, fds, listening: null }
}

/**
 * The listening sockets that the bunlb before this one has handed over, for `count` workers: as many as there are of
 * both, or one for each worker when a service manager holds them.
 */
export function takeInherited(handed: number, count: number): number[] {
  return spread(descriptors(handed), isHeld() ? count : Math.min(handed, count))
}

/** The port of a TCP socket, or null. */
export function portOf(fd: number): number | null {
  const address = new Uint8Array(128)
  const length = new Uint32Array([address.length])
  const known = libc().getsockname(fd, address, length) === 0
  const view = new DataView(address.buffer)
  // macOS has the length of the address in the first byte.
  const family = platform === "darwin" ? view.getUint8(1) : view.getUint16(0, true)
  if (!known) return null
  return family === AF_INET || family === AF_INET6 ? view.getUint16(2) : null
}

function descriptors(count: number): number[] {
  return Array.from({ length: count }, (_, i) => FIRST_FD + i)
}

/** `count` descriptors of these sockets, in place of the originals. */
function spread(originals: readonly number[], count: number): number[] {
  const shared = originals.length
  const fds = Array.from({ length: count }, (_, i) => libc().dup(FIRST_FD + (i % shared)))
  for (const fd of originals) libc().close(fd)
  return fds
}

function requirePort(fd: number): number {
  const port = portOf(fd)
  if (port !== null) return port
  throw new BunlbError("BUNLB_E_LISTEN", `the socket handed over as descriptor ${fd} is not of TCP`)
}
