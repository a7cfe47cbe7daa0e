/** Completion, the manual page and the sample file: made from the descriptions, and taken by what reads them. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { commands } from "../../src/cli/commands.ts"
import { sampleFile } from "../../src/config/sample.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import { withPrograms } from "../support/left-out.ts"
import { bunlb } from "./fake-terminal.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-made-"))
afterAll(() => rmSync(folder, { recursive: true }))

async function script(shell: string): Promise<string> {
  const { code, out } = await bunlb(["completion", shell])
  expect(code).toBe(0)
  const path = join(folder, shell)
  writeFileSync(path, `${out}\n`)
  return path
}

describe("bunlb completion", () => {
  test.each(["bash", "zsh", "fish"])("%s: names every command and every flag", async (shell) => {
    const text = readFileSync(await script(shell), "utf8")
    for (const name of Object.keys(commands)) expect(text).toContain(name)
    for (const { flag } of settingRows) {
      expect(text).toContain(shell === "fish" ? `-l ${flag} ` : `--${flag}`)
    }
  })

  test("another shell is refused, and none is", async () => {
    const { code, complaints } = await bunlb(["completion", "tcsh"])
    expect([code, complaints]).toEqual([
      2,
      'bunlb: no completion for "tcsh", there are bash, zsh and fish',
    ])
    expect((await bunlb(["completion"])).complaints).toContain("is missing: bunlb completion")
  })

  const complete = async (words: readonly string[]): Promise<string[]> => {
    const path = await script("bash")
    const line = words.map((word) => `'${word}'`).join(" ")
    const code = `. "${path}"; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _bunlb
      printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = Bun.spawnSync(["bash", "-c", code], { cwd: folder, stderr: "pipe" })
    expect(stderr.toString()).toBe("")
    return stdout.toString().split("\n").filter(Boolean)
  }

  withPrograms("completion in bash", "bash").each<[readonly string[], readonly string[]]>([
    [["bunlb", "dr"], ["drain"]],
    [["bunlb", "hel"], ["help"]],
    [
      ["bunlb", "e"],
      ["explain", "enable"],
    ],
    [["bunlb", "--strat"], ["--strategy"]],
    [
      ["bunlb", "-s", "r"],
      ["round_robin", "random"],
    ],
    [["bunlb", "--strategy", "=", "w"], ["weighted"]],
    [["bunlb", "check", "--pri"], ["--print"]],
    [
      ["bunlb", "check", "--mode", ""],
      ["mp", "sp"],
    ],
    [["bunlb", "drain", "--gr"], ["--grace"]],
    [["bunlb", "completion", "f"], ["fish"]],
    [["bunlb", "set", "w"], ["weight"]],
    [["bunlb", "-c", "a-file"], ["a-file.yaml"]],
    [["bunlb", "run", "--no-p"], ["--no-pin"]],
  ])("%j", async (words, found) => {
    writeFileSync(join(folder, "a-file.yaml"), "")
    expect((await complete(words)).toSorted()).toEqual([...found].toSorted())
  })

  withPrograms("the completion script of zsh", "zsh")("zsh reads its script", async () => {
    const { exitCode, stderr } = Bun.spawnSync(["zsh", "-n", await script("zsh")])
    expect([exitCode, stderr.toString()]).toEqual([0, ""])
  })

  withPrograms("the completion script of fish", "fish")("fish reads its script", async () => {
    const { exitCode, stderr } = Bun.spawnSync(["fish", "--no-execute", await script("fish")])
    expect([exitCode, stderr.toString()]).toEqual([0, ""])
  })
})

describe("bunlb man", () => {
  test("has every command, every flag, and nothing that roff would take for a request", async () => {
    const { out } = await bunlb(["man"])
    for (const name of Object.keys(commands)) expect(out).toContain(`.B ${name}\n`)
    for (const { flag } of settingRows) expect(out).toContain(flag.replaceAll("-", "\\-"))
    for (const line of out.split("\n")) {
      if (line.startsWith(".")) expect(line).toMatch(/^\.(TH|SH|SS|TP|PP|B|br)\b/)
      expect(line).not.toStartWith("'")
    }
  })

  withPrograms("the manual page as groff sees it", "groff")("without a warning", async () => {
    const { out } = await bunlb(["man"])
    const groff = ["groff", "-man", "-ww", "-Tascii", "-Kutf8"]
    const { stdout, stderr, exitCode } = Bun.spawnSync(groff, {
      stdin: Buffer.from(`${out}\n`),
      stderr: "pipe",
      env: { ...process.env, GROFF_NO_SGR: "1" },
    })
    expect([exitCode, stderr.toString()]).toEqual([0, ""])
    const plain = stdout.toString().replaceAll(/.\x08/g, "")
    expect(plain).toContain("--health-interval DURATION")
    expect(plain).toContain("EXIT STATUS")
  })
})

describe("bunlb init", () => {
  test("writes a file that passes the check, and never over another", async () => {
    const file = join(folder, "new.yaml")
    const written = await bunlb(["init", file])
    expect([written.code, written.complaints]).toEqual([0, ""])
    expect((await bunlb(["check", "-c", file])).out).toStartWith("ok: 2 backends, round_robin")
    writeFileSync(file, "port: 81\n")
    const again = await bunlb(["init", file])
    expect([again.code, again.complaints]).toEqual([
      2,
      `bunlb: ${file} is there already and stays as it is`,
    ])
    expect(readFileSync(file, "utf8")).toBe("port: 81\n")
  })

  test("every setting is in it, and takes its default when the # is taken away", async () => {
    const file = join(folder, "whole.yaml")
    const text = sampleFile()
    expect(text.match(/^ *(# )?[a-z_]+:( |$)/gm)?.length).toBeGreaterThanOrEqual(settingRows.length)
    writeFileSync(file, text.replaceAll(/^( *)# ([a-z_]+: )/gm, "$1$2"))
    const { code, out, complaints } = await bunlb(["check", "-c", file, "--json"])
    expect([code, complaints]).toEqual([0, ""])
    const { settings } = JSON.parse(out) as { settings: Record<string, { from: string }> }
    const silent = Object.entries(settings).filter(([, { from }]) => from === "default")
    expect(silent.map(([key]) => key)).toEqual([])
  })

  test("a folder that is not there, and another kind of file", async () => {
    const nowhere = await bunlb(["init", join(folder, "none", "bunlb.yaml")])
    expect([nowhere.code, nowhere.complaints]).toEqual([
      1,
      expect.stringContaining("cannot be written: no such file or folder"),
    ])
    const { code, complaints } = await bunlb(["init", "bunlb.toml"])
    expect([code, complaints]).toEqual([
      2,
      "bunlb: bunlb.toml: the file is written in YAML, name it .yaml or .yml",
    ])
  })
})
