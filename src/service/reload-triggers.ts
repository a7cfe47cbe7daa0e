/**
 * What makes a running bunlb read its configuration again without being asked through the admin listener: SIGHUP, and
 * with `watch` a change of the configuration file or of a CA file. Files are looked at and not listened to, because
 * editors replace them, Kubernetes swaps a link to their folder, and network file systems send no events. While
 * something still changes nothing is read: what is read has come to rest.
 */
import { fileState } from "../config/file/plain-file.ts"
import type { Milliseconds } from "../config/schema/settings.ts"

const LOOK_MS: Milliseconds = 500
/** For whoever must not miss that bunlb is about to read it: a look costs some 5 us. */
export const QUICK_LOOK_MS: Milliseconds = 50

/** Files that a reload reads as well: by absolute name, their state when they were read. */
type OtherFiles = () => ReadonlyMap<string, string>

export class ReloadTriggers {
  #reload: () => void = () => {}
  readonly #file: string | null
  readonly #others: OtherFiles
  readonly #lookMs: Milliseconds
  #watch: Timer | null = null
  /** By file: as it was when it was read. */
  #settled: ReadonlyMap<string, string> = new Map()
  #seen: ReadonlyMap<string, string> = new Map()

  /** From now on SIGHUP no longer ends the process. `file`: the configuration, or null. */
  constructor(
    file: string | null,
    watch: boolean,
    others: OtherFiles = () => new Map(),
    lookMs: Milliseconds = LOOK_MS,
  ) {
    this.#file = file
    this.#others = others
    this.#lookMs = lookMs
    this.watch(watch)
    process.on("SIGHUP", this.#hangup)
  }

  /** Whether the files are looked at. */
  watch(on: boolean): void {
    if (on === (this.#watch !== null)) return
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#settled = this.#seen = this.#look()
    this.#watch = on ? setInterval(() => this.#tick(), this.#lookMs) : null
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

  #tick(): void {
    const now = this.#look()
    const before = this.#seen
    this.#seen = now
    this.#settled = new Map([...this.#others(), ...this.#settled])
    // Without a configuration file there is nothing to read: it is being replaced.
    if (this.#file !== null && now.get(this.#file) === AWAY) return
    if (isChanged(before, now) || !isChanged(this.#settled, now)) return
    this.#settled = now
    this.#reload()
  }

  #look(): ReadonlyMap<string, string> {
    const files = new Set(this.#others().keys())
    if (this.#file !== null) files.add(this.#file)
    return new Map([...files].map((file) => [file, fileState(file)]))
  }
}

const AWAY = ""

/** A file that is new among them has not changed. */
function isChanged(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): boolean {
  return [...now].some(([file, state]) => (before.get(file) ?? state) !== state)
}
