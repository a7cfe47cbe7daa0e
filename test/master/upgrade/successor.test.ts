/** Programs that cannot follow: each is ended and told in one line. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { Successor } from "../../../src/master/upgrade/successor.ts"
import { programOnDisk, runningProgram } from "../../../src/master/supervise/program.ts"
import { obstacleTo } from "../../../src/master/upgrade/upgrader.ts"
import { allGone } from "../running-fleet.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-heir-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string, mode: number): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

function follow(...command: readonly string[]): Successor {
  const will = (): never => {
    throw new Error("nobody asked for it")
  }
  return new Successor({ command, fds: [], environment: {}, will, limitMs: 300 })
}

test("one that cannot be started", () => {
  expect(() => follow(join(folder, "none"))).toThrow(/^cannot start .*none: there is no such file$/)
  const text = file("text", "words", 0o644)
  expect(() => follow(text)).toThrow(/^cannot start .*text: it is not executable$/)
  const data = file("data", "\0\0\0\0words", 0o755)
  expect(() => follow(data)).toThrow(/^cannot start .*data: it is no executable for this machine$/)
})

test("one that is another program, one that dies", async () => {
  await expect(follow("true").served()).rejects.toThrow("it exited with code 0 before it served")
  await expect(follow("sh", "-c", "exit 3").served()).rejects.toThrow(
    "it exited with code 3 before",
  )
  await expect(follow("sh", "-c", "kill -SEGV $$").served()).rejects.toThrow(
    "it was killed by SIGSEGV before it served",
  )
})

test("one that is late is ended, and one that is no longer wanted", async () => {
  const late = follow("sleep", "60")
  await expect(late.served()).rejects.toThrow("it does not serve within 0.3 s")
  const unwanted = follow("sleep", "60")
  unwanted.cancel("this bunlb was told to end")
  await expect(unwanted.served()).rejects.toThrow("this bunlb was told to end")
  await allGone([late.pid, unwanted.pid])
})

test("where the container would end, there is no following", () => {
  expect(obstacleTo(1, 0, "bunlb")).toContain("start one of the new image")
  expect(obstacleTo(7, 1, "tini")).toContain("the container would end with this process")
  expect(obstacleTo(7, 1, "systemd")).toBeNull()
  expect(obstacleTo(7, 6, "tini")).toBeNull()
})

test("from source both programs are this one", () => {
  expect(runningProgram()).toEqual(programOnDisk())
  expect(programOnDisk()[0]).toBe(process.execPath)
})
