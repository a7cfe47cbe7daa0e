/** A file gets another text whole or not at all. */
import { afterEach, beforeEach, expect, test } from "bun:test"
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { replaceFile } from "../../../src/config/file/replace-file.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bunlb-replace-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function fault(act: () => void): string {
  try {
    act()
    return ""
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(folder, "FOLDER") : ""
  }
}

test("keeps mode and link, and leaves nothing beside it", () => {
  const real = join(folder, "real")
  mkdirSync(real)
  const file = join(real, "bunlb.yaml")
  const link = join(folder, "link.yaml")
  writeFileSync(file, "before")
  chmodSync(file, 0o640)
  symlinkSync(file, link)
  replaceFile(link, "before", "after")
  expect(readFileSync(file, "utf8")).toBe("after")
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect((statSync(file).mode & 0o7777).toString(8)).toBe("640")
  expect(readdirSync(real)).toEqual(["bunlb.yaml"])
})

test("leaves alone what is no longer what was read", () => {
  const file = join(folder, "bunlb.yaml")
  writeFileSync(file, "another's")
  expect(fault(() => replaceFile(file, "before", "after"))).toBe(
    "config: FOLDER/bunlb.yaml has changed meanwhile: try again",
  )
  expect(readFileSync(file, "utf8")).toBe("another's")
  expect(readdirSync(folder)).toEqual(["bunlb.yaml"])
})

test("says why it cannot be", () => {
  expect(fault(() => replaceFile(join(folder, "none.yaml"), "", "a"))).toBe(
    "config: FOLDER/none.yaml cannot be written: ENOENT",
  )
})
