/** The access log of the whole program: several workers in one file or pipe, moved away, complete at the end. */
import { describe, expect, test } from "bun:test"
import { readFileSync, renameSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { allGone } from "../master/running-fleet.ts"
import { AccessLogFile } from "../support/access-log.ts"
import { onLinux } from "../support/left-out.ts"
import { forBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { RunningBunlb } from "./running-bunlb.ts"

const REQUESTS = 200

/** On connections of their own, so that every worker gets some. */
async function ask(port: number, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const client = await RawClient.connect(port)
    await client.exchange(`GET /${name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    client.reset()
  }
}

const named = (prefix: string): string[] =>
  Array.from({ length: REQUESTS }, (_, i) => `${prefix}${i}?${"x".repeat((i * 37) % 1500)}`)

const targetsOf = (lines: readonly Readonly<Record<string, unknown>>[]): string[] =>
  lines.map((line) => String(line["target"]).slice(1)).toSorted()

describe.each([
  ["mp", ["-w", "2"]],
  ["sp", []],
] as const)("mode %s", (mode, flags) => {
  test("every request has its line, before and after the file was moved away", async () => {
    using file = new AccessLogFile()
    using backend = await ScriptedBackend.start(answering(() => "ok"))
    const access = ["--access-log", "json", "--access-log-path", file.path]
    await using bunlb = await RunningBunlb.start([backend], ["-m", mode, ...flags, ...access])
    const [before, after] = [named("a"), named("b")]
    await ask(bunlb.port, before)
    await file.lines(REQUESTS)
    const moved = join(file.folder, "access.log.1")
    renameSync(file.path, moved)
    bunlb.process.kill("SIGUSR1")
    await bunlb.process.line(/SIGUSR1: opening the access log again/)
    await file.lines(0)
    await ask(bunlb.port, after)
    bunlb.process.kill()
    expect(await bunlb.process.exited()).toBe(0)
    const [old, fresh] = [await file.lines(0, moved), await file.lines(0)]
    expect(targetsOf([...old, ...fresh])).toEqual([...before, ...after].toSorted())
    expect(fresh.length).toBeGreaterThan(REQUESTS / 2)
    const workers = new Set([...old, ...fresh].map((line) => line["worker"]))
    expect(workers.size).toBe(mode === "mp" ? 2 : 1)
  })
})

test("lines of two workers do not mix in a pipe, and none is lost at the end", async () => {
  using backend = await ScriptedBackend.start(answering(() => "ok"))
  await using bunlb = await RunningBunlb.start([backend], ["-w", "2", "--access-log", "json"])
  const names = named("c")
  await Promise.all([ask(bunlb.port, names.slice(0, 100)), ask(bunlb.port, names.slice(100))])
  bunlb.process.kill()
  expect(await bunlb.process.exited()).toBe(0)
  const lines = bunlb.process.stdout.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(targetsOf(lines)).toEqual(names.toSorted())
})

onLinux("a pipe that nobody reads", "the children of a shell are found in /proc")(
  "a pipe that nobody reads delays nothing; what it does not take is dropped at the end",
  async () => {
    using backend = await ScriptedBackend.start(answering(() => "ok"))
    const program = ["-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0", "-w", "1", "--no-pin"]
    const flags = ["-b", `127.0.0.1:${backend.port}`, "--access-log", "json"]
    const built = process.env["BUNLB_TEST_EXECUTABLE"]
    const command = built ? [built] : [process.execPath, "src/main.ts"]
    const child = Bun.spawn(
      ["sh", "-c", '"$@" | sleep 60', "sh", ...command, ...program, ...flags],
      {
        env: { ...forBunlb(process.env), BUNLB_LOG_FORMAT: "text" },
        stderr: "pipe",
        stdout: "ignore",
      },
    )
    const reader = child.stderr.getReader()
    let said = ""
    while (!/ -> 1 backend/.test(said))
      said += Buffer.from((await reader.read()).value ?? []).toString()
    const port = Number(/127\.0\.0\.1:(\d+) ->/.exec(said)?.[1])
    const client = await RawClient.connect(port)
    const target = "x".repeat(2_000)
    for (let i = 0; i < 300; i++) {
      await client.exchange(`GET /${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    }
    client.reset()
    const shell = `/proc/${child.pid}/task/${child.pid}/children`
    const pids = (await Bun.file(shell).text()).trim().split(" ").map(Number)
    const isReader = (pid: number): boolean =>
      readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("sleep")
    const bunlb = pids.filter((pid) => !isReader(pid))
    expect(bunlb).toHaveLength(1)
    for (const pid of bunlb) process.kill(pid, "SIGTERM")
    await allGone(bunlb)
    for (const pid of pids.filter((each) => !bunlb.includes(each))) process.kill(pid, "SIGTERM")
    await child.exited
  },
)

/** Linux takes a part of a line at the limit, as a full disk does. */
const small = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]

onLinux("a full disk", "others signal a file that is too large")(
  "a file that takes no more: only whole lines are in it, and the others are counted once",
  async () => {
    using file = new AccessLogFile()
    using backend = await ScriptedBackend.start(answering(() => "ok"))
    const access = ["--access-log", "json", "--access-log-path", file.path]
    const flags = ["-w", "2", ...access]
    await using bunlb = await RunningBunlb.start([backend], flags, { behind: small })
    const [before, after] = [named("a").slice(0, 60), named("b").slice(0, 4)]
    const all = async (count: number): Promise<readonly Readonly<Record<string, unknown>>[]> => {
      let seen = 0
      const isAll = async (): Promise<boolean> => {
        const dropped = await bunlb.figure("bunlb_access_log_dropped_total")
        const lines = readFileSync(file.path, "utf8").split("\n").length - 1
        seen = dropped + lines
        return seen >= count
      }
      await until(isAll, PATIENCE_MS, `${count} lines, written or dropped`)
      expect(seen).toBe(count)
      const text = readFileSync(file.path, "utf8")
      expect(text.endsWith("\n")).toBeTrue()
      return await file.lines(0)
    }
    await ask(bunlb.port, before)
    const kept = await all(before.length)
    expect(kept.length).toBeGreaterThan(1)
    truncateSync(file.path, 0)
    await ask(bunlb.port, after)
    const rest = await all(after.length + before.length - kept.length)
    expect(targetsOf(rest)).toEqual([...after].toSorted())
  },
)
