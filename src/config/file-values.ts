/**
 * The settings that a file says: its keys judged, its values read, every fault with its place.
 */
import type { ConfigTree, FileFormat, Place } from "./file/config-tree.ts"
import { substitute, type Environment } from "./environment.ts"
import { foreignAdvice } from "./schema/foreign-words.ts"
import { flatten, isMapping, keySet, type Advice } from "./schema/key-tree.ts"
import { schema, settingRows } from "./schema/schema.ts"
import type { Refuse, SettingKey } from "./schema/setting.ts"
import { shown } from "./schema/value-types.ts"

const set = keySet(settingRows.map(({ key }) => key))

/** Puts what is sound into `values` and a line for each fault into `faults`; returns the keys it says. */
export function readTree(
  file: ConfigTree,
  environment: Environment,
  values: Map<SettingKey, unknown>,
  faults: string[],
  /** Gets the names of the environment that the file takes values from. */
  used: Set<string> = new Set(),
): readonly SettingKey[] {
  const unfilled: string[] = []
  const found: { path: string; message: string }[] = []
  const say = (message: string, path: string): undefined => void found.push({ path, message })
  // A value that could not be filled in would be complained about a second time as a bad one.
  const refuse: Refuse = (message, path = "") =>
    unfilled.some((start) => path.startsWith(start)) ? undefined : say(message, path)
  const root = substitute(
    file.root,
    environment,
    (message, path = "") => {
      unfilled.push(path)
      return say(message, path)
    },
    (name) => used.add(name),
  )
  if (!isMapping(root)) {
    const several = Array.isArray(root) ? ", a list or several documents (---)" : ""
    const fault = `expected settings such as "port: 80", got ${shown(root)}${several}`
    faults.push(`config: ${file.name}: ${fault}`)
    return []
  }
  const flat = flatten(root, set, adviceFor(file.format), refuse)
  const twice = new Set(file.duplicates)
  for (const path of twice) {
    if (isWritten(root, path) && !isInside(path, twice)) refuse("is there twice", path)
  }
  const said = [...flat.keys()].filter(isSettingKey)
  for (const key of said) {
    const input = flat.get(key)
    const value = schema[key].type.read(input, (message, at = "") => refuse(message, key + at))
    if (value !== undefined) values.set(key, value)
  }
  faults.push(...linesInOrder(file, found))
  return said
}

/** One line a fault, from the top of the file to its end. */
function linesInOrder(
  file: ConfigTree,
  found: readonly { path: string; message: string }[],
): readonly string[] {
  const placed = found.map((fault) => ({ ...fault, place: placeNear(file, fault.path) }))
  const rank = (place: Place | null): number => (place ? place.line * 1e6 + place.column : 0)
  return placed
    .sort((a, b) => rank(a.place) - rank(b.place))
    .map(({ path, message, place }) => {
      const where = place ? `${file.name}:${place.line}:${place.column}` : file.name
      return `config: ${where}: ${path}: ${message}`
    })
}

/** The place of a value that has none of its own is that of what it stands in: one word for a list, an alias. */
function placeNear(file: ConfigTree, path: string): Place | null {
  for (let at = path; at !== ""; at = at.replace(/(^|\.)[^.[\]]*$|\[\d+\]$/, "")) {
    const place = file.place(at)
    if (place !== null) return place
  }
  return null
}

const written = (key: string): string | null => {
  return set.keys.includes(key) || set.groups.includes(key) ? `"${key}"` : null
}

function adviceFor(format: FileFormat): Advice {
  return {
    foreign: (word, parent) => foreignAdvice(word, written, parent),
    misplaced(path, parent, input) {
      const word = path.slice(parent.length + 1)
      if (parent === "pool" && typeof input === "object") return ', did you mean "pools"?'
      if (parent === "" || !set.top.includes(word)) return null
      return format === "toml"
        ? `, it is no part of [${parent}]: move it above the first [table]`
        : `, it belongs at the top level and not under ${parent}`
    },
  }
}

function isSettingKey(path: string): path is SettingKey {
  return set.keys.includes(path)
}

/** What is inside something that is there twice is so too. */
function isInside(path: string, others: ReadonlySet<string>): boolean {
  return [...path.matchAll(/[.[]/g)].some(({ index }) => others.has(path.slice(0, index)))
}

/**
 * Whether the parsed tree has something at `path`: the locators may be wrong, the parser is not.
 */
function isWritten(root: unknown, path: string): boolean {
  let value = root
  for (const word of path.split(/[.[\]]+/).filter((part) => part !== "")) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, word)) return false
    value = (value as Readonly<Record<string, unknown>>)[word]
  }
  return true
}
