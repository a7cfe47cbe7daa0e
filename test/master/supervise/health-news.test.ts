/** Changes of health are told at once when they are few, and in groups when they are many. */
import { expect, test } from "bun:test"
import { HealthNews } from "../../../src/master/supervise/health-news.ts"
import type { HealthChange } from "../../../src/observe/snapshot.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"

const change = (i: number): HealthChange => ({
  ...{ worker: 0, backend: `b${i}:80`, healthy: false, reason: "", at: 0 },
})

function news() {
  const groups: string[][] = []
  const told = new HealthNews((changes) => groups.push(changes.map(({ backend }) => backend)))
  return { told, groups }
}

test("one change does not wait", () => {
  const { told, groups } = news()
  told.add(change(1))
  expect(groups).toEqual([["b1:80"]])
})

test("nine hundred are told in order, and in small groups that let the loop turn", async () => {
  const { told, groups } = news()
  for (let i = 0; i < 900; i++) told.add(change(i))
  expect(groups).toHaveLength(1)
  await until(() => groups.flat().length === 900, PATIENCE_MS, "all of them")
  expect(groups.flat()).toEqual(Array.from({ length: 900 }, (_, i) => `b${i}:80`))
  for (const group of groups) expect(group.length).toBeLessThanOrEqual(64)
})

test("what is said next can rely on all of them", async () => {
  const { told, groups } = news()
  for (let i = 0; i < 3; i++) told.add(change(i))
  told.flush()
  expect(groups.flat()).toHaveLength(3)
  await Bun.sleep(1)
  expect(groups.flat()).toHaveLength(3)
})
