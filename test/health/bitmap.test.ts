import { expect, test } from "bun:test"
import { HealthBitmap } from "../../src/health/bitmap.ts"
import { rng } from "../support/until.ts"

test("begins clear; fill sets exactly as many bits as there are backends", () => {
  for (const size of [1, 31, 32, 33, 64, 1000, 1024]) {
    const bitmap = new HealthBitmap(size)
    expect(bitmap.count()).toBe(0)
    bitmap.fill(true)
    expect(bitmap.count()).toBe(size)
    expect(bitmap.has(size - 1)).toBe(true)
    expect(bitmap.has(size)).toBe(false)
    bitmap.fill(false)
    expect(bitmap.count()).toBe(0)
  }
})

test("for all sequences: does as a set does", () => {
  const random = rng(1)
  for (const size of [7, 32, 100]) {
    const bitmap = new HealthBitmap(size)
    const model = new Set<number>()
    for (let round = 0; round < 2000; round++) {
      const index = random.between(0, size - 1)
      if (random.next() < 0.5) {
        bitmap.set(index)
        model.add(index)
      } else {
        bitmap.clear(index)
        model.delete(index)
      }
      const probe = random.between(0, size - 1)
      expect(bitmap.has(probe)).toBe(model.has(probe))
      expect(bitmap.count()).toBe(model.size)
    }
  }
})
