/** The verdict over pretended time: quick to find a fault, slow to forgive. */
import { expect, test } from "bun:test"
import { Fitness } from "../../src/ha/fitness.ts"

const limits = { deadlineMs: 150, riseMs: 200 }

/** One that has been well for long, at 1000. */
function wellAt1000(): Fitness {
  const judge = new Fitness(limits, 0)
  for (let now = 0; now <= 1000; now += 20) {
    judge.answered(null, now)
    judge.look(now)
  }
  expect(judge.look(1000)).toBeNull()
  return judge
}

test("nothing is known at first; well after the rise", () => {
  const judge = new Fitness(limits, 0)
  expect(judge.look(0)).toBe("not yet known to be well")
  judge.answered(null, 10)
  expect(judge.look(10)).toBe("not yet known to be well")
  judge.answered(null, 140)
  expect(judge.look(199)).toBe("not yet known to be well")
  expect(judge.look(200)).toBeNull()
})

test("silence for longer than the deadline", () => {
  const judge = wellAt1000()
  expect(judge.look(1150)).toBeNull()
  expect(judge.look(1151)).toBe("no answer for 150 ms")
})

test("a fault that is told, at once", () => {
  const judge = wellAt1000()
  judge.answered("draining", 1010)
  expect(judge.look(1010)).toBe("draining")
})

test("refused by both, at once; by one of them, not yet", () => {
  const judge = wellAt1000()
  judge.adminRefused()
  expect([judge.look(1001), judge.suspicious]).toEqual([null, true])
  judge.port(false)
  expect(judge.look(1002)).toBe("nobody listens")
})

test("a new process that listens to admin clears the suspicion", () => {
  const judge = wellAt1000()
  judge.adminRefused()
  judge.answered(null, 1020)
  judge.port(false)
  expect(judge.look(1021)).toBeNull()
  judge.port(true)
  expect(judge.suspicious).toBe(false)
})

test("the port of clients alone is refused: three times in a row", () => {
  const judge = wellAt1000()
  for (const open of [false, false, true, false, false]) judge.port(open)
  expect(judge.look(1001)).toBeNull()
  judge.port(false)
  expect(judge.look(1002)).toBe("nobody listens on the port of clients")
})

test("forgiven only after the rise without any fault", () => {
  const judge = wellAt1000()
  expect(judge.look(1151)).not.toBeNull()
  for (const now of [1200, 1300, 1399]) {
    judge.answered(null, now)
    expect(judge.look(now)).toBe("no answer for 150 ms")
  }
  judge.answered("no worker answers", 1399)
  expect(judge.look(1399)).toBe("no worker answers")
  judge.answered(null, 1400)
  expect(judge.look(1400)).toBe("no worker answers")
  judge.answered(null, 1590)
  expect(judge.look(1599)).toBe("no worker answers")
  expect(judge.look(1600)).toBeNull()
})

test("who was away itself blames nobody", () => {
  const judge = wellAt1000()
  judge.excuse(3000)
  expect(judge.look(3000)).toBeNull()
  expect(judge.look(3151)).toBe("no answer for 150 ms")
})
