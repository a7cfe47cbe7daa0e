/**
 * How many client connections a worker may hold. Descriptors are shared with dials, probes and files, and a dial
 * that finds none looks like a dead backend, so a part is kept back for them.
 */
import { libc } from "../net/linux/libc.ts"

/** Kept back: listeners, logs, the channel to the master; of a small limit a third, so that clients have most. */
const BASE_RESERVE = 128
const ASSUMED_LIMIT = 1024

const isMac = process.platform === "darwin"
const RLIMIT_NOFILE = isMac ? 8 : 7
const UNLIMITED = 2 ** 40
/** For a process without a limit: on macOS the kernel still has one, which is OPEN_MAX at least. */
const ENDLESS = isMac ? 10_240 : 1_000_000

/** `configured` 0 takes what the descriptor limit allows: each client may need a connection to a backend. */
export function clientLimit(configured: number, backends: number, descriptors: number): number {
  const allowed = Math.max(1, Math.floor((descriptors - reserve(backends, descriptors)) / 2))
  return configured === 0 ? allowed : Math.min(configured, allowed)
}

/** Connections to backends, idle ones too, that fit beside so many clients: no fewer than there are clients. */
export function backendLimit(clients: number, backends: number, descriptors: number): number {
  return Math.max(clients, descriptors - reserve(backends, descriptors) - clients)
}

/** Two for each backend, its probe and a dial to spare; but hundreds of backends must not leave clients nothing. */
function reserve(backends: number, descriptors: number): number {
  const base = Math.min(BASE_RESERVE, Math.floor(descriptors / 3))
  return base + Math.min(2 * backends, Math.floor(descriptors / 2))
}

/** The soft limit of this process. Bun raises it to the hard one at start. */
export function descriptorLimit(): number {
  const limits = new BigUint64Array(2)
  if (libc().getrlimit(RLIMIT_NOFILE, limits) < 0) return ASSUMED_LIMIT
  // What stands for "no limit" is another very large number on each system.
  return Number(limits[0]) > UNLIMITED ? ENDLESS : Number(limits[0])
}
