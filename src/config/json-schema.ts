/**
 * The JSON Schema of a configuration file, for editors: completion, hover texts and red lines before
 * `bunlb check` is run. Draft 7, which the YAML language server speaks best.
 *
 * It is as strict as the reader about names and ranges, and leaves to the reader what a schema
 * cannot say: that a certificate is there, that two backends differ.
 */
import { objectSchema } from "./schema/record.ts"
import { settingRows } from "./schema/schema.ts"
import type { JsonSchema } from "./schema/setting.ts"

/** The whole document. */
export function configurationSchema(): JsonSchema {
  const rows = settingRows.map(({ key, setting, defaultText }) => {
    return { key, type: setting.type, help: setting.help, defaultText }
  })
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "bunlb configuration",
    ...objectSchema(rows),
  }
}
