/** The file of the access log: whole lines, nothing waited for, a limit on what waits, opened again when moved. */
import { describe, expect, test } from "bun:test"
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
} from "node:fs"
import { join } from "node:path"
import { AccessFile } from "../../src/worker/access-file.ts"
import { AccessLogFile } from "../support/access-log.ts"
import { isLeftOut } from "../support/left-out.ts"
import { until } from "../support/until.ts"

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

const noPipes = isLeftOut("named pipes", Bun.which("mkfifo") !== null, "mkfifo is not installed")

describe("a named pipe", () => {
  const { O_RDONLY, O_NONBLOCK } = constants
  const made = (at: AccessLogFile): string => (Bun.spawnSync(["mkfifo", at.path]), at.path)
  const read = (fd: number): string => {
    const buffer = Buffer.alloc(64 * 1024)
    try {
      return buffer.toString("utf8", 0, readSync(fd, buffer))
    } catch {
      return ""
    }
  }

  test.skipIf(noPipes)(
    "that nobody reads holds up nothing; its lines wait for a reader",
    async () => {
      using at = new AccessLogFile()
      const file = new AccessFile(made(at), log, 20)
      expect(complaints.at(-1)).toContain("is a pipe that no program reads")
      for (const line of ["one\n", "two\n", `${"x".repeat(20)}\n`]) file.add(line)
      await file.settled()
      expect(file.dropped).toBe(1)
      const reader = openSync(at.path, O_RDONLY | O_NONBLOCK)
      let text = ""
      await until(() => (file.flush(), (text += read(reader))) === "one\ntwo\n", 5_000, "the lines")
      closeSync(reader)
      file.close()
    },
  )

  test.skipIf(noPipes)("whose reader leaves keeps the lines for the next one", async () => {
    using at = new AccessLogFile()
    const first = openSync(made(at), O_RDONLY | O_NONBLOCK)
    const file = new AccessFile(at.path, log)
    file.add("one\n")
    await file.settled()
    expect(read(first)).toBe("one\n")
    closeSync(first)
    file.add("two\n")
    file.flush()
    await until(() => complaints.at(-1)?.includes("no program reads") === true, 5_000, "a word")
    const second = openSync(at.path, O_RDONLY | O_NONBLOCK)
    file.add("three\n")
    let text = ""
    await until(() => (file.flush(), (text += read(second))) === "two\nthree\n", 5_000, "the rest")
    expect(file.dropped).toBe(0)
    closeSync(second)
    file.close()
  })

  test.skipIf(noPipes)(
    "whose reader is too slow: what does not fit is dropped, counted, whole",
    async () => {
      using at = new AccessLogFile()
      const reader = openSync(made(at), O_RDONLY | O_NONBLOCK)
      const file = new AccessFile(at.path, log, 10_000)
      const line = `${"x".repeat(999)}\n`
      for (let i = 0; i < 300; i++) {
        file.add(line)
        file.flush()
        if (i % 10 === 0) await Bun.sleep(1)
      }
      await file.settled()
      file.close()
      let got = 0
      for (let text = read(reader); text !== ""; text = read(reader)) got += text.length
      expect(got % line.length).toBe(0)
      expect(got / line.length + file.dropped).toBe(300)
      expect(file.dropped).toBeGreaterThan(0)
      closeSync(reader)
    },
  )
})

test("what is no file and no pipe is refused in one clear line", async () => {
  using at = new AccessLogFile()
  const socket = Bun.listen({ unix: at.path, socket: { data() {} } })
  expect(() => new AccessFile(at.path, log)).toThrow("is a socket, name a file or a pipe")
  expect(() => new AccessFile(at.folder, log)).toThrow("is a directory, name a file")
  socket.stop()
})
