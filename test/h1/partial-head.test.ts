/** A head in pieces: all bytes are there, scans are worth their while, memory stays within the limit. */
import { expect, test } from "bun:test"
import { PartialHead } from "../../src/h1/partial-head.ts"
import { rng } from "../support/until.ts"

test("the pieces are one after the other, whatever becomes of the buffers they came in", () => {
  const chance = rng(1)
  const pieces = Array.from({ length: 100 }, () => chance.bytes(chance.between(1, 300)))
  const first = Buffer.concat([Buffer.from(".."), chance.bytes(50), Buffer.from("..")])
  const expected = Buffer.concat([first.subarray(2, 52), ...pieces])
  const partial = new PartialHead(first, 2, 52, Infinity)
  first.fill(0)
  for (const piece of pieces) {
    const bytes = Buffer.from(piece)
    partial.add(bytes)
    bytes.fill(0)
  }
  expect(partial.bytes.equals(expected)).toBe(true)
})

test("a scan is worth its while when a line has ended or the limit is reached", () => {
  const partial = new PartialHead(Buffer.from("GET /\r\n"), 0, 7, 21)
  expect(partial.add(Buffer.from("Host: "))).toBe(false)
  expect(partial.add(Buffer.from("x\r"))).toBe(false)
  expect(partial.add(Buffer.from("\nA: "))).toBe(true)
  expect(partial.add(Buffer.from("b"))).toBe(false)
  expect(partial.add(Buffer.from("b"))).toBe(true)
})

test("a head that comes byte by byte takes at most twice its size", () => {
  const size = 16 * 1024
  const partial = new PartialHead(Buffer.from("x"), 0, 1, size)
  const byte = Buffer.from("x")
  let adds = 1
  while (!partial.add(byte)) adds++
  expect(adds).toBe(size - 1)
  expect(partial.bytes.buffer.byteLength).toBeLessThanOrEqual(2 * size)
})
