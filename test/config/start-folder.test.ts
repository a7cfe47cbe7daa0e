/** Which folder relative names start from. */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findStartFolder } from "../../src/config/start-folder.ts"

const base = realpathSync(mkdtempSync(join(tmpdir(), "bunlb-start-folder-")))
const release = join(base, "release1")
const current = join(base, "current")
mkdirSync(release)
symlinkSync("release1", current)
afterAll(() => rmSync(base, { recursive: true, force: true }))

test.each([
  ["nothing is said", {}, release, release],
  ["the shell knows the folder by a link", { PWD: current }, release, current],
  ["PWD is of somebody else", { PWD: base }, release, release],
  ["PWD names nothing", { PWD: join(base, "none") }, release, release],
  ["PWD is relative", { PWD: "." }, release, release],
  ["the folder has been deleted before", { PWD: current }, null, current],
  ["the folder has been deleted, and nothing is said", {}, null, "/"],
  ["a predecessor says it", { BUNLB_HEIR: "7", BUNLB_START_FOLDER: "/srv/gone" }, "/", "/srv/gone"],
  ["a stranger says it", { BUNLB_START_FOLDER: "/srv/gone" }, release, release],
])("%s", (_, environment, here, folder) => {
  expect(findStartFolder(environment, here)).toBe(folder)
})
