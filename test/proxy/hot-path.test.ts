/**
 * The rules of the hot path, held against the heap: in the steady state a request leaves nothing behind, and makes
 * nothing on its way, not even a buffer for what is received.
 */
import { heapStats } from "bun:jsc"
import { expect, onTestFinished, test } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { TestBalancer } from "../support/balancer.ts"
import { Pump, startPumpBackend } from "./pump.ts"

/** They take a second; on a machine that does ten things at once, several. */
const PATIENCE_MS = 60_000

const WARM_UP = 10_000
/** Few, so that seldom a collection comes between the two countings; and if it does, there are other attempts. */
const COUNTED = 500
const ATTEMPTS = 5
const LASTING = 50_000
/** 128 KiB for 100,000 requests. */
const GROWTH_LIMIT = 64 * 1024

/** Client and backend of the test, on sockets of Bun, get a buffer each for a request; the balancer needs none. */
const READS = 2

/**
 * By kind, how many objects come to be for each request at most. The heap's own housekeeping is left out, and so is the
 * event loop's: an Immediate for each of its turns, each of which serves many sockets.
 */
async function objectsMade(work: () => Promise<void>): Promise<Record<string, number>> {
  const made: Record<string, number> = {}
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    Bun.gc(true)
    const before = heapStats().objectTypeCounts
    await work()
    for (const [kind, count] of Object.entries(heapStats().objectTypeCounts)) {
      const each = (count - (before[kind] ?? 0)) / COUNTED
      made[kind] = Math.max(each, made[kind] ?? 0)
    }
  }
  const { Structure: _, PropertyTable: _also, Immediate: _turns, ...rest } = made
  return rest
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

onLinux("counting what a request makes", "with Bun's sockets each receive makes a buffer")(
  "a request makes no promise, no closure, no string and no object",
  async () => {
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
  },
  PATIENCE_MS,
)

test(
  "the counting would see a promise and a closure",
  async () => {
    const made = await objectsMade(async () => {
      const kept: unknown[] = []
      for (let index = 0; index < COUNTED; index++) kept.push(Promise.resolve(index), () => index)
      expect(kept).toHaveLength(2 * COUNTED)
    })
    expect(made.Promise).toBeCloseTo(1, 1)
    expect(made.Function).toBeCloseTo(1, 1)
  },
  PATIENCE_MS,
)

test(
  "requests leave nothing behind: the heap grows by less than 128 KiB in 100,000",
  async () => {
    const pump = await warmPump()
    Bun.gc(true)
    const before = heapStats().heapSize
    await pump.run(LASTING)
    Bun.gc(true)
    expect(heapStats().heapSize - before).toBeLessThan(GROWTH_LIMIT)
  },
  PATIENCE_MS,
)
