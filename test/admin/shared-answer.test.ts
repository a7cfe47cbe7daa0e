import { expect, test } from "bun:test"
import { SharedAnswer, type Sharing } from "../../src/admin/shared-answer.ts"

const usual: Sharing = { burst: 10, everyMs: 50, mostWaiting: 4 }

/** Counts how often the answer is made; each making lasts until it is let go on. */
function counted(sharing: Sharing = usual) {
  let made = 0
  let gate = Promise.withResolvers<void>()
  const shared = new SharedAnswer(async () => {
    const mine = ++made
    await gate.promise
    return mine
  }, sharing)
  const open = (): void => {
    gate.resolve()
    gate = Promise.withResolvers()
  }
  return { shared, open, made: () => made }
}

test("who asks at the same time gets the same answer", async () => {
  const { shared, open } = counted()
  const asked = [shared.ask(), shared.ask(), shared.ask()]
  await Bun.sleep(1)
  open()
  expect(await Promise.all(asked)).toEqual([1, 1, 1])
})

test("who asks while an answer is made gets the next one, which begins after the question", async () => {
  const { shared, open, made } = counted()
  const first = shared.ask()
  await Bun.sleep(1)
  const late = [shared.ask(), shared.ask()]
  expect(made()).toBe(1)
  open()
  expect(await first).toBe(1)
  await Bun.sleep(1)
  open()
  expect(await Promise.all(late)).toEqual([2, 2])
})

test("beyond what may wait nobody gets an answer, until somebody has got one", async () => {
  const { shared, open } = counted()
  const asked = Array.from({ length: 6 }, () => shared.ask())
  expect(asked.map((each) => each === null)).toEqual([false, false, false, false, true, true])
  await Bun.sleep(1)
  open()
  await Promise.all(asked)
  expect(shared.ask()).not.toBeNull()
  await Bun.sleep(1)
  open()
})

test("after a burst, so many a second are made and no more", async () => {
  let made = 0
  const shared = new SharedAnswer(async () => ++made, { burst: 3, everyMs: 40, mostWaiting: 4 })
  const began = performance.now()
  while (performance.now() - began < 400) await shared.ask()
  const most = 3 + Math.ceil((performance.now() - began) / 40)
  expect(made).toBeGreaterThan(3)
  expect(made).toBeLessThanOrEqual(most)
})

test("a failure is told to all who wait, and the next answer is made all the same", async () => {
  let fails = true
  const shared = new SharedAnswer(async () => {
    if (fails) throw new Error("no figures")
    return "figures"
  }, usual)
  const asked = [shared.ask(), shared.ask()]
  const outcomes = await Promise.allSettled(asked)
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  fails = false
  expect(await shared.ask()).toBe("figures")
})
