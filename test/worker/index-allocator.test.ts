/** An index belongs to one backend at a time. */
import { describe, expect, test } from "bun:test"
import { IndexAllocator } from "../../src/worker/index-allocator.ts"

describe("places", () => {
  test("an index goes to another owner when it is free, as a place of the next generation", () => {
    const places = new IndexAllocator()
    const [a, b] = [places.take(), places.take()]
    expect([a, b]).toEqual([
      { index: 0, generation: 0 },
      { index: 1, generation: 0 },
    ])
    places.free(a)
    expect(places.take()).toEqual({ index: 0, generation: 1 })
    expect(places.take()).toEqual({ index: 2, generation: 0 })
  })

  test("a place that was given up can be neither used nor given up again", () => {
    const places = new IndexAllocator()
    const old = places.take()
    places.free(old)
    expect(() => places.free(old)).toThrow("index 0, generation 0")
    const now = places.take()
    expect(() => places.assertCurrent(old)).toThrow("index 0, generation 0")
    places.assertCurrent(now)
  })
})
