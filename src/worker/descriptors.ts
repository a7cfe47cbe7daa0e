/**
 * How many client connections a worker may hold. Descriptors are shared with dials, probes and files, and a dial
 * that finds none looks like a dead backend, so a part is kept back for them.
 */
import { readFileSync } from "node:fs"

/** Kept back: listeners, logs, the channel to the master; of a small limit a third, so that clients have most. */
const BASE_RESERVE = 128
const ASSUMED_LIMIT = 1024

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
  try {
    const limits = readFileSync("/proc/self/limits", "utf8")
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
    if (soft === undefined) return ASSUMED_LIMIT
    return soft === "unlimited" ? 1_000_000 : Number(soft)
  } catch {
    return ASSUMED_LIMIT
  }
}
