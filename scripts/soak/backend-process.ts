/** A backend of the soak as its parent holds it: killed, frozen, and started again at its port. */
import { join } from "node:path"
import type { Subprocess } from "bun"

const program = join(import.meta.dir, "backend.ts")

export class BackendProcess {
  readonly port: number
  readonly #seen: (id: string) => void
  #child: Subprocess | null = null

  /** `seen` is told the id of every POST that arrives. */
  constructor(port: number, seen: (id: string) => void) {
    this.port = port
    this.#seen = seen
  }

  async start(): Promise<void> {
    const ready = Promise.withResolvers<void>()
    this.#child = Bun.spawn([process.execPath, program, `${this.port}`], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, BUN_FEATURE_FLAG_NO_ORPHANS: "1" },
      ipc: (message) => (message === "ready" ? ready.resolve() : this.#seen(String(message))),
      onExit: () => ready.reject(new Error(`the backend at ${this.port} does not start`)),
    })
    await ready.promise
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP")
  }

  thaw(): void {
    this.#child?.kill("SIGCONT")
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL")
    await this.#child?.exited
  }
}
