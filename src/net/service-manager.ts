/**
 * What the service manager that started this process wants to hear: that it serves, that it reads its configuration
 * again, that it is about to end, and, if it asks, that it is alive. Datagrams to the unix socket that NOTIFY_SOCKET
 * names; no manager, no word. A word that cannot be sent is lost: serving matters more than telling.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 */
import { writeSync } from "node:fs"
import { libc } from "./linux/libc.ts"
import { DATAGRAM, connectUnix } from "./linux/unix-socket.ts"

type Environment = Record<string, string | undefined>

export class ServiceManager {
  readonly #fd: number
  /** Milliseconds between two signs of life; null when nobody wants any. */
  readonly #signMs: number | null
  #signs: Timer | null = null
  /** For a process that follows this one: where the manager listens, and the signs of life that it wants. */
  readonly environment: Readonly<Record<string, string>>

  private constructor(fd: number, signMs: number | null, environment: Record<string, string>) {
    this.#fd = fd
    this.#signMs = signMs
    this.environment = environment
  }

  /** The one that `environment` names, or null. Its names are taken out, so that no child speaks for this process. */
  static find(environment: Environment): ServiceManager | null {
    const path = environment.NOTIFY_SOCKET ?? ""
    const signMs = watchdogMs(environment)
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[name]
    const named = process.platform === "linux" && /^[/@]/.test(path)
    // Whose every write is one datagram.
    const fd = named ? connectUnix(path, DATAGRAM) : -1
    const signs = signMs === null ? {} : { WATCHDOG_USEC: String(signMs * 2_000) }
    return fd < 0 ? null : new ServiceManager(fd, signMs, { NOTIFY_SOCKET: path, ...signs })
  }

  /** `status` is one line for `systemctl status`. From now on it also hears that this process lives. */
  ready(status: string): void {
    this.#say("READY=1", `STATUS=${status}`)
    if (this.#signMs === null || this.#signs !== null) return
    this.#signs = setInterval(() => this.#say("WATCHDOG=1"), this.#signMs)
    this.#say("WATCHDOG=1")
  }

  /** Something is about to change; `ready` follows. */
  reloading(status: string): void {
    this.#say("RELOADING=1", `STATUS=${status}`)
  }

  /** Another process is the service from now on, and gives the signs of life. */
  handOver(pid: number, status: string): void {
    if (this.#signs !== null) clearInterval(this.#signs)
    this.#signs = null
    this.#say(`MAINPID=${pid}`, "READY=1", `STATUS=${status}`)
  }

  stopping(status: string): void {
    this.#say("STOPPING=1", `STATUS=${status}`)
  }

  close(): void {
    if (this.#signs !== null) clearInterval(this.#signs)
    libc().close(this.#fd)
  }

  #say(...lines: string[]): void {
    try {
      writeSync(this.#fd, lines.map((line) => line.replaceAll("\n", " ")).join("\n"))
    } catch {
      // Nobody listens any more, or not fast enough.
    }
  }
}

/** Twice in the time after which it would be thought dead; asked of this process or of anyone. */
function watchdogMs({ WATCHDOG_USEC: limit, WATCHDOG_PID: pid }: Environment): number | null {
  if (pid !== undefined && pid !== String(process.pid)) return null
  const microseconds = Number(limit ?? 0)
  return microseconds > 0 ? Math.max(1, microseconds / 2_000) : null
}
