/** The file of the access log: whole lines, nothing waited for, a limit on what waits, opened again when moved. */
import { expect, test } from "bun:test"
import { existsSync, readFileSync, readdirSync, renameSync } from "node:fs"
import { join } from "node:path"
import { AccessFile } from "../../src/worker/access-file.ts"
import { AccessLogFile } from "../support/access-log.ts"
import { isLeftOut } from "../support/left-out.ts"

const complaints: string[] = []
const log = {
  error: () => {},
  warn: (line: string) => void complaints.push(line),
  info: () => {},
  debug: () => {},
  debugging: false,
}

test("lines are written in order, in many batches", async () => {
  using at = new AccessLogFile()
  const file = new AccessFile(at.path, log)
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${"x".repeat(i % 100)}\n`)
  for (const line of lines) file.add(line)
  file.flush()
  file.flush()
  await file.settled()
  expect(readFileSync(at.path, "utf8") === lines.join("")).toBeTrue()
  expect(file.dropped).toBe(0)
  file.close()
})

test("it is made when it is not there, and goes on when it is", async () => {
  using at = new AccessLogFile()
  for (const line of ["a\n", "b\n"]) {
    const file = new AccessFile(at.path, log)
    file.add(line)
    file.close()
  }
  expect(readFileSync(at.path, "utf8")).toBe("a\nb\n")
})

test("beyond the limit lines are dropped and counted, whole", async () => {
  using at = new AccessLogFile()
  const file = new AccessFile(at.path, log, 10)
  for (const line of ["12345\n", "1234\n", "123\n", "1\n"]) file.add(line)
  expect(file.dropped).toBe(2)
  await file.settled()
  expect(readFileSync(at.path, "utf8")).toBe("12345\n123\n")
  file.add("1234\n")
  await file.settled()
  expect(file.dropped).toBe(2)
  file.close()
  file.add("too late\n")
  expect(file.dropped).toBe(3)
})

test("moved away and opened again, it loses and doubles nothing", async () => {
  using at = new AccessLogFile()
  const moved = join(at.folder, "access.log.1")
  const file = new AccessFile(at.path, log)
  file.add("before\n")
  await file.settled()
  renameSync(at.path, moved)
  file.add("still the old one\n")
  file.flush()
  file.reopen()
  file.add("after\n")
  await file.settled()
  file.close()
  expect(readFileSync(moved, "utf8")).toBe("before\nstill the old one\n")
  expect(readFileSync(at.path, "utf8")).toBe("after\n")
})

test("no descriptor is left behind, also when it is opened again within a write", async () => {
  using at = new AccessLogFile()
  const file = new AccessFile(at.path, log)
  const open = (): number => readdirSync("/dev/fd").length
  const before = open()
  for (let i = 0; i < 20; i++) {
    file.add("x\n")
    file.flush()
    file.reopen()
    file.reopen()
  }
  await file.settled()
  expect(open()).toBe(before)
  expect(readFileSync(at.path, "utf8")).toBe("x\n".repeat(20))
  file.close()
})

test("what cannot be opened is one clear error at start, and changes nothing later", async () => {
  using at = new AccessLogFile()
  const nowhere = join(at.folder, "none", "access.log")
  expect(() => new AccessFile(nowhere, log)).toThrow(
    `access log ${nowhere}: cannot be opened: no such file or folder`,
  )
  const folder = join(at.folder, "logs")
  const inside = join(folder, "access.log")
  await Bun.write(inside, "")
  const file = new AccessFile(inside, log)
  renameSync(folder, `${folder}.1`)
  file.reopen()
  expect(complaints.at(-1)).toEndWith(
    "cannot be opened: no such file or folder; the old one is kept",
  )
  file.add("kept\n")
  file.close()
  expect(readFileSync(join(`${folder}.1`, "access.log"), "utf8")).toBe("kept\n")
})

const noFullDisk = isLeftOut("a full disk", existsSync("/dev/full"), "/dev/full is not there")

test.skipIf(noFullDisk)("a full disk is said once, and its lines counted", async () => {
  const file = new AccessFile("/dev/full", log)
  const before = complaints.length
  for (let i = 0; i < 3; i++) {
    file.add("x\n")
    await file.settled()
  }
  expect(file.dropped).toBe(3)
  expect(complaints.slice(before)).toEqual([
    "access log /dev/full cannot be written (ENOSPC), lines are dropped",
  ])
  file.close()
})
