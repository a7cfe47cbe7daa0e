/** docs/configuration.md is what the schema says: BUNLB_UPDATE_DOCS=1 writes it anew. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { configurationPage } from "../../src/config/document.ts"
import { parseConfig, type FileFormat } from "../../src/config/file/config-tree.ts"
import { resolveSettings } from "../../src/config/resolve.ts"
import { settingRows } from "../../src/config/schema/schema.ts"

const path = join(import.meta.dir, "../../docs/configuration.md")

test("the page is up to date", async () => {
  if (process.env.BUNLB_UPDATE_DOCS === "1") await Bun.write(path, configurationPage())
  const text = await Bun.file(path).text()
  expect(text, "write it: BUNLB_UPDATE_DOCS=1 bun test document").toBe(configurationPage())
})

test("it has a row for every setting and every flag", () => {
  const page = configurationPage()
  for (const { key, flag } of settingRows) {
    expect(page).toContain(`\n| \`${key}\` `)
    expect(page).toContain(`--${flag}`)
  }
})

test("its examples are right, and the same in each language", () => {
  const blocks = [...configurationPage().matchAll(/```(yaml|toml|json)\n(.*?)```/gs)]
  const settings = blocks.map(([, format, text = ""]) => {
    const file = parseConfig("example", text, format as FileFormat)
    const machine = { cpus: 1, platform: "linux" }
    return resolveSettings({ file, flags: new Map(), environment: {}, machine })
  })
  expect(settings).toBeArrayOfSize(5)
  expect(settings[0]?.backends.map(({ name }) => name)).toEqual([
    "10.0.0.1:8080",
    "10.0.0.2:8080",
    "fallback.example.com:443",
  ])
  expect(settings[1]).toEqual(settings[0])
  expect(settings[2]).toEqual(settings[0])
  // Those with listeners and pools.
  expect(settings[3]?.pools.map(({ name }) => name)).toEqual(["default", "api"])
  expect(settings[4]).toEqual(settings[3])
})
