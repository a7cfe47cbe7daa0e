/**
 * Ties the calling thread to one CPU, so that a worker's caches stay warm and its tail latency flat. Linux only;
 * elsewhere, or where a sandbox forbids it, nothing happens and the worker runs unpinned.
 *
 * Only the main thread is tied, and threads that it starts later: measured, that is where the tail improves.
 */
import { dlopen } from "bun:ffi"
import { readFileSync } from "node:fs"
import { firstThatLoads, libraryNames } from "./libc.ts"

/** The size of glibc's cpu_set_t: 1,024 CPUs. */
const CPU_SET_BYTES = 128

/** True when the calling thread now runs on `cpu` alone. */
export function pinToCpu(cpu: number): boolean {
  if (process.platform !== "linux" || cpu < 0 || cpu >= CPU_SET_BYTES * 8) return false
  const set = new Uint8Array(CPU_SET_BYTES)
  set[cpu >> 3] = 1 << (cpu & 7)
  const { symbols } = firstThatLoads(libraryNames(process.platform, process.arch), (name) =>
    dlopen(name, { sched_setaffinity: { args: ["i32", "usize", "ptr"], returns: "i32" } }),
  )
  return symbols.sched_setaffinity(0, CPU_SET_BYTES, set) === 0
}

/** The CPUs that this process may use, as cgroups and taskset left them; empty where they cannot be known. */
export function allowedCpus(): number[] {
  if (process.platform !== "linux") return []
  try {
    return parseCpuList(readFileSync("/proc/self/status", "latin1"))
  } catch {
    return []
  }
}

/** Reads the line `Cpus_allowed_list: 0-2,8` of a /proc status file. */
export function parseCpuList(status: string): number[] {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status)?.[1] ?? ""
  const cpus: number[] = []
  for (const range of list.split(",")) {
    const [first = "", last = first] = range.split("-")
    if (first === "") continue
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu)
  }
  return cpus
}
