/**
 * The file that `bunlb init` writes: what most people set is there, everything else stands as a comment with its
 * default, so that a setting is switched on by taking the `#` away.
 */
import { scalar } from "./effective.ts"
import { settingRows, type SettingRow } from "./schema/schema.ts"

const opening = `# Settings of bunlb. Check them with: bunlb check -c FILE
# Start it with: bunlb -c FILE. Take the # away in front of a setting to change its default.
`

/** Written without a comment sign: a file that serves as it stands, in front of two backends. */
const given: Readonly<Record<string, string>> = {
  backends: '\n  - "127.0.0.1:9001"\n  - "127.0.0.1:9002"',
  port: "8080",
  "health.path": "/",
}

const machine = { cpus: 1, platform: "linux" }

export function sampleFile(): string {
  const lines = [opening]
  const groups = new Map<string, SettingRow[]>()
  for (const row of settingRows) {
    const [name = "", inner] = row.key.split(".")
    if (inner === undefined) lines.push(...settingLines(row, name, ""))
    else groups.set(name, [...(groups.get(name) ?? []), row])
  }
  for (const [name, rows] of groups) {
    lines.push("", `# ${rows[0]?.setting.group ?? name}.`, `${name}:`)
    for (const row of rows) {
      lines.push(...settingLines(row, row.key.slice(name.length + 1), "  "))
    }
  }
  return `${lines.join("\n")}\n`
}

function settingLines(row: SettingRow, name: string, indent: string): string[] {
  const value = given[row.key]
  const help = `${indent}# ${row.setting.help}.`
  if (value !== undefined) {
    return [help, `${indent}${name}:${value.startsWith("\n") ? "" : " "}${value}`]
  }
  return [help, `${indent}# ${name}: ${defaultOf(row)}`]
}

function defaultOf({ key, setting }: SettingRow): string {
  if (key === "listeners" || key === "pools") return "{}"
  const value = setting.default(machine)
  if (value === null && setting.type.read("off", () => undefined) !== null) return "null"
  const text = setting.type.format(value)
  if (!Array.isArray(value)) return scalar(text)
  return `[${value.length === 0 ? "" : text.split(",").map(scalar).join(", ")}]`
}
