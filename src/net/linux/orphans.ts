/**
 * Children that this process never started, and that have ended. As PID 1 of a container it becomes the parent of all
 * whose own parent has gone; a start script that becomes bunlb by `exec` leaves it its background jobs. A child that
 * nobody waits for keeps its PID for ever, and a container runs out of them.
 *
 * Bun waits for its own children, and its answers must not be taken away. So only a child is waited for that two looks,
 * seconds apart, have found dead: Bun's are gone by then. Linux only. Cost: one small file read for each look, and one
 * more for each child.
 */
import { readFileSync } from "node:fs"
import { libc } from "./libc.ts"

const LOOK_MS = 5_000
const WNOHANG = 1

/** Reaps until the function that it gives is called. */
export function reapOrphans(lookMs: number = LOOK_MS): () => void {
  if (process.platform !== "linux") return () => {}
  let dead: readonly number[] = []
  const timer = setInterval(() => {
    const found = deadChildren()
    for (const pid of found) if (dead.includes(pid)) reap(pid)
    dead = found
  }, lookMs)
  timer.unref()
  return () => clearInterval(timer)
}

function reap(pid: number): void {
  libc().waitpid(pid, new Int32Array(new ArrayBuffer(4)), WNOHANG)
}

function deadChildren(): readonly number[] {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/children`, "latin1")
    return text.trim().split(/\s+/).map(Number).filter(isDead)
  } catch {
    return []
  }
}

function isDead(pid: number): boolean {
  try {
    // The name may hold anything, also a parenthesis.
    return /^.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"))
  } catch {
    return false
  }
}
