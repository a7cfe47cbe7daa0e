/**
 * A record: a mapping whose keys have rows, as the settings of a file have them. Backends are a list of records,
 * listeners and pools are records by name.
 */
import { flatten, type Advice, type KeySet, type Mapping } from "./key-tree.ts"
import type { JsonSchema, Refuse, ValueType } from "./setting.ts"

/** One key of a record. */
export interface RecordRow {
  readonly key: string
  readonly type: ValueType<unknown>
  readonly help: string
  /** What holds where nothing is said, in words. */
  readonly defaultText: string
  readonly secret?: boolean
}

export interface RecordShape {
  readonly rows: readonly RecordRow[]
  /** The keys of the rows. */
  readonly keys: KeySet
  readonly advice: Advice
}

export function recordRow<T>(
  key: string,
  type: ValueType<T>,
  help: string,
  defaultText: string,
): RecordRow {
  // A row is read through its own type only, so the type of the value may be forgotten here.
  return { key, type: type as unknown as ValueType<unknown>, help, defaultText }
}

/** The values of `input` under the keys of its rows, or undefined after `refuse` was told all that is wrong. */
export function readRecord(
  { rows, keys, advice }: RecordShape,
  input: Mapping,
  refuse: Refuse,
): Mapping | undefined {
  let clean = true
  const mark: Refuse = (message, at) => {
    clean = false
    return refuse(message, at)
  }
  const values: Record<string, unknown> = {}
  const flat = flatten(input, keys, advice, (message, at = "") => mark(message, `.${at}`))
  for (const { key, type } of rows) {
    if (!flat.has(key)) continue
    values[key] = type.read(flat.get(key), (message, at = "") => mark(message, `.${key}${at}`))
  }
  return clean ? values : undefined
}

/** A mapping with these keys, nested or dotted. */
export function objectSchema(rows: readonly RecordRow[]): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  const groups: Record<string, Record<string, JsonSchema>> = {}
  for (const row of rows) {
    const [name = "", inner] = row.key.split(".")
    const described = {
      description: `${row.help}. Default: ${row.defaultText}.`,
      ...row.type.json,
    }
    if (inner === undefined) properties[name] = described
    else (groups[name] ??= {})[inner] = described
  }
  for (const [name, inner] of Object.entries(groups)) {
    properties[name] = { type: ["object", "null"], additionalProperties: false, properties: inner }
  }
  // `health.interval: 5s` says the same as `health: { interval: 5s }`.
  const dotted = rows.flatMap(({ key, type }) =>
    key.includes(".") ? [[`^${key.replace(".", "\\.")}$`, type.json] as const] : [],
  )
  return {
    type: "object",
    additionalProperties: false,
    patternProperties: Object.fromEntries(dotted),
    properties,
  }
}
