/** What README.md tells a newcomer is so: its first commands, its flags, its example. The rest is in test/docs. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { settingRows } from "../src/config/schema/schema.ts"
import { spawnBunlb } from "./support/processes.ts"
import { root } from "./support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-readme-"))
afterAll(() => rmSync(folder, { recursive: true }))

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const readme = read("README.md")
/** Flags of commands and of other programs that the page names. */
const others = [
  // Of scripts/bench.ts.
  "scenarios",
  "peers",
  "rounds",
  "dry-run",
  "wait",
  "grace",
  "save",
  "cookie",
  "delay",
  "fail-rate",
  "help",
  "version",
  "verbose",
  "name",
  "print",
  "status",
  "tls",
  "yes",
  "config",
  "json",
  "watch",
]

interface Row {
  readonly flag: string
  readonly short: string | undefined
  readonly fallback: string
}

const table: Row[] = [...readme.matchAll(/^\| `(?:-(\w), )?--([a-z-]+)` +\| (.+?) +\|/gm)].map(
  ([, short, flag = "", fallback = ""]) => ({ flag, short, fallback }),
)

test("the first command comes within 25 lines, and the package knows it", () => {
  const line = readme.split("\n").findIndex((each) => each.startsWith("npx --yes bun@"))
  expect(line).toBeGreaterThan(0)
  expect(line).toBeLessThan(25)
  const { scripts, engines } = JSON.parse(read("package.json")) as {
    readonly scripts: Readonly<Record<string, string>>
    readonly engines: Readonly<Record<string, string>>
  }
  const commands = [...readme.matchAll(/npx --yes bun@(\S+) run (\w+)/g)]
  expect(commands.map(([, , script]) => script)).toEqual(["demo", "test", "build"])
  for (const [, version, script = ""] of commands) {
    expect(version).toBe(engines["bun"])
    expect(scripts[script]).toBeDefined()
  }
})

describe("the table of flags", () => {
  test("says of each what the schema says", () => {
    expect(table.length).toBeGreaterThan(10)
    for (const { flag, short, fallback } of table) {
      if (flag === "config") continue
      const known = settingRows.find((each) => each.flag === flag)
      expect([flag, known?.setting.short, known?.defaultText]).toEqual([flag, short, fallback])
    }
  })

  test("has every flag that has a letter", () => {
    const lettered = settingRows.filter(({ setting }) => setting.short !== undefined)
    const missing = lettered.filter(({ flag }) => !table.some((row) => row.flag === flag))
    expect(missing.map(({ flag }) => flag)).toEqual([])
  })

  test("and no page names a flag that does not exist", () => {
    const known = new Set([...settingRows.map(({ flag }) => flag), ...others])
    for (const page of ["README.md", "CHANGELOG.md", "docs/architecture.md"]) {
      const named = [...read(page).matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, flag]) => flag)
      expect(named.filter((flag) => !known.has(flag ?? ""))).toEqual([])
    }
  })
})

test("the example file is accepted", async () => {
  const [, yaml = ""] = /```yaml\n([^]*?)```/.exec(readme) ?? []
  const file = join(folder, "bunlb.yaml")
  await Bun.write(file, yaml)
  await using check = spawnBunlb(["check", "-c", file, "-m", "sp"])
  expect([await check.exited(), ...check.lines]).toEqual([
    0,
    "ok: 3 backends, weighted, single process, port 0.0.0.0:8080, admin 127.0.0.1:9900",
  ])
})

test("the demo says what the page shows", () => {
  const demo = read("src/demo/demo.ts") + read("src/demo/backend-process.ts")
  const [, shown = ""] = /\nTry:\n([^]*?)```/.exec(readme) ?? []
  const texts = [...shown.matchAll(/^ {2}\S.*? {2,}(\S.*)$/gm)].map(([, text = ""]) => text)
  expect(texts.length).toBeGreaterThan(6)
  const plain = (text: string): string => text.replace(/\d+/g, "N")
  const said = demo.replace(/\$\{[^}]*\}/g, "N")
  expect(texts.filter((text) => !plain(said).includes(plain(text)))).toEqual([])
})

test("the status that it shows has the columns of today", () => {
  const source = read("src/cli/status.ts").replaceAll(/", "|"\]|\["/g, " ")
  const heads = [...readme.matchAll(/^(BACKEND|WORKER) .*$/gm)].map(([line]) => line)
  expect(heads).toHaveLength(2)
  for (const head of heads) expect(source).toContain(head.replaceAll(/ +/g, " "))
})
