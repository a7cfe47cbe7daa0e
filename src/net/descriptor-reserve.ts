/**
 * Descriptors kept back for starting a process, which needs a handful at once. Somebody who opens connections to the
 * master may take all others for a moment; a dead worker is replaced all the same.
 */
import { closeSync, openSync } from "node:fs"

/** A channel, a process handle, what is closed in the child, and some to spare. */
const RESERVE = 16
const RETRY_MS = 1_000

let kept: number[] = []
let retry: Timer | null = null

/** Runs `work` with the reserve free for it, and fills the reserve again. */
export function withReserve<T>(work: () => T): T {
  for (const fd of kept) closeSync(fd)
  kept = []
  try {
    return work()
  } finally {
    fill()
  }
}

function fill(): void {
  if (retry !== null) clearTimeout(retry)
  retry = null
  try {
    while (kept.length < RESERVE) kept.push(openSync("/", "r"))
  } catch {
    retry = setTimeout(fill, RETRY_MS)
    retry.unref()
  }
}
