/**
 * Settings from everything that a person may have said: defaults < file < environment < flags. All
 * faults are collected and reported together, because fixing a file one error a run is misery.
 * Where each value came from is kept, for `bunlb check --print`.
 */
import { BunlbError } from "../core/errors.ts"
import type { ConfigTree } from "./file/config-tree.ts"
import { readVariables } from "./environment-values.ts"
import type { Environment } from "./environment.ts"
import { readTree } from "./file-values.ts"
import { recordFaults } from "./record-faults.ts"
import { pathsInRecords, recordsOf } from "./records.ts"
import { schema, settingRows } from "./schema/schema.ts"
import type { Machine, Refuse, SettingKey } from "./schema/setting.ts"
import type { FlatSettings, Settings } from "./schema/settings.ts"

/** What was typed, by setting: the strings of a flag in order, or the switch. */
export type FlagValues = ReadonlyMap<SettingKey, readonly string[] | boolean>

export interface Sources {
  readonly file: ConfigTree | null
  readonly flags: FlagValues
  readonly environment: Environment
  readonly machine: Machine
}

type Values = Map<SettingKey, unknown>

/** The settings, and of each where it was said: `bunlb.yaml:3:1`, `BUNLB_PORT`, `--port`, `default`. */
export interface Resolved {
  readonly settings: Settings
  readonly values: ReadonlyMap<SettingKey, unknown>
  /** By key, and by path for what is inside a record of a file: `pools.api.strategy`. */
  readonly origins: ReadonlyMap<string, string>
}

/** Throws one `BunlbError` whose message has a line for every fault. */
export function resolveSettings(sources: Sources): Settings {
  return resolve(sources).settings
}

/** As `resolveSettings`, with the origin of each value. */
export function resolve({ file, flags, environment, machine }: Sources): Resolved {
  const faults: string[] = []
  const values: Values = new Map()
  const origins = new Map<string, string>()
  const used = new Set<string>()
  for (const { key, setting } of settingRows) {
    values.set(key, setting.default(machine))
    origins.set(key, "default")
  }
  if (file) {
    const said = readTree(file, environment, values, faults, used)
    for (const path of [...said, ...pathsInRecords(values)]) {
      origins.set(path, originIn(file, path))
    }
  }
  for (const [key, name] of readVariables(environment, values, faults, used)) origins.set(key, name)
  const written = faults.length
  for (const [key, flag] of readFlags(flags, values, faults)) origins.set(key, `--${flag}`)
  const between = recordFaults({
    ...{ values, origins, format: file?.format ?? "yaml" },
    whole: faults.length === 0,
  })
  faults.push(...between)
  if (faults.length > 0) {
    const isWritten = written > 0 || between.some((line) => !line.startsWith("--"))
    throw new BunlbError(isWritten ? "BUNLB_E_CONFIG" : "BUNLB_E_USAGE", faults.join("\n"))
  }
  // A trace is written at level debug: who asks for one wants to see it.
  const traced = values.get("trace") === true || values.get("tls_trace") === true
  if (traced && origins.get("log_level") === "default") {
    values.set("log_level", "debug")
    origins.set("log_level", "because of a trace")
  }
  return { settings: { ...assemble(values), ...recordsOf(values, assemble) }, values, origins }
}

/** A value of a short form stands where its record stands. */
function originIn(file: ConfigTree, path: string): string {
  const place = file.place(path) ?? file.place(path.split(".").slice(0, 2).join("."))
  return place ? `${file.name}:${place.line}:${place.column}` : file.name
}

/** The settings of a balancer about which nothing was said, with no backend yet. */
export function defaultSettings(machine: Machine): Settings {
  return resolveSettings({ file: null, flags: new Map(), environment: {}, machine })
}

/** Returns what was said, with the name of its flag. */
function readFlags(
  flags: FlagValues,
  values: Values,
  faults: string[],
): readonly (readonly [SettingKey, string])[] {
  const said: (readonly [SettingKey, string])[] = []
  for (const { key, flag, setting } of settingRows) {
    const given = flags.get(key)
    if (given === undefined) continue
    said.push([key, flag])
    const { type } = schema[key]
    const refuse: Refuse = (message) => void faults.push(`--${flag}: ${message}`)
    const input = setting.type.kind === "list" || !Array.isArray(given) ? given : given.at(-1)
    const value =
      type.readWords && Array.isArray(given)
        ? type.readWords(given, refuse)
        : type.read(input, refuse)
    if (value !== undefined) values.set(key, value)
  }
  return said
}

/** Puts flat values into the shape of `FlatSettings`: `health.same_site` becomes `health.sameSite`. */
function assemble(values: Values): FlatSettings {
  const settings: Record<string, unknown> = {}
  for (const [key, value] of values) {
    if (key === "listeners" || key === "pools") continue
    const [first = "", second] = key.split(".").map(camelCase)
    if (second === undefined) settings[first] = value
    else settings[first] = { ...(settings[first] as object | undefined), [second]: value }
  }
  // The schema's type has a row for every field, so what all rows gave is the whole.
  return settings as unknown as FlatSettings
}

/** `same_site` -> `sameSite`. */
export function camelCase(word: string): string {
  return word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
