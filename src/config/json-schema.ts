/**
 * The JSON Schema of a configuration file, for editors: completion, hover texts and red lines before
 * `bunlb check` is run. Draft 7, which the YAML language server speaks best.
 *
 * It is as strict as the reader about names and ranges, and leaves to the reader what a schema
 * cannot say: that a certificate is there, that two backends differ.
 */
import { settingRows, type SettingRow } from "./schema/schema.ts"
import type { JsonSchema } from "./schema/setting.ts"

/** The whole document. */
export function configurationSchema(): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  const groups: Record<string, Record<string, JsonSchema>> = {}
  for (const row of settingRows) {
    const [name = "", inner] = row.key.split(".")
    if (inner === undefined) properties[name] = described(row)
    else (groups[name] ??= {})[inner] = described(row)
  }
  for (const [name, inner] of Object.entries(groups)) {
    properties[name] = { type: ["object", "null"], additionalProperties: false, properties: inner }
  }
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "bunlb configuration",
    type: "object",
    additionalProperties: false,
    // `health.interval: 5s` says the same as `health: { interval: 5s }`.
    patternProperties: Object.fromEntries(dotted()),
    properties,
  }
}

function described({ setting, defaultText }: SettingRow): JsonSchema {
  return { description: `${setting.help}. Default: ${defaultText}.`, ...setting.type.json }
}

function dotted(): readonly (readonly [string, JsonSchema])[] {
  return settingRows.flatMap(({ key, setting }) =>
    key.includes(".") ? [[`^${key.replace(".", "\\.")}$`, setting.type.json] as const] : [],
  )
}
