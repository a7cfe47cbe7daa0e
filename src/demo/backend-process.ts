/**
 * A test backend in a process of its own, so that it can be killed and frozen like a real one. Whatever ends it,
 * it comes back at the same port after some seconds: time enough to see that nobody misses it.
 */
import type { Subprocess } from "bun"
import type { Log } from "../core/log.ts"

/** From the death of a backend to its return: some rounds of probes. */
export const RETURN_MS = 8000
/** Ctrl-C reaches the whole process group: a backend may die of it before we know that we were meant as well. */
const HINDSIGHT_MS = 100
const READY_POLL_MS = 20
const READY_LIMIT_MS = 10_000

export class BackendProcess {
  readonly name: string
  readonly port: number
  readonly #command: readonly string[]
  readonly #log: Log
  #child: Subprocess | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  /** `command` is what starts this program; the arguments of `bunlb backend` are added to it. */
  constructor(command: readonly string[], name: string, log: Log) {
    this.name = name
    this.port = freePort()
    this.#command = [...command, "backend", "-h", "127.0.0.1", "-p", `${this.port}`, "--name", name]
    this.#log = log
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.#spawn()
    const deadline = performance.now() + READY_LIMIT_MS
    while (!(await this.#answers())) {
      if (performance.now() > deadline) throw new Error(`${this.name} does not answer`)
      await Bun.sleep(READY_POLL_MS)
    }
  }

  /** From now on its end is what was wanted: nothing is said of it, and it does not come back. */
  release(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async stop(): Promise<void> {
    this.release()
    // SIGKILL ends a frozen one as well.
    this.#child?.kill("SIGKILL")
    await this.#child?.exited
  }

  #spawn(): void {
    this.#child = Bun.spawn([...this.#command], {
      cwd: "/",
      env: { ...process.env, BUN_FEATURE_FLAG_NO_ORPHANS: "1" },
      stdio: ["ignore", "ignore", "inherit"],
      onExit: (child, code) => {
        const how = child.signalCode === null ? `exit code ${code}` : `signal ${child.signalCode}`
        this.#timer = setTimeout(() => this.#mourn(child.pid, how), HINDSIGHT_MS)
      },
    })
  }

  #mourn(pid: number, how: string): void {
    if (this.#stopped) return
    const wait = `back in ${RETURN_MS / 1000} s`
    this.#log.warn(`${this.name} (127.0.0.1:${this.port}, PID ${pid}) ended: ${how}; ${wait}`)
    this.#timer = setTimeout(() => {
      this.#spawn()
      this.#log.info(`${this.name} (127.0.0.1:${this.port}) runs again, PID ${this.pid}`)
    }, RETURN_MS)
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.port}/`)).ok
    } catch {
      return false
    }
  }
}

/** A port that is free now. It is told to a child, so that the child can come back to it. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
