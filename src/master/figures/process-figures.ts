/**
 * What the kernel knows of a process: CPU time, memory, descriptors, start. Read from /proc at a scrape (about
 * 0.1 ms a process); null where there is no /proc or no such process any more.
 */
import { readFileSync, readdirSync } from "node:fs"

export interface ProcessFigures {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly openFds: number
  /** Seconds since 1970. */
  readonly startTime: number
}

/** USER_HZ: 100 on every Linux that programs can see, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100

export function readProcess(pid: number): ProcessFigures | null {
  try {
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? "0"
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, "latin1"))
    const status = readFileSync(`/proc/${pid}/status`, "latin1")
    return {
      cpuSeconds: stat.cpuTicks / TICKS_PER_SECOND,
      residentBytes: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
      openFds: readdirSync(`/proc/${pid}/fd`).length,
      startTime: Number(boot) + stat.startTicks / TICKS_PER_SECOND,
    }
  } catch {
    return null
  }
}

/** Fields 14, 15 and 22 of proc(5); counted from the last parenthesis, for a name may hold anything. */
export function parseStat(stat: string): { cpuTicks: number; startTicks: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return { cpuTicks: Number(fields[11]) + Number(fields[12]), startTicks: Number(fields[19]) }
}
