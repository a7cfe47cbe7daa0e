/**
 * The configuration as it is in force, written as the YAML file that says the same, with the origin
 * of each value behind it.
 */
import { backend } from "./schema/backend.ts"
import type { Resolved } from "./resolve.ts"
import { settingRows, type SettingRow } from "./schema/schema.ts"
import type { BackendSettings } from "./schema/settings.ts"

const MASK = '"***"'

export function effectiveConfiguration(
  { values, origins }: Resolved,
  rows: readonly SettingRow[] = settingRows,
): string {
  const lines: string[] = []
  let group = ""
  for (const row of rows) {
    const [first = "", inner] = row.key.split(".")
    if (inner !== undefined && first !== group) lines.push(`${first}:`)
    group = inner === undefined ? "" : first
    const name = inner === undefined ? first : `  ${inner}`
    const origin = `  # ${origins.get(row.key)}`
    const value = values.get(row.key)
    if (row.key !== "backends") lines.push(`${name}: ${written(row, value)}${origin}`)
    else lines.push(...backendLines(value as readonly BackendSettings[], origin))
  }
  return lines.join("\n")
}

/** Each value as a file would write it, secrets masked, with where it was said. */
export function effectiveValues({ values, origins }: Resolved) {
  return Object.fromEntries(
    settingRows.map((row) => {
      const value = values.get(row.key)
      const shown = row.key === "backends" ? listed(value) : written(row, value)
      return [row.key, { value: shown, from: origins.get(row.key) ?? "" }]
    }),
  )
}

function listed(value: unknown): readonly string[] {
  return (value as readonly BackendSettings[]).map((each) => backend.format(each))
}

function backendLines(backends: readonly BackendSettings[], origin: string): readonly string[] {
  if (backends.length === 0) return [`backends: []${origin}`]
  return [
    `backends:${origin}`,
    ...backends.map((each) => `  - ${JSON.stringify(backend.format(each))}`),
  ]
}

function written({ setting }: SettingRow, value: unknown): string {
  const { type, secret } = setting
  if (secret && value !== null) return MASK
  const text = type.format(value)
  if (Array.isArray(value)) {
    return `[${value.length === 0 ? "" : text.split(",").map(scalar).join(", ")}]`
  }
  // The words for "nothing" are for people, unless the setting reads them too, as `off`.
  const isWords = value === null && type.read(text, () => undefined) === undefined
  return isWords ? "null" : scalar(text)
}

/** Plain where every reader of YAML takes it as it is meant. */
export function scalar(text: string): string {
  return /^[a-z0-9][a-z0-9_.-]*$/i.test(text) ? text : JSON.stringify(text)
}
