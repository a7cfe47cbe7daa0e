/**
 * What docs/migration.md shows of other balancers is what these take: a comparison with a file that never worked would
 * teach nothing. bunlb's own files are tried in commands.test.ts. A program that is missing is said to be.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { find, testWith } from "../matrix/programs.ts"
import { blocksOf, pages } from "./pages.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-migration-"))
afterAll(() => rmSync(folder, { recursive: true }))

const page = pages().find(({ path }) => path === "docs/migration.md")
const blocks = page === undefined ? [] : blocksOf(page)
const shown = (language: string): string[] =>
  blocks.filter((block) => block.language === language).map(({ text }) => text)

/** Resolves with the exit code and what was said. */
async function judge(program: string, ...words: string[]): Promise<[number, string]> {
  const child = Bun.spawn([find(program) ?? program, ...words], {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdout: "pipe",
    stderr: "pipe",
  })
  const said = await Promise.all([child.stdout.text(), child.stderr.text()])
  return [await child.exited, said.join("")]
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `${text}\n`)
  return path
}

test("each of the others stands beside a file of bunlb", () => {
  expect(["nginx", "haproxy", "caddyfile"].map((name) => shown(name).length)).toEqual([1, 1, 2])
  expect(shown("yaml").length).toBeGreaterThan(5)
})

testWith("nginx")("nginx takes its own", async () => {
  // Its own folders are root's.
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  const folders = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n")
  const own = `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;`
  const logs = `${own}\n${folders}`
  const whole = `${logs}\n${shown("nginx")[0]}\n}`
  const path = file("nginx.conf", whole)
  const [code, said] = await judge("nginx", "-t", "-p", folder, "-c", path)
  expect([code, said]).toEqual([0, expect.stringContaining("test is successful")])
})

testWith("haproxy")("HAProxy takes its own", async () => {
  const [code, said] = await judge(
    "haproxy",
    "-c",
    "-f",
    file("haproxy.cfg", shown("haproxy")[0] ?? ""),
  )
  expect([code, said]).toEqual([0, expect.not.stringMatching(/ALERT/)])
})

testWith("caddy")("Caddy takes its own", async () => {
  for (const [index, text] of shown("caddyfile").entries()) {
    const path = file(`Caddyfile${index}`, text)
    const [code, said] = await judge("caddy", "adapt", "--adapter", "caddyfile", "--config", path)
    expect([code, said]).toEqual([0, expect.stringContaining("reverse_proxy")])
  }
})
