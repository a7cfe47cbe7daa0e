/** When a dead worker starts again. */
import { expect, test } from "bun:test"
import { RestartPolicy } from "../../../src/master/supervise/restart-policy.ts"

test("two early deaths are forgiven, then the pause doubles from 100 ms to 10 s", () => {
  const policy = new RestartPolicy()
  const pauses = Array.from({ length: 12 }, () => policy.delayAfter(9_999))
  expect(pauses).toEqual([0, 0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
})

test("a worker that lived for 10 s is followed at once, and the count starts anew", () => {
  const policy = new RestartPolicy()
  for (let i = 0; i < 5; i++) policy.delayAfter(0)
  expect(policy.delayAfter(10_000)).toBe(0)
  expect([policy.delayAfter(0), policy.delayAfter(0), policy.delayAfter(0)]).toEqual([0, 0, 100])
})
