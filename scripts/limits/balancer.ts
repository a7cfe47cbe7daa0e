/** The real program as the limits are measured on it, and what the kernel says of its workers. Use `await using`. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { FleetStatus } from "../../src/master/figures/status.ts"
import { BunlbProcess } from "../../test/support/processes.ts"

const START_MS = 15_000
const TICK_MS = 10
const root = join(import.meta.dir, "..", "..")
const executable = process.env["BUNLB_TEST_EXECUTABLE"]
export const program = executable ? [executable] : [process.execPath, join(root, "src", "main.ts")]

export class Balancer implements AsyncDisposable {
  private constructor(
    readonly process: BunlbProcess,
    readonly port: number,
    readonly adminPort: number,
    readonly workers: readonly number[],
  ) {}

  /** One worker, unless `flags` say otherwise. `prefix` is a command that starts bunlb, such as `prlimit`. */
  static async start(
    backend: number,
    flags: readonly string[] = [],
    prefix: readonly string[] = [],
  ): Promise<Balancer> {
    const place = ["-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0", "--no-pin"]
    const to = ["-b", `127.0.0.1:${backend}`]
    const workers = flags.includes("-w") ? [] : ["-w", "1"]
    const bunlb = new BunlbProcess(
      [...prefix, ...program, ...place, ...to, ...workers, ...flags],
      {},
    )
    const [, port, admin] = await bunlb.line(/:(\d+) -> .* admin http:\S+:(\d+)$/, START_MS)
    const pids = (await statusOf(Number(admin))).workers.map(({ pid }) => pid ?? 0)
    return new Balancer(bunlb, Number(port), Number(admin), pids)
  }

  status(): Promise<FleetStatus> {
    return statusOf(this.adminPort)
  }

  /** The sum of a family's series whose labels contain `label`. */
  async figure(family: string, label: string = ""): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text()
    const lines = text.split("\n").filter((line) => /^\w+/.exec(line)?.[0] === family)
    return lines
      .filter((line) => line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0)
  }

  async clients(): Promise<number> {
    return sum((await this.status()).workers, ({ clients }) => clients)
  }

  rssBytes(): number {
    return sum(this.workers, (pid) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8")
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
    })
  }

  descriptors(): number {
    return sum(this.workers, (pid) => readdirSync(`/proc/${pid}/fd`).length)
  }

  /** CPU time of the workers so far, user and system. */
  cpuMs(): number {
    return sum(this.workers, (pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS
    })
  }

  /** The share of one CPU that the workers take while `work` runs. */
  async cpuShare(work: Promise<unknown>): Promise<number> {
    const [cpu, began] = [this.cpuMs(), performance.now()]
    await work
    return (this.cpuMs() - cpu) / (performance.now() - began)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
  }
}

async function statusOf(adminPort: number): Promise<FleetStatus> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/api/v1/status`)
  return (await response.json()) as FleetStatus
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
