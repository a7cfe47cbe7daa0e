/**
 * The configuration as it is in force, written as the YAML file that says the same, with the origin
 * of each value behind it.
 */
import { backend } from "./schema/backend.ts"
import type { NamedRecord, RecordKind } from "./schema/named-records.ts"
import { DEFAULT_NAME } from "./schema/pools.ts"
import type { Resolved } from "./resolve.ts"
import { listeners, pools, settingRows, type SettingRow } from "./schema/schema.ts"
import type { ValueType } from "./schema/setting.ts"
import type { BackendSettings } from "./schema/settings.ts"

const MASK = '"***"'

const kinds: Readonly<Record<string, RecordKind>> = { listeners, pools }

/** What one line needs to know. */
interface Line {
  readonly key: string
  readonly type: ValueType<unknown>
  readonly secret: boolean
  readonly value: unknown
  readonly origin: string
}

export function effectiveConfiguration(
  resolved: Resolved,
  rows: readonly SettingRow[] = settingRows,
): string {
  const lines = rows.flatMap((row): Line | [] => {
    const { key, setting } = row
    if (key in kinds || isReplaced(resolved, key)) return []
    const [value, origin] = [resolved.values.get(key), resolved.origins.get(key) ?? ""]
    return { key, type: setting.type, secret: setting.secret === true, value, origin }
  })
  const records = Object.values(kinds).flatMap((kind) => recordLines(resolved, kind))
  return [...tree(lines, ""), ...records].join("\n")
}

/** Each value as a file would write it, secrets masked, with where it was said. */
export function effectiveValues(resolved: Resolved) {
  const { values, origins } = resolved
  return Object.fromEntries(
    settingRows.map(({ key, setting }) => {
      const value = values.get(key)
      const from = origins.get(key) ?? ""
      const kind = kinds[key]
      if (kind !== undefined) {
        const records = recordsIn(resolved, kind).map((record): [string, unknown] => [
          record.name,
          Object.fromEntries(
            linesOf(resolved, kind, record).map((line) => [line.key, shownOf(line)]),
          ),
        ])
        return [key, { value: Object.fromEntries(records), from }]
      }
      const line = { key, type: setting.type, secret: setting.secret === true, value, origin: from }
      return [key, { value: shownOf(line), from }]
    }),
  )
}

/** The address and the backends of the whole file hold for nothing where records have their own. */
function isReplaced({ values, settings }: Resolved, key: string): boolean {
  const hasListeners = (values.get("listeners") as readonly NamedRecord[]).length > 0
  if (key === "port" || key === "host") return hasListeners
  const flat = values.get("backends") as readonly BackendSettings[]
  const hasPools = (values.get("pools") as readonly NamedRecord[]).length > 0
  return key === "backends" && hasPools && flat.length === 0 && settings.pools.length > 0
}

function recordsIn({ values }: Resolved, { plural }: RecordKind): readonly NamedRecord[] {
  return values.get(plural as "pools") as readonly NamedRecord[]
}

function recordLines(resolved: Resolved, kind: RecordKind): readonly string[] {
  const { origins } = resolved
  const records = recordsIn(resolved, kind)
  const said = `# ${origins.get(kind.plural) ?? ""}`
  if (records.length === 0) return [`${kind.plural}: {}  ${said}`]
  return [
    `${kind.plural}:  ${said}`,
    ...records.flatMap((record) => [
      `  ${/^[a-z]/.test(record.name) ? record.name : JSON.stringify(record.name)}:`,
      ...tree(linesOf(resolved, kind, record), "    "),
    ]),
  ]
}

/** What a record says by itself, and the pool of a listener: the rest is that of the top level. */
function linesOf(
  { origins }: Resolved,
  kind: RecordKind,
  { name, values }: NamedRecord,
): readonly Line[] {
  const outer = origins.get(kind.plural) ?? ""
  const isWord = outer.startsWith("--") || outer.startsWith("BUNLB_")
  const implied: Readonly<Record<string, string>> =
    kind.plural === "listeners" ? { pool: DEFAULT_NAME } : {}
  return kind.rows.flatMap(({ key, type, secret = false }): Line | [] => {
    const value = values[key] ?? implied[key]
    if (value === undefined && !Object.hasOwn(values, key)) return []
    const place = Object.hasOwn(values, key)
      ? origins.get(`${kind.plural}.${name}.${key}`)
      : "default"
    return {
      key,
      type,
      secret,
      value,
      origin: (isWord && place !== "default" ? outer : place) ?? outer,
    }
  })
}

/** Lines under the names of their groups. */
function tree(lines: readonly Line[], indent: string): readonly string[] {
  const written: string[] = []
  let group = ""
  for (const line of lines) {
    const [first = "", inner] = line.key.split(".")
    if (inner !== undefined && first !== group) written.push(`${indent}${first}:`)
    group = inner === undefined ? "" : first
    const name = inner === undefined ? indent + first : `${indent}  ${inner}`
    const value = shownOf(line)
    if (typeof value === "string") written.push(`${name}: ${value}  # ${line.origin}`)
    else written.push(...backendLines(name, value, line.origin))
  }
  return written
}

function backendLines(
  name: string,
  backends: readonly string[],
  origin: string,
): readonly string[] {
  if (backends.length === 0) return [`${name}: []  # ${origin}`]
  const dash = `${/^ */.exec(name)?.[0] ?? ""}  - `
  return [`${name}:  # ${origin}`, ...backends.map((each) => dash + JSON.stringify(each))]
}

function shownOf({ key, type, secret, value }: Line): string | readonly string[] {
  if (key === "backends") {
    return (value as readonly BackendSettings[]).map((each) => backend.format(each))
  }
  if (secret && value !== null) return MASK
  const text = type.format(value)
  if (Array.isArray(value)) {
    return `[${value.length === 0 ? "" : text.split(",").map(scalar).join(", ")}]`
  }
  // The words for "nothing" are for people, unless the setting reads them too, as `off`.
  const isWords = value === null && type.read(text, () => undefined) === undefined
  if (isWords) return "null"
  const isWord = typeof value === "string" && /^(null|true|false)$/i.test(text)
  return isWord ? JSON.stringify(text) : scalar(text)
}

/** Plain where every reader of YAML takes it as it is meant. */
export function scalar(text: string): string {
  // 0660 and 1e3 would be read as numbers that are written otherwise.
  const isOdd = !Number.isNaN(Number(text)) && String(Number(text)) !== text
  return /^[a-z0-9][a-z0-9_.-]*$/i.test(text) && !isOdd ? text : JSON.stringify(text)
}
