/**
 * What is true of direct sockets is true of Bun's: the tests of the data path run once more with the setting `sockets`
 * at `bun`, as they do where there are no direct ones.
 */
import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"

const files = [
  "messages",
  "backend/idle-connections",
  "retry",
  "exchange/tunnel",
  "../scenarios/g-delivery",
]

test("the data path passes its tests through Bun's sockets too", async () => {
  const root = join(import.meta.dir, "../..")
  const paths = files.map((name) => join(import.meta.dir, `${name}.test.ts`))
  expect(paths.filter((path) => !existsSync(path))).toEqual([])
  const run = Bun.spawn([process.execPath, "test", "--timeout", "20000", ...paths], {
    cwd: root,
    env: { ...process.env, BUNLB_TEST_SOCKETS: "bun" },
    stdio: ["ignore", "ignore", "pipe"],
  })
  const report = await run.stderr.text()
  expect(report.split("\n").filter((line) => line.startsWith("(fail)"))).toEqual([])
  expect(report).toMatch(/^ \d\d+ pass$/m)
  expect(await run.exited).toBe(0)
}, 240_000)
