/** The unit for systemd, judged by systemd's own tool where it is installed. */
import { afterAll, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defaultSettings } from "../../src/config/resolve.ts"
import { run, testWith } from "../matrix/programs.ts"
import { root } from "../support/source.ts"

const deploy = join(root, "scripts", "deploy")
const unit = join(deploy, "bunlb.service")
const text = readFileSync(unit, "utf8")
const folder = mkdtempSync(join(tmpdir(), "bunlb-unit-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Of 10, where 10 is a service that may do everything. */
const MOST_EXPOSURE = 2

function value(key: string): string {
  return new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? ""
}

test("the drain ends before systemd's patience, and the JIT may work", () => {
  const { timeouts } = defaultSettings({ cpus: 1, platform: "linux" })
  expect(Number.parseInt(value("TimeoutStopSec"), 10) * 1_000).toBeGreaterThan(timeouts.drain)
  expect(text).not.toMatch(/^MemoryDenyWriteExecute/m)
  expect(text).not.toMatch(/^SystemCallFilter=~.*@resources/m)
})

const systemdTest = testWith("systemd-analyze")

systemdTest("systemd-analyze verify has nothing to say", async () => {
  const service = join(folder, "bunlb.service")
  // It wants the program to be there.
  writeFileSync(service, text.replaceAll("/usr/local/bin/bunlb", process.execPath))
  const socket = join(folder, "bunlb.socket")
  copyFileSync(join(deploy, "bunlb.socket"), socket)
  const watcher = join(folder, "bunlb-watch.service")
  const watching = readFileSync(join(deploy, "keepalived", "bunlb-watch.service"), "utf8")
  writeFileSync(watcher, watching.replaceAll("/usr/local/bin/bunlb", process.execPath))
  const units = [service, socket, watcher]
  const judge = Bun.spawn(["systemd-analyze", "verify", "--man=no", ...units], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  const said = (await judge.stdout.text()) + (await judge.stderr.text())
  // Only of these units: what else is installed on a machine is not ours to judge.
  expect(said.split("\n").filter((line) => line.includes("bunlb"))).toEqual([])
})

systemdTest("systemd-analyze security finds it well locked up", async () => {
  copyFileSync(unit, join(folder, "judged.service"))
  const path = join(folder, "judged.service")
  const said = await run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path])
  const [, exposure = "10"] = /Overall exposure level for .*: ([\d.]+) /.exec(said) ?? []
  expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSURE)
})
