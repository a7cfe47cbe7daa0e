/** Three backends under steady GET load; one is killed, comes back, freezes, and thaws. Clients should not care. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const CLIENTS = 32
const HEAD_LIMIT_MS = 1_000
const flags = [
  ...["-w", "2", "--response-head-timeout", `${HEAD_LIMIT_MS}ms`],
  ...["--health-interval", "200ms", "--health-timeout", "200ms"],
]

test("a kill and a restart fail no request; a freeze only those that it caught, with 504", async () => {
  await using victim = await RunningBackend.start("one")
  await using two = await RunningBackend.start("two")
  await using three = await RunningBackend.start("three")
  await using bunlb = await RunningBunlb.start([victim, two, three], flags)
  const load = new Load(bunlb.port, { clients: CLIENTS, pause: 10 })
  const served = async (more: number): Promise<void> => {
    const target = load.ok + more
    await until(() => load.ok >= target, PATIENCE_MS, `${more} more answers`)
  }
  const servedBy = async (name: string): Promise<void> => {
    const target = load.from(name) + 50
    await until(() => load.from(name) >= target, PATIENCE_MS, `answers of ${name}`)
  }

  await servedBy("one")
  await victim.kill()
  await bunlb.backendIs(victim.port, "down")
  await served(300)
  expect(load.failures).toEqual([])

  await victim.startAgain()
  await bunlb.backendIs(victim.port, "up")
  await servedBy("one")
  expect(load.failures).toEqual([])

  victim.signal("SIGSTOP")
  await bunlb.backendIs(victim.port, "down")
  const downAt = performance.now()
  await served(300)
  // What it had caught by then has been answered for by now.
  await until(() => performance.now() > downAt + 2 * HEAD_LIMIT_MS, PATIENCE_MS, "the last 504")
  const caught = [...load.failures]
  expect(caught.length).toBeGreaterThan(0)
  expect(new Set(caught.map(({ how }) => how))).toEqual(new Set(["status 504"]))
  expect(caught.filter(({ startedAt }) => startedAt > downAt)).toEqual([])

  victim.signal("SIGCONT")
  await bunlb.backendIs(victim.port, "up")
  await servedBy("one")
  await load.stop()
  expect(load.failures).toHaveLength(caught.length)
  expect(load.refused).toBe(0)

  // Requests that are kept from it before there is a verdict, as resets bring about, are told of too.
  const verdict = new RegExp(`backend 127.0.0.1:${victim.port} is (healthy again|unhealthy)`)
  const verdicts = bunlb.process.lines.flatMap((line) => verdict.exec(line)?.[1] ?? [])
  expect(verdicts).toEqual(["unhealthy", "healthy again", "unhealthy", "healthy again"])
  expect(await bunlb.figure("bunlb_breaker_transitions_total", 'to="unhealthy"')).toBe(4)
})
