/** A worker that follows another one is told which backends are unhealthy, and which record is against each. */
import { expect, onTestFinished, test } from "bun:test"
import type { KnownUnhealthy, HealthChange } from "../../src/observe/snapshot.ts"
import type { Against } from "../../src/health/backend-health.ts"
import { startWorker } from "../../src/worker/worker.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

/**
 * How many of `count` requests each backend answers for a worker that knows `known` of them. Those that requests
 * are against are gone, so that no trial brings them back.
 */
async function answers(known: readonly (Against | null | undefined)[], count: number) {
  const backends = await Promise.all(
    known.map((_, at) => ScriptedBackend.start(answering(() => String(at)))),
  )
  onTestFinished(() => backends.forEach((backend) => backend.stop()))
  const ports = backends.map(({ port }) => port)
  const { settings } = await TestBalancer.start(ports, { health: { interval: 3_600_000 } })
  const ailing = known.flatMap((against, at): KnownUnhealthy[] => {
    const name = settings.backends[at]?.name ?? ""
    const facts = { backend: name, since: 1, reason: "as before" }
    if (against === null) return []
    return [against === undefined ? facts : { ...facts, against }]
  })
  known.forEach((against, at) => {
    if (against === "requests" || against === undefined) backends[at]?.stop()
  })
  const changes: HealthChange[] = []
  const log = { error() {}, warn() {}, info() {}, debug() {}, debugging: false }
  const worker = await startWorker({
    ...{ settings, index: 0, listeners: null, log, ailing },
    onHealthChange: (change) => changes.push(change),
  })
  onTestFinished(() => worker.stop())
  const client = await RawClient.connect(worker.port)
  const counts = known.map(() => 0)
  for (let i = 0; i < count; i++) {
    const { body } = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    counts[Number(body.toString())]!++ // an index of `known`
  }
  await client.close()
  return { counts, changes }
}

test("backends that only probes are against share evenly, as they did", async () => {
  const { counts, changes } = await answers(["page", "silent", "requests", "page"], 12)
  expect(counts).toEqual([4, 4, 0, 4])
  expect(changes.map(({ against, reason }) => [against, reason])).toEqual([
    ["page", "as before"],
    ["silent", "as before"],
    ["requests", "as before"],
    ["page", "as before"],
  ])
})

test("one that could not be reached is back by two answers, and one whose page is wrong is not", async () => {
  const { counts, changes } = await answers(["page", "probes"], 12)
  // Two each at most before it is back, and everything afterwards.
  expect(counts[1]).toBeGreaterThanOrEqual(9)
  expect(changes.at(-1)).toMatchObject({ healthy: true, reason: "2 requests answered" })
})

test("a healthy one gets everything, and what an older version does not say counts as requests", async () => {
  const { counts, changes } = await answers([undefined, null, "page"], 6)
  expect(counts).toEqual([0, 6, 0])
  expect(changes.map(({ against }) => against)).toEqual(["requests", "page"])
})
