/** Processes die and hang under load: what is lost, who goes on, and how soon all is as before. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { allGone } from "../master/running-fleet.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

/** The hung worker alone takes 5 s. */
setDefaultTimeout(30_000)

const REQUESTS = "bunlb_requests_total"

/** Samples a counter until told to stop; resolves with how often it fell. */
function watchCounter(bunlb: RunningBunlb): () => Promise<number> {
  let stopped = false
  const watch = async (): Promise<number> => {
    let falls = 0
    for (let before = 0; !stopped; await Bun.sleep(20)) {
      const now = await bunlb.figure(REQUESTS)
      if (now < before) falls++
      before = now
    }
    return falls
  }
  const falls = watch()
  return () => {
    stopped = true
    return falls
  }
}

test("38: kill -9 of a worker costs its own requests in flight and nothing else", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "2"])
  const load = new Load(bunlb.port, { clients: 24, pause: 2 })
  await until(() => load.ok > 500, PATIENCE_MS, "the load")
  const falls = watchCounter(bunlb)

  const victim = await bunlb.worker(0)
  const survivor = await bunlb.worker(1)
  expect(victim.clients + survivor.clients).toBe(24)
  process.kill(victim.pid ?? 0, "SIGKILL")
  const killedAt = performance.now()
  const isBack = async (): Promise<boolean> => {
    const { pid, state } = await bunlb.worker(0)
    return pid !== victim.pid && state === "serving"
  }
  await until(isBack, PATIENCE_MS, "the new worker")
  expect(performance.now() - killedAt).toBeLessThan(1_000)
  const before = load.ok
  await until(() => load.ok > before + 500, PATIENCE_MS, "more answers")
  await load.stop()

  // Each connection of the dead worker can lose the one request that it carries.
  expect(load.failures.length).toBeLessThanOrEqual(victim.clients)
  expect(new Set(load.failures.map(({ client }) => client)).size).toBe(load.failures.length)
  expect(load.failures.filter(({ startedAt }) => startedAt > killedAt + 50)).toEqual([])
  expect(load.failures.filter(({ how }) => how !== "reset" && how !== "end")).toEqual([])
  expect(load.refused).toBe(0)
  expect(await falls()).toBe(0)
  expect((await bunlb.worker(1)).pid).toBe(survivor.pid)
  expect(await bunlb.figure("bunlb_worker_restarts_total", "killed")).toBe(1)
  await bunlb.process.line(/worker 0 \(pid \d+\) was killed by SIGKILL after .*; starting it again/)
})

test("38: kill -9 of all workers: new ones serve within a second, and nobody is refused", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "2"])
  const load = new Load(bunlb.port, { clients: 8, pause: 2 })
  await until(() => load.ok > 100, PATIENCE_MS, "the load")
  const pids = await bunlb.workerPids()
  for (const pid of pids) process.kill(pid, "SIGKILL")
  const killedAt = performance.now()
  await allGone(pids)
  const before = load.ok
  await until(() => load.ok > before, PATIENCE_MS, "an answer")
  expect(performance.now() - killedAt).toBeLessThan(1_000)
  await load.stop()
  expect(load.failures.length).toBeLessThanOrEqual(8)
  expect(load.refused).toBe(0)
})

test("38: kill -9 of the master under load: its workers are gone within a second", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "2"])
  const load = new Load(bunlb.port, { clients: 8, pause: 2 })
  await until(() => load.ok > 100, PATIENCE_MS, "the load")
  const pids = await bunlb.workerPids()
  expect(pids).toHaveLength(2)
  bunlb.process.kill("SIGKILL")
  await allGone(pids, 1_000)
  await load.allRefused()
  expect(await bunlb.process.exited()).toBe("SIGKILL")
})

test("38: a worker that hangs is killed after 5 s and replaced; the other serves meanwhile", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "2"])
  const load = new Load(bunlb.port, { clients: 8, pause: 20 })
  await until(() => load.ok > 100, PATIENCE_MS, "the load")
  const victim = await bunlb.worker(0)
  process.kill(victim.pid ?? 0, "SIGSTOP")
  const stoppedAt = performance.now()
  await bunlb.process.line(/worker 0 \(pid \d+\) hung, silent for 5 s, and was killed/, 10_000)
  const took = performance.now() - stoppedAt
  // Its last heartbeat was up to a second old.
  expect(took).toBeGreaterThan(3_900)
  expect(took).toBeLessThan(7_000)
  const before = load.ok
  await until(async () => (await bunlb.worker(0)).state === "serving", PATIENCE_MS, "its successor")
  await until(() => load.ok > before + 100, PATIENCE_MS, "more answers")
  await load.stop()
  // Those of the hung worker were lost with it; nobody else's, though one in two was its.
  expect(load.failures.length).toBeLessThanOrEqual(victim.clients)
  expect(load.failures.every(({ how }) => how === "reset" || how === "end")).toBe(true)
  expect(load.ok).toBeGreaterThan(200)
})
