/** Where it was measured, as far as it matters to a reader: no names, no paths. */
import { readFileSync } from "node:fs"

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly versions: Readonly<Record<string, string>>
}

export function describeMachine(): Machine {
  const model = /^model name\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]
  const kilobytes = Number(/MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1])
  const kernel = /^\d+\.\d+/.exec(readFileSync("/proc/sys/kernel/osrelease", "utf8"))?.[0]
  return {
    cpu: model ?? process.arch,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(kilobytes / 2 ** 20),
    kernel: `Linux ${kernel ?? ""}`.trim(),
    versions: {
      Bun: Bun.version,
      nginx: version(["nginx", "-v"]),
      HAProxy: version(["haproxy", "-v"]),
      Caddy: version(["caddy", "version"]),
      wrk: version(["wrk", "-v"]),
    },
  }
}

function version([program = "", ...args]: readonly string[]): string {
  if (Bun.which(program) === null) return "not installed"
  const { stdout, stderr } = Bun.spawnSync([program, ...args])
  return /(\d+\.\d+(\.\d+)?)/.exec(`${stdout}${stderr}`)?.[1] ?? "?"
}

/** Ready-made words for a table or a page. */
export function machineInWords({ cpu, cores, memoryGiB, kernel, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, number]) => `${name} ${number}`)
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}; ${programs.join(", ")}`
}
