/**
 * Settings from everything that a person may have said: defaults < file < flags. All faults are
 * collected and reported together, because fixing a file one error a run is misery.
 *
 * The environment is read only where a file names it (`${PORT}`); settings by `BUNLB_*` would stand
 * between file and flags in `sources`.
 */
import { BunlbError } from "../observe/errors.ts"
import type { ConfigTree, Place } from "./config-tree.ts"
import { substitute, type Environment } from "./environment.ts"
import { schema, settingRows } from "./schema.ts"
import type { Machine, Refuse, SettingKey } from "./setting.ts"
import type { Settings } from "./settings.ts"
import { didYouMean } from "./spelling.ts"
import { shown } from "./value-types.ts"

/** What was typed, by setting: the strings of a flag in order, or the switch. */
export type FlagValues = ReadonlyMap<SettingKey, readonly string[] | boolean>

export interface Sources {
  readonly file: ConfigTree | null
  readonly flags: FlagValues
  readonly environment: Environment
  readonly machine: Machine
}

type Values = Map<SettingKey, unknown>

const keys: readonly string[] = settingRows.map(({ key }) => key)
const groups = [...new Set(keys.flatMap((key) => (key.includes(".") ? [key.split(".")[0]] : [])))]
const topKeys = [...keys.filter((key) => !key.includes(".")), ...groups] as readonly string[]

/** Throws one `BunlbError` whose message has a line for every fault. */
export function resolveSettings({ file, flags, environment, machine }: Sources): Settings {
  const faults: string[] = []
  const values: Values = new Map()
  for (const { key, setting } of settingRows) values.set(key, setting.default(machine))
  const given = new Set<SettingKey>(flags.keys())
  if (file) for (const key of readTree(file, environment, values, faults)) given.add(key)
  const fileFaults = faults.length
  readFlags(flags, values, faults)
  if (faults.length > 0) {
    const code = fileFaults > 0 ? "BUNLB_E_CONFIG" : "BUNLB_E_USAGE"
    throw new BunlbError(code, faults.join("\n"))
  }
  // A trace is written at level debug: who asks for one wants to see it.
  const traced = values.get("trace") === true || values.get("tls_trace") === true
  if (traced && !given.has("log_level")) values.set("log_level", "debug")
  return assemble(values)
}

/** The settings of a balancer about which nothing was said, with no backend yet. */
export function defaultSettings(machine: Machine): Settings {
  return resolveSettings({ file: null, flags: new Map(), environment: {}, machine })
}

function readTree(
  file: ConfigTree,
  environment: Environment,
  values: Values,
  faults: string[],
): readonly SettingKey[] {
  const unfilled: string[] = []
  const found: { path: string; message: string }[] = []
  const say = (message: string, path: string): undefined => void found.push({ path, message })
  // A value that could not be filled in would be complained about a second time as a bad one.
  const refuse: Refuse = (message, path = "") =>
    unfilled.some((start) => path.startsWith(start)) ? undefined : say(message, path)
  const root = substitute(file.root, environment, (message, path = "") => {
    unfilled.push(path)
    return say(message, path)
  })
  if (!isMapping(root)) {
    faults.push(`config: ${file.name}: expected settings such as "port: 80", got ${shown(root)}`)
    return []
  }
  const flat = flatten(root, refuse)
  for (const path of file.duplicates) if (isWritten(root, path)) refuse("is there twice", path)
  for (const [key, input] of flat) {
    const value = readSetting(key, input, (message, at = "") => refuse(message, key + at))
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
  refuse: Refuse,
): ReadonlyMap<SettingKey, unknown> {
  const flat = new Map<SettingKey, unknown>()
  const take = (path: string, input: unknown): void => {
    const parent = path.split(".").slice(0, -1).join(".")
    if (isSettingKey(path)) flat.set(path, input)
    else if (parent === "" && groups.includes(path)) takeGroup(path, input)
    else {
      const known = parent === "" ? topKeys : keys.filter((key) => key.startsWith(`${parent}.`))
      const word = path.slice(parent === "" ? 0 : parent.length + 1)
      const names = known.map((key) => (parent === "" ? key : key.slice(parent.length + 1)))
      refuse(`unknown key${didYouMean(word, names)}`, path)
    }
  }
  const takeGroup = (name: string, input: unknown): void => {
    // `health:` with nothing under it is a group of which nothing was said.
    if (input === null) return
    if (!isMapping(input)) {
      refuse(`expected keys under it, got ${shown(input)}`, name)
      return
    }
    for (const [key, inner] of Object.entries(input)) take(`${name}.${key}`, inner)
  }
  for (const [key, input] of Object.entries(root)) take(key, input)
  return flat
}

function readFlags(flags: FlagValues, values: Values, faults: string[]): void {
  for (const { key, flag, setting } of settingRows) {
    const given = flags.get(key)
    if (given === undefined) continue
    const input = setting.type.kind === "list" || !Array.isArray(given) ? given : given.at(-1)
    const value = readSetting(key, input, (message) => {
      faults.push(`--${flag}: ${message}`)
      return undefined
    })
    if (value !== undefined) values.set(key, value)
  }
}

function readSetting(key: SettingKey, input: unknown, refuse: Refuse): unknown {
  return schema[key].type.read(input, refuse)
}

/** Puts flat values into the shape of `Settings`: `health.same_site` becomes `health.sameSite`. */
function assemble(values: Values): Settings {
  const settings: Record<string, unknown> = {}
  for (const [key, value] of values) {
    const [first = "", second] = key.split(".").map(camelCase)
    if (second === undefined) settings[first] = value
    else settings[first] = { ...(settings[first] as object | undefined), [second]: value }
  }
  // The schema's type has a row for every field, so what all rows gave is the whole.
  return settings as unknown as Settings
}

function camelCase(word: string): string {
  return word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
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
