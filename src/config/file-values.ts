/**
 * The settings that a file says: its keys judged, its values read, every fault with its place.
 */
import type { ConfigTree, FileFormat, Place } from "./file/config-tree.ts"
import { substitute, type Environment } from "./environment.ts"
import { foreignAdvice } from "./foreign-words.ts"
import { schema, settingRows } from "./schema/schema.ts"
import type { Refuse, SettingKey } from "./schema/setting.ts"
import { didYouMean, nearestByWords } from "./schema/spelling.ts"
import { shown } from "./schema/value-types.ts"

const keys: readonly string[] = settingRows.map(({ key }) => key)
const groups = [...new Set(keys.flatMap((key) => (key.includes(".") ? [key.split(".")[0]] : [])))]
const topKeys = [...keys.filter((key) => !key.includes(".")), ...groups] as readonly string[]

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
  const flat = flatten(root, file.format, refuse)
  for (const path of file.duplicates) if (isWritten(root, path)) refuse("is there twice", path)
  for (const [key, input] of flat) {
    const value = schema[key].type.read(input, (message, at = "") => refuse(message, key + at))
    if (value !== undefined) values.set(key, value)
  }
  faults.push(...linesInOrder(file, found))
  return [...flat.keys()]
}

/** One line a fault, from the top of the file to its end. */
function linesInOrder(
  file: ConfigTree,
  found: readonly { path: string; message: string }[],
): readonly string[] {
  const placed = found.map((fault) => ({ ...fault, place: file.place(fault.path) }))
  const rank = (place: Place | null): number => (place ? place.line * 1e6 + place.column : 0)
  return placed
    .sort((a, b) => rank(a.place) - rank(b.place))
    .map(({ path, message, place }) => {
      const where = place ? `${file.name}:${place.line}:${place.column}` : file.name
      return `config: ${where}: ${path}: ${message}`
    })
}

/** The tree under the keys of the schema; unknown keys are refused. */
function flatten(
  root: Readonly<Record<string, unknown>>,
  format: FileFormat,
  refuse: Refuse,
): ReadonlyMap<SettingKey, unknown> {
  const flat = new Map<SettingKey, unknown>()
  const take = (path: string, input: unknown): void => {
    const parent = path.split(".").slice(0, -1).join(".")
    if (isSettingKey(path)) flat.set(path, input)
    else if (parent === "" && groups.includes(path)) takeGroup(path, input)
    else refuse(`unknown key${adviceOn(path, parent, format)}`, path)
  }
  const takeGroup = (name: string, input: unknown): void => {
    // `health:` with nothing under it is a group of which nothing was said.
    if (input === null) return
    if (!isMapping(input)) {
      const inner = keys.filter((key) => key.startsWith(`${name}.`))
      const some = inner.slice(0, 3).map((key) => key.slice(name.length + 1))
      refuse(`expected keys under it (${some.join(", ")} ...), got ${shown(input)}`, name)
      return
    }
    for (const [key, inner] of Object.entries(input)) take(`${name}.${key}`, inner)
  }
  for (const [key, input] of Object.entries(root)) take(key, input)
  return flat
}

const quoted = (key: string | null): string | null => (key === null ? null : `"${key}"`)
const meant = (key: string | null): string => (key === null ? "" : `, did you mean ${quoted(key)}?`)

/** What to do about an unknown key: the nearest one, the word that bunlb has for it, or where it belongs. */
function adviceOn(path: string, parent: string, format: FileFormat): string {
  const word = path.slice(parent === "" ? 0 : parent.length + 1)
  const elsewhere = keys.filter((key) => key.endsWith(`.${word}`))
  const written = (key: string): string | null => (isKnown(key) ? quoted(key) : null)
  if (parent === "") {
    const near = didYouMean(word, topKeys) || foreignAdvice(word, written)
    return near || meant(elsewhere[0] ?? nearestByWords(word, keys))
  }
  const names = keys.flatMap((key) =>
    key.startsWith(`${parent}.`) ? [key.slice(parent.length + 1)] : [],
  )
  const foreign = foreignAdvice(word, written, parent)
  if (foreign !== null) return foreign
  if (topKeys.includes(word)) {
    return format === "toml"
      ? `, it is no part of [${parent}]: move it above the first [table]`
      : `, it belongs at the top level and not under ${parent}`
  }
  const near = didYouMean(word, names)
  return near || meant(elsewhere[0] ?? nearestByWords(word, names) ?? nearestByWords(word, keys))
}

function isKnown(key: string): boolean {
  return keys.includes(key) || groups.includes(key)
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value)
}

function isSettingKey(path: string): path is SettingKey {
  return keys.includes(path)
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
