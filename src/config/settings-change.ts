/**
 * What has changed from some settings to others, so that a message about one backend of a thousand names one. Whoever
 * applies it gets the other settings, of which everything that is equal is the very same object as before: `===` tells
 * what has changed.
 *
 * Cost: linear in the number of backends, a compare for each; the change itself is as long as what it tells.
 */
import type { BackendSettings, Settings } from "./schema/settings.ts"

/** So many backends from there on, of those before. */
type Kept = readonly [from: number, count: number]

export interface SettingsChange {
  /** All settings but the backends that are no longer equal. */
  readonly others: Partial<Settings>
  /** The backends in their order, the unchanged ones as runs. */
  readonly backends: readonly (Kept | BackendSettings)[]
}

export function changeOf(before: Settings, after: Settings): SettingsChange {
  const others: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(after)) {
    if (key === "backends" || isEqual(value, Reflect.get(before, key))) continue
    others[key] = value
  }
  return { others, backends: backendsChange(before.backends, after.backends) }
}

export function applyChange(before: Settings, { others, backends }: SettingsChange): Settings {
  const changed: BackendSettings[] = []
  for (const piece of backends) {
    if (isKept(piece)) changed.push(...before.backends.slice(piece[0], piece[0] + piece[1]))
    else changed.push(piece)
  }
  return { ...before, ...others, backends: changed }
}

/** The backends are all that differs, and no rule for all of them. Compares objects by identity. */
export function onlyBackendsChanged(before: Settings, after: Settings): boolean {
  for (const key in after) {
    if (key !== "backends" && Reflect.get(before, key) !== Reflect.get(after, key)) return false
  }
  return true
}

function backendsChange(
  before: readonly BackendSettings[],
  after: readonly BackendSettings[],
): SettingsChange["backends"] {
  const places = new Map(before.map(({ name }, at) => [name, at]))
  const pieces: (Kept | BackendSettings)[] = []
  let [from, count] = [0, 0]
  const endRun = (): void => {
    if (count > 0) pieces.push([from, count])
    count = 0
  }
  for (const backend of after) {
    const at = places.get(backend.name)
    if (at === undefined || !isEqual(backend, before[at])) {
      endRun()
      pieces.push(backend)
    } else if (count > 0 && at === from + count) count++
    else {
      endRun()
      ;[from, count] = [at, 1]
    }
  }
  endRun()
  return pieces
}

function isKept(piece: Kept | BackendSettings): piece is Kept {
  return Array.isArray(piece)
}

function isEqual(some: unknown, other: unknown): boolean {
  return some === other || Bun.deepEquals(some, other)
}
