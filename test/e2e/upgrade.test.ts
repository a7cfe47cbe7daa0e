/** A bunlb follows another: nothing is lost when it works, and nothing has changed when it does not. */
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, expect, setDefaultTimeout, test as everywhere } from "bun:test"
import { NotifySocket } from "../net/notify-socket.ts"
import { allGone } from "../master/running-fleet.ts"
import { isLinux, onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"
import { upgradeStorm } from "./upgrade-storm.ts"

const test = onLinux(
  "upgrades",
  "elsewhere two processes cannot share the port of the admin listener",
)

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "bunlb-upgrade-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, config: object): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify(config))
  return file
}

const named = (name: string) => ScriptedBackend.start(answering(() => name))
const place = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`

async function ask({ port }: RunningBunlb): Promise<string> {
  const client = await RawClient.connect(port)
  const { body } = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  await client.close()
  return body.toString()
}

/** `bunlb WORDS` about the one that runs: its lines and how it ended. */
async function say(bunlb: RunningBunlb, ...words: readonly string[]) {
  await using command = spawnBunlb([...words, "--admin", `127.0.0.1:${bunlb.adminPort}`])
  const code = await command.exited(30_000)
  return { code, out: command.stdout.join("\n"), complaints: command.stderr.join("\n") }
}

test("39: upgrade after upgrade under load: nothing is lost, not a look at the admin page", async () => {
  const storm = (mode: string) =>
    upgradeStorm({
      ...{ upgrades: 3, every: 250, clients: 8, pause: 3 },
      flags: ["-m", mode, "-w", "2"],
    })
  for (const outcome of await Promise.all([storm("mp"), storm("sp")])) {
    expect(outcome.failures).toEqual([])
    expect(outcome.masters).toBe(4)
    for (const count of [outcome.kept, outcome.fresh]) expect(count).toBeGreaterThan(200)
    expect(outcome.slow).toBeGreaterThan(3)
    expect(outcome.looks).toBeGreaterThan(10)
    const ends = outcome.lines.filter((line) => line.endsWith("drained; nothing was cut"))
    expect(ends).toHaveLength(4)
    const [before, after] = outcome.descriptors
    expect(after).toBeLessThan(before + 3)
  }
})

test("what was done by hand, what is ill and what happened is known to the one that follows", async () => {
  using a = await named("a")
  using b = await named("b")
  using c = await named("c")
  const dead = refusedPort()
  const flags = ["-w", "2", "-s", "weighted", "--health-interval", "5m"]
  await using bunlb = await RunningBunlb.start([a, b, { port: dead }], flags)
  const asked = async (): Promise<boolean> => {
    await ask(bunlb)
    return (await bunlb.status()).backends.some(({ state }) => state === "down")
  }
  await until(asked, PATIENCE_MS, "the dead one to be known to all workers")
  await say(bunlb, "drain", place(b), "--grace", "1m")
  await say(bunlb, "add", place(c))
  await say(bunlb, "set", "weight", place(a), "7")
  const before = await bunlb.status()

  const pid = await bunlb.upgrade()
  const after = await bunlb.status()
  expect(after.pid).toBe(pid)
  const rows = ({ backends }: typeof after) =>
    backends.map(({ name, state, weight, reason }) => ({ name, state, weight, reason }))
  expect(rows(after)).toEqual(rows(before))
  expect(after.byHand).toEqual(before.byHand)
  expect(after.backends[2]?.state).toBe("down")
  expect(after.backends[2]?.since).toBeLessThanOrEqual(before.backends[2]?.since ?? 0)
  const live = await (await fetch(`http://127.0.0.1:${bunlb.adminPort}/api/v1/events`)).body
  expect(new TextDecoder().decode((await live?.getReader().read())?.value)).toContain(
    "added, by hand",
  )

  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) seen.add(await ask(bunlb))
  expect([...seen].sort()).toEqual(["a", "c"])
  expect(await bunlb.figure("bunlb_failovers_total")).toBe(0)
})

test("SIGUSR2 with other settings in the file: more workers, another mode", async () => {
  using a = await named("a")
  const config = { backends: [place(a)], workers: 1 }
  const file = write("other.json", config)
  await using bunlb = await RunningBunlb.start([], ["-c", file])
  const [, ...rest] = (await bunlb.status()).workers
  expect(rest).toEqual([])
  write("other.json", { ...config, workers: 3, strategy: "random" })
  bunlb.process.kill("SIGUSR2")
  const [, pid] = await bunlb.process.line(/upgraded: bunlb \S+ serves, PID (\d+); PID \d+ drains$/)
  try {
    const isNext = async (): Promise<boolean> => String((await bunlb.status()).pid) === pid
    await until(isNext, PATIENCE_MS, "the next one at the admin port")
    const { workers } = await bunlb.status()
    expect(workers.map(({ state }) => state)).toEqual(["serving", "serving", "serving"])
    await allGone([bunlb.process.pid])
    expect(await ask(bunlb)).toBe("a")
    write("other.json", { ...config, mode: "sp" })
    const next = await bunlb.upgrade()
    expect((await bunlb.status()).workers.map((worker) => worker.pid)).toEqual([next])
    await allGone([Number(pid)])
    expect(await ask(bunlb)).toBe("a")
  } finally {
    bunlb.follow(Number(pid))
  }
})

test("39: one that does not come up changes nothing, and says why", async () => {
  using a = await named("a")
  using b = await named("b")
  const good = { backends: [place(a)], workers: 2 }
  const file = write("bad.json", good)
  await using bunlb = await RunningBunlb.start([], ["-c", file])
  const pids = await bunlb.workerPids()
  const next = async (config: object) => {
    write("bad.json", config)
    return await say(bunlb, "upgrade")
  }
  const typo = await next({ ...good, strategy: "wheel" })
  expect(typo).toMatchObject({ code: 2, out: "" })
  expect(typo.complaints).toMatch(/^bunlb: config: .*bad\.json:1:\d+: strategy: expected /)
  await bunlb.process.line(/ERROR upgrade: config: .*: strategy: expected /)
  await bunlb.process.line(/ERROR not upgraded: this bunlb goes on$/)

  const ca = { backends: [`https://${place(b)},ca=${folder}/none.pem`] }
  const missing = await next({ ...good, ...ca })
  expect(missing).toMatchObject({ code: 1, out: "" })
  expect(missing.complaints).toContain("none.pem")

  expect(await bunlb.workerPids()).toEqual(pids)
  expect(await ask(bunlb)).toBe("a")
  expect((await bunlb.status()).pid).toBe(bunlb.process.pid)

  write("bad.json", good)
  const both = await Promise.all([say(bunlb, "upgrade"), say(bunlb, "upgrade")])
  expect(both.map(({ code }) => code).sort()).toEqual([0, 1])
  expect(both.map(({ complaints }) => complaints).join("")).toBe(
    "bunlb: an upgrade is under way already",
  )
  const told = both.map(({ out }) => out).join("")
  bunlb.follow(Number(/ serves, PID (\d+)/.exec(told)?.[1]))
})

test("39: under load, one that fails when its workers are ready has taken no client with it", async () => {
  // Slow enough that whoever was accepted by the one that fails would still wait when it ends.
  using a = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      await Bun.sleep(40)
      await connection.send(answer(200, "late"))
    }
  })
  const admin = "127.0.0.1:0"
  const base = { host: "127.0.0.1", port: 0, backends: [place(a)], workers: 2, pin: false }
  const file = write("late.json", { ...base, admin })
  await using bunlb = await RunningBunlb.fromFile(file)
  const request = () => "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
  const load = new Load(bunlb.port, { clients: 32, pause: 0, request })
  await until(() => load.ok > 100, PATIENCE_MS, "the load")
  write("late.json", { ...base, admin: place(a) })
  const { code, complaints } = await say(bunlb, "upgrade")
  expect([code, complaints]).toEqual([1, expect.stringContaining("admin: port")])
  const count = load.ok
  await until(() => load.ok > count + 100, PATIENCE_MS, "the load to go on")
  await load.stop()
  expect([...load.failures, load.refused]).toEqual([0])
})

test("39: what is asked while another takes over is done by the other one, or refused", async () => {
  using a = await named("a")
  using b = await named("b")
  await using bunlb = await RunningBunlb.start([a, b], ["-w", "1"])
  bunlb.process.kill("SIGUSR2")
  await bunlb.process.line(/upgrade: starting /)
  const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/backends/${place(a)}/disable`
  const [answered, { code, out }] = await Promise.all([
    fetch(url, { method: "POST" }),
    say(bunlb, "drain", place(b)),
  ])
  const [, pid] = await bunlb.process.line(/upgraded: bunlb \S+ serves, PID (\d+);/)
  bunlb.follow(Number(pid))
  const message = "another bunlb has taken over: nothing was done, ask again"
  expect(await answered.json()).toEqual({ error: { code: "succeeded", message } })
  expect([code, out]).toEqual([0, expect.stringContaining(`backend ${place(b)}: draining`)])
  const { byHand } = await bunlb.status()
  expect(byHand).toEqual([`${place(b)} draining`])
})

test("told to end while another starts, it ends the other one too", async () => {
  using a = await named("a")
  await using bunlb = await RunningBunlb.start([a], ["-w", "1"])
  bunlb.process.kill("SIGUSR2")
  await bunlb.process.line(/upgrade: starting /)
  bunlb.process.kill("SIGTERM")
  await bunlb.process.line(/ERROR upgrade: this bunlb was told to end$/)
  // Its lines end when nobody is left who could write one.
  expect(await bunlb.process.exited()).toBe(0)
  expect(bunlb.process.lines.at(-1)).toContain("drained; nothing was cut")
})

const shipped = process.env["BUNLB_TEST_EXECUTABLE"]
if (shipped === undefined)
  console.error("not run: a replaced executable: BUNLB_TEST_EXECUTABLE names none")

everywhere.skipIf(shipped === undefined || !isLinux)(
  "the executable is replaced, by good ones and bad ones",
  async () => {
    using a = await named("a")
    const [old, fresh, link] = ["old", "fresh", "bunlb"].map((name) => join(folder, name))
    for (const path of [old, fresh]) copyFileSync(resolve(shipped ?? ""), path ?? "")
    symlinkSync(old ?? "", link ?? "")
    await using bunlb = await RunningBunlb.start([a], ["-w", "1"], { executable: link ?? "" })
    const lead = (target: string): void => {
      rmSync(link ?? "")
      symlinkSync(target, link ?? "")
    }
    const words = write("words", {})
    lead(words)
    expect((await say(bunlb, "upgrade")).complaints).toMatch(/bunlb: it is not executable$/)
    chmodSync(words, 0o755)
    expect((await say(bunlb, "upgrade")).complaints).toMatch(
      /: it is no executable for this machine$/,
    )
    rmSync(old ?? "")
    expect((await say(bunlb, "upgrade")).code).toBe(1)
    // Its own file is gone, and yet a worker that dies is followed by one of the same make.
    const [pid = 0] = await bunlb.workerPids()
    process.kill(pid, "SIGKILL")
    const replaced = async () => {
      const { state, pid: next } = await bunlb.worker(0)
      return state === "serving" && next !== pid
    }
    await until(replaced, PATIENCE_MS, "the next worker")
    expect(await ask(bunlb)).toBe("a")
    lead(fresh ?? "")
    const next = await bunlb.upgrade()
    expect(readlinkSync(`/proc/${next}/exe`)).toBe(fresh ?? "")
    expect(await ask(bunlb)).toBe("a")
  },
)

test("the service manager is told who is the service now", async () => {
  using a = await named("a")
  const path = join(folder, "notify")
  using socket = new NotifySocket(path)
  process.env["NOTIFY_SOCKET"] = path
  await using bunlb = await RunningBunlb.start([a], ["-w", "1"]).finally(() => {
    delete process.env["NOTIFY_SOCKET"]
  })
  await socket.line("READY=1")
  const pid = await bunlb.upgrade()
  await socket.line(`MAINPID=${pid}`)
  const serves = `STATUS=serves on port ${bunlb.port}`
  await until(
    async () => (
      await socket.line("READY=1"),
      socket.heard.filter((each) => each.includes(serves)).length === 2
    ),
    PATIENCE_MS,
    "the word of the new one",
  )
  expect(socket.heard.map((each) => each.split("\n")[0])).toEqual([
    ...["READY=1", "RELOADING=1", `MAINPID=${pid}`, "READY=1"],
  ])
  process.kill(pid, "SIGTERM")
  await socket.line("STOPPING=1")
})
