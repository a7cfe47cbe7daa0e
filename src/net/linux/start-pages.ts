/**
 * Returns memory that only the start of a process needed. Of 80 MB of machine code in the executable, the start touches
 * a third. The kernel keeps those pages mapped, and they count as resident memory of each process. Unmapped pages stay
 * in the page cache, and a page that is used again is mapped again without reading the disk.
 *
 * Only mappings of files that this process cannot write and never has written to (no anonymous page) are touched. Linux
 * only; where /proc does not show mappings nothing happens.
 *
 * Cost: once, some 2 ms to read /proc/self/smaps, and then some hundred minor page faults of about 1 us.
 * Source: madvise(2), MADV_DONTNEED; proc(5), smaps.
 */
import { dlopen } from "bun:ffi"
import { readFileSync } from "node:fs"
import { firstThatLoads, libraryNames } from "./libc.ts"

/** By then the process serves, and code that only runs at a start has run. */
const SETTLED_MS = 1_500
const MADV_DONTNEED = 4

export interface Mapping {
  readonly from: bigint
  readonly to: bigint
}

/** The mappings in the text of /proc/PID/smaps that consist of unchanged pages of a read-only file. */
export function unchangedFiles(smaps: string): Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ [1-9]\d* +\//.exec(mapping)
    if (head === null || !/^Anonymous: +0 kB$/m.test(mapping)) return []
    return [{ from: BigInt(`0x${head[1]}`), to: BigInt(`0x${head[2]}`) }]
  })
}

/** Once, a moment from now. Does not keep the process alive. */
export function releaseStartPages(): void {
  if (process.platform !== "linux") return
  setTimeout(release, SETTLED_MS).unref()
}

function release(): void {
  try {
    const mappings = unchangedFiles(readFileSync("/proc/self/smaps", "latin1"))
    const { symbols } = firstThatLoads(libraryNames(process.platform, process.arch), (name) =>
      dlopen(name, { madvise: { args: ["u64", "u64", "i32"], returns: "i32" } }),
    )
    for (const { from, to } of mappings) symbols.madvise(from, to - from, MADV_DONTNEED)
  } catch {
    // Less memory is an offer, not a promise: a system without /proc goes without.
  }
}
