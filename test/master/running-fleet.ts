/** A fleet of stand-in workers as real processes, and what a test asks of it. Use `await using`. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Settings } from "../../src/config/schema/settings.ts"
import type { FleetLimits } from "../../src/master/supervise/watch-limits.ts"
import type { FleetStatus } from "../../src/master/figures/status.ts"
import { isLinux } from "../support/left-out.ts"
import { BunlbProcess } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { testSettings } from "./settings.ts"

const entry = join(import.meta.dir, "master-entry.ts")

export function spawnMaster(
  settings: Partial<Settings> = {},
  limits: Partial<FleetLimits> = {},
): BunlbProcess {
  const env = {
    TEST_SETTINGS: JSON.stringify(testSettings(settings)),
    TEST_LIMITS: JSON.stringify(limits),
  }
  return new BunlbProcess([process.execPath, entry], { env })
}

export class RunningFleet implements AsyncDisposable {
  private constructor(
    readonly master: BunlbProcess,
    readonly port: number,
    readonly adminPort: number,
  ) {}

  static async start(
    settings: Partial<Settings> = {},
    limits: Partial<FleetLimits> = {},
  ): Promise<RunningFleet> {
    const master = spawnMaster(settings, limits)
    const ports = await master.line(/^info bunlb .*:(\d+) -> .*, admin http:\/\/.*:(\d+)$/)
    return new RunningFleet(master, Number(ports[1]), Number(ports[2]))
  }

  /** One request on a connection of its own; the pid of the worker that answered. */
  async ask(path = "/"): Promise<number> {
    const headers = { connection: "close" }
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers })
    return Number(await response.text())
  }

  /** Sends `path` until the worker that got it has obeyed by dying or hanging: no answer is awaited. */
  poke(path: string): void {
    this.ask(path).catch(() => {})
  }

  /** Keeps a connection open that never says anything. */
  async hold(): Promise<void> {
    await Bun.connect({ hostname: "127.0.0.1", port: this.port, socket: { data() {} } })
  }

  async status(): Promise<FleetStatus> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/api/v1/status`)
    return (await response.json()) as FleetStatus
  }

  /** Pids of the workers that serve, by index. */
  async pids(): Promise<number[]> {
    const { workers } = await this.status()
    return workers.flatMap(({ pid, state }) => (pid !== null && state === "serving" ? [pid] : []))
  }

  /** The value of one series, or 0. */
  async figure(series: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text()
    const found = text.split("\n").find((line) => line.startsWith(`${series} `))
    return Number(found?.slice(series.length + 1) ?? 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.master[Symbol.asyncDispose]()
  }
}

/** One that has ended may stay as a zombie when its new parent does not ask for it: gone all the same. */
function isAlive(pid: number): boolean {
  if (!isLinux) {
    const { stdout } = Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)])
    return /^[^Z]/.test(stdout.toString().trim())
  }
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))
  } catch {
    return false
  }
}

export async function allGone(pids: readonly number[], ms: number = PATIENCE_MS): Promise<void> {
  await until(() => !pids.some(isAlive), ms, `the end of ${pids.join(", ")}`)
}
