/**
 * A program under measurement: started in the foreground, tied to its cores, and always ended with all its children.
 * CPU time and memory are those of its whole process tree as the kernel counts them (ticks of 10 ms).
 */
import { readdirSync, readFileSync } from "node:fs"
import type { Subprocess } from "bun"

const TICK_MS = 10
const PAGE_BYTES = 4096
const READY_LIMIT_MS = 5000
const STOP_LIMIT_MS = 3000

const running = new Set<Program>()
process.on("exit", () => {
  for (const program of running) program.kill()
})
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1))
}

export class Program {
  readonly #name: string
  readonly #child: Subprocess

  private constructor(
    name: string,
    command: readonly string[],
    cores: string,
    env: Readonly<Record<string, string>>,
  ) {
    this.#name = name
    this.#child = Bun.spawn(["taskset", "-c", cores, ...command], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    })
    running.add(this)
  }

  /** Resolves when `port` accepts connections. */
  static async start(
    name: string,
    command: readonly string[],
    cores: string,
    port: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Program> {
    const program = new Program(name, command, cores, env)
    const deadline = performance.now() + READY_LIMIT_MS
    while (!(await accepts(port))) {
      if (program.#child.exitCode !== null || performance.now() > deadline) {
        program.kill()
        const said = await new Response(program.#child.stderr as ReadableStream).text()
        throw new Error(`${name} does not listen on ${port}: ${said.trim()}`)
      }
      await Bun.sleep(20)
    }
    return program
  }

  /** CPU time of the tree so far. */
  cpu(): CpuTime {
    const tree = this.#tree()
    const sum = (key: "userTicks" | "systemTicks"): number =>
      tree.reduce((ticks, member) => ticks + member[key], 0) * TICK_MS
    return { userMs: sum("userTicks"), systemMs: sum("systemTicks") }
  }

  residentBytes(): number {
    return this.members().reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  }

  /** The tree's members, the first one first. */
  members(): { pid: number; residentBytes: number }[] {
    return this.#tree().map(({ pid, pages }) => ({ pid, residentBytes: pages * PAGE_BYTES }))
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM")
    const late = Bun.sleep(STOP_LIMIT_MS).then(() => "late" as const)
    if ((await Promise.race([this.#child.exited, late])) === "late") {
      console.error(`${this.#name} did not stop; killed`)
    }
    this.kill()
    await this.#child.exited
  }

  /** At once, children first: nginx's workers outlive a master that is killed. */
  kill(): void {
    running.delete(this)
    for (const { pid } of this.members().toReversed()) {
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // Already gone.
      }
    }
  }

  #tree(): ProcessFacts[] {
    const facts = readdirSync("/proc").flatMap((name) =>
      /^\d+$/.test(name) ? readFacts(name) : [],
    )
    const first = facts.find(({ pid }) => pid === this.#child.pid)
    const tree = first === undefined ? [] : [first]
    for (const member of tree) tree.push(...facts.filter(({ parent }) => parent === member.pid))
    return tree
  }
}

export interface CpuTime {
  readonly userMs: number
  readonly systemMs: number
}

interface ProcessFacts {
  readonly pid: number
  readonly parent: number
  readonly userTicks: number
  readonly systemTicks: number
  readonly pages: number
}

/** See proc(5): the fields after the name in parentheses, which may hold anything. Children that ended count too. */
function readFacts(pid: string): ProcessFacts[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number)
    const at = (index: number): number => fields[index] ?? 0
    return [
      {
        pid: Number(pid),
        parent: at(1),
        userTicks: at(11) + at(13),
        systemTicks: at(12) + at(14),
        pages: at(21),
      },
    ]
  } catch {
    return []
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}

export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
