/**
 * The rules of the hot path, held against the heap: in the steady state a request leaves nothing behind, and makes
 * nothing on its way but what Bun itself makes to hand bytes over.
 */
import { heapStats } from "bun:jsc"
import { expect, onTestFinished, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { Pump, startPumpBackend } from "./pump.ts"

const WARM_UP = 20_000
/** Few enough for no collection to come between the two countings. */
const COUNTED = 1000
const LASTING = 50_000
/** 128 KiB for 100,000 requests. */
const GROWTH_LIMIT = 64 * 1024

/** Client and backend of the test read once each for a request, and so does the balancer at both its ends. */
const READS = 4

/** By kind, how many objects came to be for each of `COUNTED` requests. The heap's own housekeeping is left out. */
async function objectsMade(work: () => Promise<void>): Promise<Record<string, number>> {
  Bun.gc(true)
  const before = heapStats().objectTypeCounts
  await work()
  const after = heapStats().objectTypeCounts
  const made = Object.entries(after).map(([kind, count]) => {
    return [kind, (count - (before[kind] ?? 0)) / COUNTED] as const
  })
  const housekeeping = ["Structure", "PropertyTable"]
  return Object.fromEntries(
    made.filter(([kind, count]) => count > 0 && !housekeeping.includes(kind)),
  )
}

async function warmPump(): Promise<Pump> {
  const backends = [startPumpBackend(), startPumpBackend()]
  onTestFinished(() => backends.forEach((backend) => backend.stop(true)))
  const balancer = await TestBalancer.start(backends.map(({ port }) => port))
  const pump = await Pump.connect(balancer.port, 16)
  onTestFinished(() => pump.stop())
  await pump.run(WARM_UP)
  return pump
}

test("a request makes no promise, no closure, no string and no object", async () => {
  const pump = await warmPump()
  const {
    Uint8Array: buffers = 0,
    Object: objects = 0,
    ...rest
  } = await objectsMade(() => pump.run(COUNTED))
  expect(buffers).toBeCloseTo(READS, 1)
  // The counting itself makes one for each kind that it found.
  expect(objects).toBeLessThan(0.5)
  const made = Object.entries(rest).filter(([, count]) => count > 0.05)
  expect(made).toEqual([])
})

test("the counting would see a promise and a closure", async () => {
  const made = await objectsMade(async () => {
    const kept: unknown[] = []
    for (let index = 0; index < COUNTED; index++) kept.push(Promise.resolve(index), () => index)
    expect(kept).toHaveLength(2 * COUNTED)
  })
  expect(made.Promise).toBeCloseTo(1, 1)
  expect(made.Function).toBeCloseTo(1, 1)
})

test("requests leave nothing behind: the heap grows by less than 128 KiB in 100,000", async () => {
  const pump = await warmPump()
  Bun.gc(true)
  const before = heapStats().heapSize
  await pump.run(LASTING)
  Bun.gc(true)
  expect(heapStats().heapSize - before).toBeLessThan(GROWTH_LIMIT)
})
