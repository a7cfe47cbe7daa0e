/** The types of the package are those of its sources. BUNLB_UPDATE_DOCS=1 writes them anew. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { declarations, optionsSource } from "../../scripts/package-types.ts"
import { root } from "../support/source.ts"

const updating = process.env["BUNLB_UPDATE_DOCS"] === "1"
const index = readFileSync(join(root, "src/index.ts"), "utf8")

test.each([
  ["src/options.ts", optionsSource()],
  ["types/index.d.ts", declarations(index)],
])("%s is what the sources say", async (path, text) => {
  if (updating) await Bun.write(join(root, path), text)
  const written = await Bun.file(join(root, path)).text()
  expect(written, "write it: BUNLB_UPDATE_DOCS=1 bun test document").toBe(text)
})
