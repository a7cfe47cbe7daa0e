/**
 * The examples of docs/contributing.md work as they stand: all are made in a copy of the tree, which then has to pass
 * its types, its form, the rules of the house and the examples' own tests. Takes about four seconds.
 */
import { afterAll, expect, test } from "bun:test"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "../support/source.ts"

const copy = mkdtempSync(join(tmpdir(), "bunlb-contributing-"))
afterAll(() => rmSync(copy, { recursive: true }))

const LIMIT_MS = 60_000
const page = readFileSync(join(root, "docs/contributing.md"), "utf8")

interface Step {
  readonly kind: "file" | "change"
  readonly path: string
  readonly text: string
}

/** A block of `ts` is a new file, one of `diff` a change, of the file that was named last in front of it. */
function steps(): Step[] {
  return [...page.matchAll(/```(ts|diff)\n([^]*?)```/g)].map((match) => {
    const before = page.slice(0, match.index)
    const paths = [...before.matchAll(/`((?:src|test|docs)\/[\w./-]+\.(?:ts|md))`/g)]
    const [, language, text = ""] = match
    return { kind: language === "ts" ? "file" : "change", path: paths.at(-1)?.[1] ?? "", text }
  })
}

function follow({ kind, path, text }: Step): void {
  const target = join(copy, path)
  if (kind === "file") return writeFileSync(target, text)
  const lines = text.trimEnd().split("\n")
  const side = (sign: string): string =>
    lines
      .filter((line) => line[0] !== sign)
      .map((line) => line.slice(1))
      .join("\n")
  const before = readFileSync(target, "utf8")
  const [old, fresh] = [side("+"), side("-")]
  expect(before.split(old).length - 1, `${path} has once: ${old}`).toBe(1)
  writeFileSync(
    target,
    before.replace(old, () => fresh),
  )
}

/** Nothing, or what went wrong. Pages that are generated are. */
async function run(...words: string[]): Promise<string> {
  const env = { ...process.env, BUNLB_UPDATE_DOCS: "1", BUNLB_TEST_EXECUTABLE: "" }
  const streams = { stdout: "pipe", stderr: "pipe" } as const
  const child = Bun.spawn([process.execPath, ...words], { cwd: copy, env, ...streams })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const code = await child.exited
  return code === 0 ? "" : `${words.join(" ")}: exit code ${code}\n${out}${err}`
}

const folders = ["src", "test", "docs", "scripts"]
const files = [
  "README.md",
  "CHANGELOG.md",
  "package.json",
  "bunfig.toml",
  "tsconfig.json",
  "bun.lock",
]

async function makeAll(): Promise<void> {
  for (const each of [...folders, ...files])
    cpSync(join(root, each), join(copy, each), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  const all = steps()
  expect(all.filter(({ kind }) => kind === "file")).toHaveLength(4)
  expect(all.filter(({ kind }) => kind === "change").length).toBeGreaterThan(8)
  for (const step of all) follow(step)
  const paths = all.map(({ path }) => path)
  expect(await run("fmt", ...paths)).toBe("")
  const own = paths.filter((path) => path.startsWith("test/"))
  const house = ["test/tidy.test.ts", "test/floors.test.ts", "test/docs/runbook.test.ts"]
  const tests = run("test", "test/config/document.test.ts", ...own, ...house)
  expect(await Promise.all([run("check"), tests])).toEqual(["", ""])
}

test("the three examples work as they stand", makeAll, LIMIT_MS)
