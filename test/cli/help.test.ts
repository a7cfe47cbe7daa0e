/** Help: every flag with its default, within its width, for each way of asking. */
import { expect, test } from "bun:test"
import { commands } from "../../src/cli/commands.ts"
import { topicOf } from "../../src/cli/help.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import { bunlb } from "./fake-terminal.ts"

test("asked for in any way it is the same page", async () => {
  const page = await bunlb(["--help"])
  expect(page.code).toBe(0)
  expect(page.complaints).toBe("")
  for (const words of [
    ["-h"],
    ["run", "--help"],
    ["help"],
    ["-p", "80", "--help"],
    ["run", "-h"],
  ]) {
    expect(await bunlb(words)).toEqual(page)
  }
})

test("it shows the commands, and every flag with its default", async () => {
  const { out } = await bunlb(["--help", "all"])
  expect((await bunlb(["help", "all"])).out).toBe(out)
  for (const name of ["run", "check", "demo", "backend", "health", "status"]) {
    expect(out).toMatch(new RegExp(`^  ${name} `, "m"))
  }
  const flat = out.replace(/\s+/g, " ")
  for (const { flag, setting, defaultText } of settingRows) {
    expect(flat).toContain(flag === "pin" ? "--[no-]pin" : `--${flag}`)
    if (setting.short !== undefined) expect(out).toContain(`  -${setting.short}, --${flag}`)
    const evident = defaultText === "none" || defaultText === "false"
    if (!evident) expect(flat).toContain(`${setting.help} (default: ${defaultText})`)
  }
})

test("no line is wider than 96 columns or ends in a space", async () => {
  for (const command of Object.keys(commands)) {
    const { out, code } = await bunlb(["help", command])
    expect(code).toBe(0)
    expect(out).toContain(`Usage: bunlb ${command === "run" ? "[run]" : command}`)
    expect(out.split("\n").filter((line) => line.length > 96 || / $/.test(line))).toEqual([])
  }
})

test("a command's own page lists no other commands", async () => {
  const { out } = await bunlb(["health", "-h"])
  expect(out).toBe(
    `Ask a running bunlb whether it serves: exit code 0 or 1.

Usage: bunlb health [--json] [--admin ADDRESS]

Flags:
      --admin HOST:PORT|unix:/PATH  Admin listener, or set BUNLB_ADMIN (default: 127.0.0.1:9900)
      --json                        The answer as JSON`,
  )
})

test("without a topic it fits on a screen: every command, ten flags, and where the others are", async () => {
  const { out } = await bunlb(["--help"])
  for (const name of Object.keys(commands)) expect(out).toMatch(new RegExp(`^  ${name} `, "m"))
  expect(out.match(/^ +(-\w, )?--/gm)).toBeArrayOfSize(10)
  expect(out.split("\n").length).toBeLessThan(65)
  expect(out).toContain("bunlb help all, or one group of them: bunlb help GROUP")
  const topics = [...new Set(settingRows.map(({ setting }) => topicOf(setting.group)))]
  expect(out.replace(/\s+/g, " ")).toContain(topics.join(", "))
})

test("a group of flags has a page of its own, by its name or its first word", async () => {
  const page = await bunlb(["help", "time-limits"])
  const rows = settingRows.filter(({ setting }) => setting.group === "Time limits")
  expect(page.out.match(/^ +--/gm)).toBeArrayOfSize(rows.length)
  for (const words of [
    ["help", "time"],
    ["--help", "Time-Limits"],
    ["run", "--help", "time-limits"],
  ]) {
    expect(await bunlb(words)).toEqual(page)
  }
  expect((await bunlb(["check", "--help", "checking"])).out).toContain("--print")
  const lost = await bunlb(["help", "zzz"])
  expect([lost.code, lost.complaints]).toEqual([
    2,
    'bunlb: no help on "zzz", see: bunlb run --help',
  ])
})

test("the version names bunlb and Bun", async () => {
  const line = /^bunlb \d+\.\d+\.\d+ \(bun \d+\.\d+\.\d+\)$/
  for (const words of [["--version"], ["-v"], ["-V"], ["version"]]) {
    expect(await bunlb(words)).toEqual({
      code: 0,
      out: expect.stringMatching(line),
      complaints: "",
    })
  }
  const verbose = (await bunlb(["--version", "--verbose"])).out.split("\n")
  expect(verbose[0]).toMatch(line)
  const platform = `platform ${process.platform} ${process.arch}`
  const sockets = `sockets ${process.platform === "linux" ? "direct" : "bun"}`
  expect(verbose.slice(1)).toEqual(["commit source", "date unknown", platform, sockets])
  const json = JSON.parse((await bunlb(["version", "--json"])).out)
  expect(json).toMatchObject({ commit: "source", bun: Bun.version })
  const { code, complaints } = await bunlb(["--version", "--loud"])
  expect([code, complaints]).toEqual([2, "bunlb: unknown flag --loud, see --help"])
})
