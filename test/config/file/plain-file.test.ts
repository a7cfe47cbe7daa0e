/** Files that somebody has named: whatever is there, reading it neither waits nor takes memory without end. */
import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readPlainFile } from "../../../src/config/file/plain-file.ts"
import { fileFault } from "../../../src/core/file-fault.ts"
import { isLinux } from "../../support/left-out.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-plain-"))
const at = (name: string): string => join(folder, name)
Bun.spawnSync(["mkfifo", at("pipe")])
const socket = Bun.listen({ unix: at("socket"), socket: { data() {} } })
symlinkSync("loop", at("loop"))
symlinkSync("pipe", at("to-pipe"))
symlinkSync("/dev/zero", at("to-zero"))
afterAll(() => {
  socket.stop()
  rmSync(folder, { recursive: true, force: true })
})

function fault(path: string, mostBytes = 100): string {
  try {
    readPlainFile(path, mostBytes)
    return ""
  } catch (error) {
    return fileFault(error)
  }
}

test.each([
  ["none", "no such file or folder"],
  [".", "is a directory, name a file"],
  ["pipe", "is a pipe, name a file"],
  ["to-pipe", "is a pipe, name a file"],
  ["socket", "is a socket, name a file"],
  ["to-zero", "is a device, name a file"],
  ["loop", "is a link that leads to itself"],
])("%s: %s", (name, words) => {
  expect(fault(at(name))).toBe(words)
})

test("a file is read whole up to the limit, and not beyond", () => {
  const text = "é".repeat(50)
  writeFileSync(at("file"), text)
  expect(readPlainFile(at("file"), 100).toString()).toBe(text)
  expect(fault(at("file"), 99)).toBe("is too large")
  writeFileSync(at("empty"), "")
  expect(readPlainFile(at("empty"), 100).length).toBe(0)
})

test.skipIf(!isLinux)("a file without a size is read to its end, or to the limit", () => {
  expect(readPlainFile("/proc/self/status", 1 << 20).toString()).toContain("Pid:")
  expect(fault("/proc/self/status", 50)).toBe("is too large")
})

// It is a regular file by its mode, and reading it waits for the kernel's next message.
test.skipIf(!existsSync("/proc/kmsg"))("a file that makes its reader wait is given up", () => {
  const began = performance.now()
  expect(fault("/proc/kmsg", 1 << 20)).not.toBe("")
  expect(performance.now() - began).toBeLessThan(2_000)
})
