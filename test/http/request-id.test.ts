/** Request ids: 32 digits, never the same twice. */
import { expect, test } from "bun:test"
import { RequestIds } from "../../src/http/request-id.ts"

function next(ids: RequestIds): string {
  const out = Buffer.from("-".repeat(34))
  expect(ids.put(out, 1)).toBe(33)
  const text = out.toString()
  expect(text).toMatch(/^-[0-9a-f]{32}-$/)
  return text.slice(1, 33)
}

test("ids of one process differ in their count", () => {
  const ids = new RequestIds(new Uint8Array(20).fill(0xab))
  expect(next(ids)).toBe(`${"b".repeat(20)}000000000001`)
  expect(next(ids)).toBe(`${"b".repeat(20)}000000000002`)
  const many = new Set(Array.from({ length: 10_000 }, () => next(ids)))
  expect(many.size).toBe(10_000)
})

test("ids of two processes differ in their beginning", () => {
  const [one, two] = [next(new RequestIds()), next(new RequestIds())]
  expect(one.slice(0, 20)).not.toBe(two.slice(0, 20))
})

test("the count goes on beyond 24 bits", () => {
  const ids = new RequestIds(new Uint8Array(20))
  const out = Buffer.alloc(32)
  for (let i = 0; i < 2 ** 24 - 1; i++) ids.put(out, 0)
  expect(out.toString()).toEndWith("000000ffffff")
  expect(next(ids)).toEndWith("000001000000")
})
