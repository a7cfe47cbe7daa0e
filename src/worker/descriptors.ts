/**
 * Computes how many client connections a worker may have. Dials, probes and files need descriptors too, and a dial
 * that gets none looks like a dead backend, so some are reserved for them.
 */
import { libc } from "../net/linux/libc.ts"

/** Reserved for listeners, logs and the channel to the master; at most a third of a small limit. */
const BASE_RESERVE = 128
const ASSUMED_LIMIT = 1024

const isMac = process.platform === "darwin"
const RLIMIT_NOFILE = isMac ? 8 : 7
const UNLIMITED = 2 ** 40
/** For a process without a limit. On macOS the kernel has its own limit, at least OPEN_MAX. */
const ENDLESS = isMac ? 10_240 : 1_000_000

/** `configured` 0 takes what the descriptor limit allows: each client may need a connection to a backend. */
export function clientLimit(configured: number, backends: number, descriptors: number): number {
  const allowed = Math.max(1, Math.floor((descriptors - reserve(backends, descriptors)) / 2))
  return configured === 0 ? allowed : Math.min(configured, allowed)
}

/** The most connections to backends, idle ones included, beside so many clients: at least one for each client. */
export function backendLimit(clients: number, backends: number, descriptors: number): number {
  return Math.max(clients, descriptors - reserve(backends, descriptors) - clients)
}

/** Two for each backend: a probe and a spare dial. At most half, to leave room for clients of hundreds of backends. */
function reserve(backends: number, descriptors: number): number {
  const base = Math.min(BASE_RESERVE, Math.floor(descriptors / 3))
  return base + Math.min(2 * backends, Math.floor(descriptors / 2))
}

/** The soft limit of this process. Bun raises it to the hard one at start. */
export function descriptorLimit(): number {
  const limits = new BigUint64Array(2)
  if (libc().getrlimit(RLIMIT_NOFILE, limits) < 0) return ASSUMED_LIMIT
  // Each system has another very large number for "no limit".
  return Number(limits[0]) > UNLIMITED ? ENDLESS : Number(limits[0])
}
