/** The figures of high availability are only as good as this sum. */
import { expect, test } from "bun:test"
import { felt } from "./outage.ts"
import type { Asked } from "./outage.ts"

function every5ms(outcomes: readonly (readonly [count: number, outcome: string, took?: number])[]) {
  const asked: Asked[] = []
  for (const [count, outcome, took = 1] of outcomes) {
    for (let i = 0; i < count; i++) asked.push({ start: asked.length * 5, took, outcome })
  }
  return asked
}

test("from the last request that was answered at once to the next one", () => {
  const asked = every5ms([
    [10, "ok"],
    [3, "refused"],
    [2, "late"],
    [10, "ok"],
  ])
  const { outage, requests, lost, how } = felt(asked)
  expect({ outage, requests, lost, how }).toEqual({
    ...{ outage: 30, requests: 25, lost: 5 },
    how: { refused: 3, late: 2 },
  })
})

test("an answer that took long is no service, and none is lost", () => {
  const { outage, lost } = felt(
    every5ms([
      [10, "ok"],
      [20, "ok", 1000],
      [10, "ok"],
    ]),
  )
  expect([outage, lost]).toEqual([105, 0])
})

test("an outage that did not end has no length", () => {
  expect(
    felt(
      every5ms([
        [10, "ok"],
        [100, "refused"],
      ]),
    ).outage,
  ).toBe(Infinity)
  expect(felt(every5ms([[100, "refused"]])).outage).toBe(Infinity)
})
