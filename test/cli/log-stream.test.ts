/** Log lines to a pipe that nobody reads: who logs goes on, and what was lost is told. */
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { LogStream } from "../../src/cli/log-stream.ts"
import { spawnBunlb } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-stderr-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A pipe whose writing end blocks, as the one of a service does. */
function pipe(name: string) {
  const path = join(folder, name)
  Bun.spawnSync(["mkfifo", path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, writer: openSync(path, constants.O_WRONLY) }
}

function readAll(fd: number): string {
  const buffer = Buffer.alloc(1 << 20)
  let length = 0
  for (;;) {
    try {
      const count = readSync(fd, buffer, length, buffer.length - length, null)
      if (count === 0) break
      length += count
    } catch {
      break
    }
  }
  return buffer.toString("latin1", 0, length)
}

const line = (index: number) => `${String(index).padStart(999, ".")}\n`

if (process.platform !== "linux") console.error("not run: a pipe that nobody reads: only on Linux")

test.skipIf(process.platform !== "linux")(
  "what a pipe does not take waits, then is dropped and counted; whole lines in their order",
  async () => {
    const { reader, writer } = pipe("stalled")
    const output = new LogStream(writer, 100_000)
    for (let i = 0; i < 1000; i++) output.write(line(i))
    expect(output.dropped()).toBe(0)
    let text = ""
    let told = 0
    const asked = async (): Promise<boolean> => {
      text += readAll(reader)
      told = output.dropped()
      return told > 0
    }
    await until(asked, PATIENCE_MS, "room in the pipe")
    text += readAll(reader)
    const count = 1000 - told
    expect(text).toBe(Array.from({ length: count }, (_, index) => line(index)).join(""))
    expect(count).toBeGreaterThan(100)
    expect(output.dropped()).toBe(0)
    output.write("at once\n")
    expect(readAll(reader)).toBe("at once\n")
    closeSync(reader)
    output.write("nobody reads\n")
    closeSync(writer)
  },
)

test("a file is written at once, and a full disk is nobody's fault", () => {
  const path = join(folder, "file")
  const file = openSync(path, "a+")
  const output = new LogStream(file)
  writeSync(file, "before\n")
  output.write("after\n")
  expect(readAll(openSync(path, "r"))).toBe("before\nafter\n")
  closeSync(file)
  if (process.platform !== "linux") return
  const full = openSync("/dev/full", "w")
  const lost = new LogStream(full, 10)
  for (let i = 0; i < 5; i++) lost.write("12345678\n")
  expect(lost.dropped()).toBe(0)
  closeSync(full)
})

test("--log-output stdout: all lines there, and none on standard error", async () => {
  const place = ["-m", "sp", "-h", "127.0.0.1", "-p", "0", "--admin", "off", "-b", "127.0.0.1:1"]
  await using bunlb = spawnBunlb([...place, "--log-output", "stdout"])
  await bunlb.line(/ -> 1 backend/)
  bunlb.kill("SIGTERM")
  await bunlb.exited()
  expect(bunlb.stderr).toEqual([])
  expect(bunlb.stdout.length).toBeGreaterThan(1)
})

if (process.platform !== "linux")
  console.error("not run: a file that others append to: only on Linux")

test.skipIf(process.platform !== "linux")(
  "nothing is overwritten that workers append to the same file meanwhile",
  () => {
    const path = join(folder, "both.log")
    const given = openSync(path, "w")
    const other = openSync(path, "a")
    const output = new LogStream(given)
    output.write("a line of the log\n")
    writeSync(other, "a line of the access log\n")
    output.write("another line\n")
    writeSync(other, "and another one\n")
    // As the runtime does with the last words of a process.
    writeSync(given, "the end\n")
    expect(readFileSync(path, "utf8")).toBe(
      "a line of the log\na line of the access log\nanother line\nand another one\nthe end\n",
    )
    closeSync(given)
    closeSync(other)
  },
)
