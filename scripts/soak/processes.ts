/** What the kernel says of bunlb's processes: memory and descriptors, read now and then. */
import { readdirSync, readFileSync } from "node:fs"

export interface Reading {
  /** Minutes since the start. */
  readonly at: number
  readonly rssMiB: number
  readonly descriptors: number
}

/** All processes together; one that has just died counts as nothing. */
export function readProcesses(pids: readonly number[], at: number): Reading {
  let rss = 0
  let descriptors = 0
  for (const pid of pids) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8")
      rss += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
      descriptors += readdirSync(`/proc/${pid}/fd`).length
    } catch {
      // It died between two lines of ours.
    }
  }
  return { at, rssMiB: rss / 1024, descriptors }
}
