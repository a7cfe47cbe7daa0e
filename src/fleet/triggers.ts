/**
 * What makes a running bunlb read its configuration again without being asked through the admin listener: SIGHUP,
 * and with `--watch` a change of the file. A file is looked at and not listened to, because editors replace it,
 * Kubernetes swaps a link to it, and network file systems tell nothing. One that still changes is left alone until
 * it has come to rest.
 */
import { statSync } from "node:fs"
import type { Milliseconds } from "../config/settings.ts"

const LOOK_MS: Milliseconds = 500
/** For whoever must not miss that bunlb is about to read it: a look costs some 5 us. */
export const QUICK_LOOK_MS: Milliseconds = 50

export class ReloadTriggers {
  #reload: () => void = () => {}
  readonly #file: string | null
  readonly #lookMs: Milliseconds
  #watch: Timer | null = null
  #settled = ""
  #seen = ""

  /** From now on SIGHUP no longer ends the process. `file`: the configuration, or null. */
  constructor(file: string | null, watch: boolean, lookMs: Milliseconds = LOOK_MS) {
    this.#file = file
    this.#lookMs = lookMs
    this.watch(watch)
    process.on("SIGHUP", this.#hangup)
  }

  /** Whether the file is looked at. */
  watch(on: boolean): void {
    if (on === (this.#watch !== null) || this.#file === null) return
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#settled = this.#seen = this.#state()
    this.#watch = on ? setInterval(() => this.#look(), this.#lookMs) : null
  }

  /** `reload` is called from now on. */
  begin(reload: () => void): void {
    this.#reload = reload
  }

  stop(): void {
    if (this.#watch !== null) clearInterval(this.#watch)
    process.off("SIGHUP", this.#hangup)
  }

  readonly #hangup = (): void => this.#reload()

  #look(): void {
    const state = this.#state()
    const resting = state === this.#seen
    this.#seen = state
    // A file that is away is being replaced; without one there is nothing to read.
    if (!resting || state === this.#settled || state === "") return
    this.#settled = state
    this.#reload()
  }

  #state(): string {
    if (this.#file === null) return ""
    try {
      const { ino, size, mtimeMs } = statSync(this.#file)
      return `${ino} ${size} ${mtimeMs}`
    } catch {
      return ""
    }
  }
}
