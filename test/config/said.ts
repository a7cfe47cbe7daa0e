/** Settings of what a test says, or the lines of its faults. */
import { BunlbError } from "../../src/core/errors.ts"
import { parseConfig, type FileFormat } from "../../src/config/file/config-tree.ts"
import { resolveSettings, type FlagValues } from "../../src/config/resolve.ts"
import type { SettingKey } from "../../src/config/schema/setting.ts"
import type { Settings } from "../../src/config/schema/settings.ts"

const machine = { cpus: 2, platform: "linux" }

export interface Said {
  readonly text?: string
  readonly format?: FileFormat
  readonly flags?: readonly [SettingKey, readonly string[]][]
  readonly environment?: Readonly<Record<string, string>>
}

export function settings({ text, format = "yaml", flags = [], environment = {} }: Said): Settings {
  const file = text === undefined ? null : parseConfig(`x.${format}`, text, format)
  const values: FlagValues = new Map(flags)
  return resolveSettings({ file, flags: values, environment, machine })
}

export function faults(said: Said): string[] {
  try {
    settings(said)
  } catch (error) {
    if (error instanceof BunlbError) return error.message.split("\n")
    throw error
  }
  return []
}

/** What every bad address of a listener is told. */
export const ADDRESS =
  'expected ":PORT" for every address, IP:PORT such as 10.0.0.5:80 or [::1]:80, or unix:/PATH'
