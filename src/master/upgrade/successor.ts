/**
 * The bunlb that follows this one, as this one sees it: a process started with the listening descriptors, that is given
 * the will and says when it serves. Until then nothing has changed here; whatever goes wrong ends it and says why.
 */
import { existsSync } from "node:fs"
import { START_FOLDER_ENV, startFolder } from "../../config/start-folder.ts"
import { withReserve } from "../../net/descriptor-reserve.ts"
import { BunlbError } from "../../core/errors.ts"
import { SUCCESSOR_ENV } from "./predecessor.ts"
import { Refused } from "../control/refused.ts"
import { FIRST_FORMAT } from "./handover.ts"
import type { AnyHandover, FromSuccessor, Taken, ToSuccessor } from "./handover.ts"

export interface SuccessorOptions {
  readonly command: readonly string[]
  /** Stay the caller's. */
  readonly fds: readonly number[]
  /** Over that of this process. */
  readonly environment: Readonly<Record<string, string>>
  /** `format`: the newest that the other one reads. Throws `Refused` when it cannot be told in one that it reads. */
  readonly will: (format: number) => AnyHandover
  /** From start to serving. */
  readonly limitMs: number
}

export interface Serving {
  readonly version: string
  readonly taken: Taken
}

export class Successor {
  readonly #child: Bun.Subprocess
  readonly #served = Promise.withResolvers<Serving>()
  #over = false

  /** Throws `Refused` when the program cannot be started. */
  constructor(options: SuccessorOptions) {
    this.#served.promise.catch(() => {})
    this.#child = this.#spawn(options)
    const seconds = options.limitMs / 1_000
    const late = setTimeout(
      () => this.#fail(refused(`it does not serve within ${seconds} s`)),
      options.limitMs,
    )
    void this.#served.promise.catch(() => {}).then(() => clearTimeout(late))
  }

  get pid(): number {
    return this.#child.pid
  }

  /** Resolves when it serves; rejects when it cannot, and it is gone: `BunlbError` for its settings, else `Refused`. */
  async served(): Promise<Serving> {
    try {
      return await this.#served.promise
    } catch (error) {
      this.#child.kill("SIGKILL")
      await this.#child.exited
      throw error
    }
  }

  /** From now on it is the one that counts. */
  release(): void {
    this.#over = true
    this.#say({ type: "yours" })
  }

  /** Ends it, as long as it does not serve. */
  cancel(reason: string): void {
    this.#fail(refused(reason))
  }

  #spawn({ command, fds, environment, will }: SuccessorOptions): Bun.Subprocess {
    const folder = startFolder()
    try {
      const start = () =>
        Bun.spawn([...command], {
          // An older version reads relative names from its working directory.
          cwd: existsSync(folder) ? folder : "/",
          env: {
            ...{ ...process.env, ...environment, [START_FOLDER_ENV]: folder },
            [SUCCESSOR_ENV]: String(process.pid),
          },
          stdio: ["inherit", "inherit", "inherit", ...fds],
          serialization: "advanced",
          ipc: (message: FromSuccessor) => this.#heard(message, will),
          onExit: (child, code, signal) => this.#ended(code, String(child.signalCode ?? signal)),
        })
      return withReserve(start)
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error)
      throw refused(`cannot start ${command[0]}: ${stories[code] ?? code}`)
    }
  }

  #heard(message: FromSuccessor, will: SuccessorOptions["will"]): void {
    if (message.type === "hello") this.#tell(will, message.format ?? FIRST_FORMAT)
    if (message.type === "serves") {
      const { version, taken } = message
      this.#served.resolve({ version, taken: typeof taken === "number" ? [taken] : taken })
    }
    if (message.type === "failed") {
      const { code, message: reason } = message
      const isSettings = code === "BUNLB_E_CONFIG" || code === "BUNLB_E_USAGE"
      this.#fail(isSettings ? new BunlbError("BUNLB_E_CONFIG", reason) : refused(reason))
    }
  }

  #tell(will: SuccessorOptions["will"], format: number): void {
    try {
      this.#say({ type: "will", will: will(format) })
    } catch (error) {
      this.#fail(error instanceof Refused ? error : refused(String(error)))
    }
  }

  #ended(code: number | null, signal: string): void {
    const story = code === null ? `was killed by ${signal}` : `exited with code ${code}`
    this.#fail(refused(`it ${story} before it served`))
  }

  #fail(reason: Error): void {
    if (!this.#over) this.#served.reject(reason)
  }

  #say(message: ToSuccessor): void {
    try {
      this.#child.send(message)
    } catch {
      // It has ended, and `onExit` says so.
    }
  }
}

function refused(message: string): Refused {
  return new Refused("not_upgraded", message)
}

const stories: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "it is not executable",
  ENOEXEC: "it is no executable for this machine",
}
