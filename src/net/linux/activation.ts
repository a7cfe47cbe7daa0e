/**
 * Descriptors that another process has left to this one, from 3 on, and what kind of socket each is. Whether a service
 * manager holds some of them is told to processes that follow by the environment.
 */
import { libc } from "./libc.ts"

/** The first descriptor that is handed over. */
const FIRST_FD = 3
const AF_UNIX = 1
const AF_INET = 2
const { platform } = process
const AF_INET6 = platform === "darwin" ? 30 : 10

/** How many listening sockets belong to a service manager. */
const HELD = "BUNLB_HELD_LISTENERS"

type Environment = Record<string, string | undefined>

/** True when listening sockets of this process belong to a service manager. */
export function isHeld(): boolean {
  return heldCount() > 0
}

/** How many of them it holds. */
export function heldCount(): number {
  return Number(process.env[HELD] ?? 0)
}

export function setHeld(count: number, environment: Environment): void {
  environment[HELD] = String(count)
}

export function inheritedFds(count: number): number[] {
  return Array.from({ length: count }, (_, i) => FIRST_FD + i)
}

/** `count` new descriptors of these sockets, each of the next one. */
export function spread(originals: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => libc().dup(originals[i % originals.length] ?? -1))
}

/** The port of a TCP socket, or null. */
export function portOf(fd: number): number | null {
  const view = nameOf(fd)
  const family = view === null ? 0 : familyIn(view)
  return family === AF_INET || family === AF_INET6 ? (view?.getUint16(2) ?? null) : null
}

export function isUnixSocket(fd: number): boolean {
  const view = nameOf(fd)
  return view !== null && familyIn(view) === AF_UNIX
}

function nameOf(fd: number): DataView | null {
  const address = new Uint8Array(128)
  const length = new Uint32Array([address.length])
  return libc().getsockname(fd, address, length) === 0 ? new DataView(address.buffer) : null
}

/** macOS has the length of the address in the first byte. */
function familyIn(view: DataView): number {
  return platform === "darwin" ? view.getUint8(1) : view.getUint16(0, true)
}
