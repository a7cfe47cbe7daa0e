/**
 * Nested keys, as a file has them, laid flat under the keys of a table (`health: { path: /x }` is `health.path`), and
 * what a person may have meant by a key that the table does not have. The same for a whole file and for one record.
 */
import type { Refuse } from "./setting.ts"
import { didYouMean, nearestByWords } from "./spelling.ts"
import { shown } from "./value-types.ts"

/** The keys that may stand at one place of a file. */
export interface KeySet {
  readonly keys: readonly string[]
  /** What stands before the dot of a key. */
  readonly groups: readonly string[]
  /** Keys without a dot, and groups. */
  readonly top: readonly string[]
}

export interface Advice {
  /** For the word of another balancer; null when it is none. `parent`: the group in which it stands, or nothing. */
  foreign(word: string, parent: string): string | null
  /** For a key that has its place somewhere else; null when it has none. `path`: with its group. `input`: its value. */
  misplaced(path: string, parent: string, input: unknown): string | null
}

export type Mapping = Readonly<Record<string, unknown>>

export function keySet(keys: readonly string[]): KeySet {
  const before = keys.flatMap((key) => (key.includes(".") ? [key.slice(0, key.indexOf("."))] : []))
  const groups = [...new Set(before)]
  return { keys, groups, top: [...keys.filter((key) => !key.includes(".")), ...groups] }
}

export function isMapping(value: unknown): value is Mapping {
  return value !== null && typeof value === "object" && !Array.isArray(value)
}

/** `root` under the keys of `set`. `refuse` hears of every other key, with its path in `root`. */
export function flatten(
  root: Mapping,
  set: KeySet,
  advice: Advice,
  refuse: Refuse,
): ReadonlyMap<string, unknown> {
  const flat = new Map<string, unknown>()
  const take = (path: string, parent: string, input: unknown): void => {
    if (set.keys.includes(path)) flat.set(path, input)
    else if (parent === "" && set.groups.includes(path)) takeGroup(path, input)
    else refuse(`unknown key${adviceOn(path, input, set, advice)}`, path)
  }
  const takeGroup = (name: string, input: unknown): void => {
    // `health:` with nothing under it is a group of which nothing was said.
    if (input === null) return
    if (!isMapping(input)) {
      const some = namesIn(set, name).slice(0, 3).join(", ")
      refuse(`expected keys under it (${some} ...), got ${shown(input)}`, name)
      return
    }
    for (const [key, inner] of Object.entries(input)) take(`${name}.${key}`, name, inner)
  }
  for (const [key, input] of Object.entries(root)) take(key, "", input)
  return flat
}

function namesIn(set: KeySet, group: string): readonly string[] {
  const start = `${group}.`
  return set.keys.flatMap((key) => (key.startsWith(start) ? [key.slice(start.length)] : []))
}

const meant = (key: string | null): string => (key === null ? "" : `, did you mean "${key}"?`)

/** What to do about an unknown key: the nearest one, the word that bunlb has for it, or where it belongs. */
function adviceOn(path: string, input: unknown, set: KeySet, advice: Advice): string {
  const parent = path.split(".").slice(0, -1).join(".")
  const word = path.slice(parent === "" ? 0 : parent.length + 1)
  const elsewhere = set.keys.find((key) => key.endsWith(`.${word}`)) ?? null
  if (parent === "") {
    const misplaced = advice.misplaced(path, parent, input)
    if (misplaced !== null) return misplaced
    const near = didYouMean(word, set.top) || advice.foreign(word, "")
    return near || meant(elsewhere ?? nearestByWords(word, set.keys))
  }
  const names = namesIn(set, parent)
  const known = advice.foreign(word, parent) ?? advice.misplaced(path, parent, input)
  if (known !== null) return known
  const near = didYouMean(word, names)
  return near || meant(elsewhere ?? nearestByWords(word, names) ?? nearestByWords(word, set.keys))
}
