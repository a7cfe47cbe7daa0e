/** docs/scenarios.md names tests that are there, and every scenario that has tests of its number names their file. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../support/source.ts"

const page = readFileSync(join(root, "docs", "scenarios.md"), "utf8")

interface Scenario {
  readonly number: number
  /** Below test/. */
  readonly files: readonly string[]
}

const scenarios: readonly Scenario[] = [...page.matchAll(/^\| (\d+) .*\|$/gm)].map(
  ([row = "", number]) => ({
    number: Number(number),
    files: [...row.matchAll(/`([-a-z0-9/]+\/[-a-z0-9]+\.test\.ts)`/g)].map(([, file = ""]) => file),
  }),
)

const source = (file: string): string => readFileSync(join(root, "test", file), "utf8")

/** A test, or a group of tests, or a row of a table of tests of this number. */
const isNumbered = (text: string, number: number): boolean =>
  new RegExp(`(["\`]${number}: |^  \\[\\s*${number}, )`, "m").test(text)

test("there are forty-four", () => {
  expect(scenarios.map(({ number }) => number)).toEqual(Array.from({ length: 44 }, (_, i) => i + 1))
})

test.each(scenarios.map((each) => [each.number, each] as const))("%d", (number, { files }) => {
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) expect(source(file).length).toBeGreaterThan(0)
  // Whole processes are tested in e2e/.
  const own = files.filter((file) => /^(scenarios|e2e)\//.test(file))
  expect(own.some((file) => isNumbered(source(file), number))).toBe(true)
})
