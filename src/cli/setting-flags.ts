/** The flags that settings have, for the commands that take all of them: `run` and `check`. */
import type { ConfigTree } from "../config/file/config-tree.ts"
import { CONFIG_VARIABLE } from "../config/environment-values.ts"
import { readConfigFile } from "../config/file/read-file.ts"
import { resolve, type Resolved } from "../config/resolve.ts"
import { settingRows } from "../config/schema/schema.ts"
import type { SettingKey } from "../config/schema/setting.ts"
import { absolutePath, withAbsolutePaths } from "../config/start-folder.ts"
import { text } from "../config/schema/value-types.ts"
import type { Flag, Typed } from "./flags.ts"
import type { Terminal } from "./terminal.ts"

const configFlag: Flag = {
  name: "config",
  short: "c",
  type: text(/./, "the name of a file", "FILE"),
  group: "Serving",
  help: "Settings from a .yaml, .toml or .json file; environment and flags win over it",
  defaultText: "none",
}

const fromSchema = settingRows.map(({ flag, setting, defaultText }): Flag => {
  const { short, alias, group, help } = setting
  return { name: flag, short, alias, type: setting.type, group, help, defaultText }
})

export const settingFlags: readonly Flag[] = [...fromSchema, configFlag]

/** Flags of every day, in the order of the help. */
export const everyday = [
  ...["backend", "port", "host", "strategy", "config", "workers"],
  ...["admin", "health-path", "access-log-format", "log-level"],
]

export interface Asked extends Resolved {
  /** The file as it was named, or null. */
  readonly file: string | null
  /** Its absolute name. */
  readonly path: string | null
}

/** Throws `BunlbError` with every fault of file, environment and flags. */
export async function askedSettings(typed: Typed, terminal: Terminal): Promise<Asked> {
  const { environment } = terminal
  const named = typed.values.get("config")
  const file = Array.isArray(named) ? String(named[0]) : environment[CONFIG_VARIABLE] || null
  const path = file === null ? null : absolutePath(file)
  const tree = file === null || path === null ? null : await readConfigFile(file, path)
  return { ...settingsFrom(typed, terminal, tree), file, path }
}

/** As `askedSettings`, with the file as it is given. File names in `settings` are absolute. */
export function settingsFrom(
  typed: Typed,
  { environment, machine }: Terminal,
  tree: ConfigTree | null,
): Resolved {
  const flags = new Map<SettingKey, readonly string[] | boolean>()
  for (const { key, flag } of settingRows) {
    const value = typed.values.get(flag)
    if (value !== undefined) flags.set(key, value)
  }
  const resolved = resolve({ file: tree, flags, environment, machine })
  return { ...resolved, settings: withAbsolutePaths(resolved.settings) }
}
