/** The part of the event loop that requests may take, and how many changes are under way. */
import { expect, test } from "bun:test"
import { Turns } from "../../src/admin/http-turns.ts"
import { until, PATIENCE_MS } from "../support/until.ts"

/** Takes the time of the processor, however busy that is with others. */
async function work(ms: number): Promise<void> {
  const began = process.cpuUsage()
  for (let spent = 0; spent < ms * 1_000;) {
    const { user, system } = process.cpuUsage(began)
    spent = user + system
  }
}

test("who asks without end gets a share of the loop, and timers go on", async () => {
  const turns = new Turns(8, 1 / 4, 20)
  let done = 0
  let ticks = 0
  const began = performance.now()
  const timer = setInterval(() => ticks++, 5)
  const all = Array.from({ length: 40 }, async () => {
    await turns.run(false, () => work(5))
    done++
  })
  await Promise.all(all)
  clearInterval(timer)
  const passed = performance.now() - began
  expect(done).toBe(40)
  // 200 ms of work, of which 20 may be done at once.
  expect(passed).toBeGreaterThan((200 - 20 - 40) * 4)
  expect(ticks).toBeGreaterThan(10)
})

test("they go on in the order in which they came", async () => {
  const turns = new Turns(8, 1 / 2, 1)
  turns.charge(20)
  const seen: number[] = []
  await Promise.all(
    Array.from({ length: 10 }, (_, i) => turns.run(false, async () => void seen.push(i))),
  )
  expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => i))
})

test("few changes are under way, others wait, and too many are turned away", async () => {
  const turns = new Turns(5)
  const ends: (() => void)[] = []
  const change = () =>
    turns.run(true, async () => {
      await new Promise<void>((resolve) => void ends.push(resolve))
      return "done"
    })
  const outcomes = Array.from({ length: 10 }, change)
  expect(await outcomes[9]).toBeNull()
  await until(() => ends.length === 4, PATIENCE_MS, "the first changes")
  // A question need not wait for them.
  expect(await turns.run(false, async () => "answer")).toBe("answer")
  let ended = 0
  while (ended < 9) {
    await until(() => ends.length > ended, PATIENCE_MS, "the next change")
    expect(ends.length - ended).toBeLessThanOrEqual(4)
    ends[ended++]?.()
  }
  expect(await Promise.all(outcomes.slice(0, 9))).toEqual(Array(9).fill("done"))
})

test("a change that fails leaves its place to the next one", async () => {
  const turns = new Turns(50)
  const failing = Array.from({ length: 20 }, () =>
    turns.run(true, () => Promise.reject(new Error("no"))).catch(() => "failed"),
  )
  expect(await Promise.all(failing)).toEqual(Array(20).fill("failed"))
  expect(await turns.run(true, async () => "done")).toBe("done")
})
