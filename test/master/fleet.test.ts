/** Workers die, hang and crash in loops; the fleet goes on. Real processes, stand-in workers. */
import { readFileSync } from "node:fs"
import { expect, test } from "bun:test"
import { allowedCpus } from "../../src/net/linux/affinity.ts"
import { onLinux } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { RunningFleet, allGone } from "./running-fleet.ts"
import { testBackend } from "./settings.ts"

const REQUESTS = 'bunlb_requests_total{backend="a:80",code="200"}'
const quick = { heartbeatMs: 50, hungMs: 400 }

test("every worker serves", async () => {
  await using fleet = await RunningFleet.start()
  const pids = await fleet.pids()
  expect(new Set(pids).size).toBe(2)
  const seen = new Set<number>()
  await until(async () => seen.add(await fleet.ask()).size === 2, PATIENCE_MS, "both workers")
  expect([...seen].sort()).toEqual([...pids].sort())
})

onLinux("pinning workers", "only Linux can")("each worker is on a CPU of its own", async () => {
  await using fleet = await RunningFleet.start()
  const pids = await fleet.pids()
  const cpus = allowedCpus()
  const pinned = pids.map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "latin1")
    return /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1]
  })
  expect(pinned).toEqual(pids.map((_, index) => String(cpus[index % cpus.length])))
})

test("a worker killed with -9 is replaced within a second; no connection is refused, no counter falls", async () => {
  await using fleet = await RunningFleet.start()
  for (let i = 0; i < 20; i++) await fleet.ask()
  expect(await fleet.figure(REQUESTS)).toBe(20)
  const [victim = 0, other = 0] = await fleet.pids()

  process.kill(victim, "SIGKILL")
  const killedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: 20 }, () => fleet.ask()))
  expect(answers).not.toContain(victim)
  await until(async () => (await fleet.pids()).length === 2, PATIENCE_MS, "the new worker")
  expect(performance.now() - killedAt).toBeLessThan(1_000)

  expect(await fleet.pids()).toContain(other)
  expect(await fleet.figure(REQUESTS)).toBe(40)
  expect(await fleet.figure('bunlb_worker_restarts_total{reason="killed"}')).toBe(1)
  expect((await fleet.status()).backends[0]?.requests).toBe(40)
  expect((await fleet.status()).workers.map(({ restarts }) => restarts)).toEqual([1, 0])
  await fleet.master.line(
    /^error worker 0 \(pid \d+\) was killed by SIGKILL after .*; starting it again$/,
  )
})

test("a worker that hangs is killed and replaced", async () => {
  await using fleet = await RunningFleet.start({}, quick)
  const before = await fleet.pids()
  fleet.poke("/hang")
  await fleet.master.line(/^error worker \d \(pid \d+\) hung, silent for .* and was killed/)
  await until(async () => (await fleet.pids()).length === 2, PATIENCE_MS, "the new worker")
  const after = await fleet.pids()
  expect(after.filter((pid) => before.includes(pid))).toHaveLength(1)
  expect(await fleet.figure('bunlb_worker_restarts_total{reason="hung"}')).toBe(1)
})

test("a crash loop is slowed down, and meanwhile the others take every connection", async () => {
  await using fleet = await RunningFleet.start()
  const [, other = 0] = await fleet.pids()
  for (const pause of [/starting it again$/, /starting it again$/, /in 100 ms$/, /in 200 ms$/]) {
    const serving = async () => (await fleet.status()).workers[0]?.state === "serving"
    await until(serving, PATIENCE_MS, "worker 0 to serve")
    const victim = (await fleet.status()).workers[0]?.pid ?? 0
    process.kill(victim, "SIGKILL")
    await fleet.master.line(pause)
  }
  const answers = await Promise.all(Array.from({ length: 20 }, () => fleet.ask()))
  expect(new Set(answers)).toEqual(new Set([other]))
  await until(async () => (await fleet.pids()).length === 2, PATIENCE_MS, "worker 0 again")
  const seen = new Set<number>()
  await until(async () => seen.add(await fleet.ask()).size === 2, PATIENCE_MS, "both workers")
})

test("an exit code is told", async () => {
  await using fleet = await RunningFleet.start({ workers: 1 })
  fleet.poke("/exit")
  await fleet.master.line(/^error worker 0 \(pid \d+\) exited with code 7 after/)
  await until(async () => (await fleet.ask()) > 0, PATIENCE_MS, "an answer")
})

test("thousands may queue up at a worker that is away, for Bun's short backlog is not left in force", async () => {
  await using fleet = await RunningFleet.start({ workers: 1 })
  fleet.poke("/hang")
  const held = Array.from({ length: 1_000 }, () => fleet.hold())
  await Promise.all(held)
})

test("a master killed with -9 takes its workers with it within a second, a hung one too", async () => {
  await using fleet = await RunningFleet.start()
  const pids = await fleet.pids()
  fleet.poke("/hang")
  await until(() => fleet.figure(REQUESTS).then(() => true), PATIENCE_MS, "the figures")
  fleet.master.kill("SIGKILL")
  await allGone(pids, 1_000)
})

test("a master that was stopped and continued blames no worker for its own silence", async () => {
  await using fleet = await RunningFleet.start({}, quick)
  const pids = await fleet.pids()
  fleet.master.kill("SIGSTOP")
  await Bun.sleep(quick.hungMs * 2)
  fleet.master.kill("SIGCONT")
  await Bun.sleep(quick.hungMs)
  expect(await fleet.pids()).toEqual(pids)
})

test("one change of health is one line, however many workers see it", async () => {
  await using fleet = await RunningFleet.start()
  const all = async (path: string): Promise<void> => {
    const seen = new Set<number>()
    await until(async () => seen.add(await fleet.ask(path)).size === 2, PATIENCE_MS, path)
  }
  await all("/sick")
  await fleet.master.line(/^info backend a:80 is unhealthy: 3 failures, last: connect refused$/)
  await fleet.master.line(/^debug worker \d: backend a:80 is unhealthy: 3 failures/)
  await all("/well")
  await fleet.master.line(/^info backend a:80 is healthy again after \d+ s: 2 successes$/)
  const told = fleet.master.lines.filter((line) => line.startsWith("info backend"))
  expect(told).toHaveLength(2)
})

test("/health is 503 while no worker finds a backend that it would use", async () => {
  await using fleet = await RunningFleet.start({ workers: 1, backends: [testBackend("a:80")] })
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${fleet.adminPort}/health`)
    return `${response.status} ${await response.text()}`
  }
  expect(await health()).toBe("200 ok\n")
  await fleet.ask("/sick")
  await until(async () => (await health()).startsWith("503 no backend"), PATIENCE_MS, "503")
  const ready = await fetch(`http://127.0.0.1:${fleet.adminPort}/health/ready`)
  expect([ready.status, await ready.text()]).toEqual([200, "ok\n"])
  await fleet.ask("/well")
  await until(async () => (await health()) === "200 ok\n", PATIENCE_MS, "200")
})
