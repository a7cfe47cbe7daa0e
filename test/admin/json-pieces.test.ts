/** JSON in pieces is JSON. */
import { expect, test } from "bun:test"
import { jsonPieces } from "../../src/admin/json-pieces.ts"

const row = (i: number) => ({
  name: `b"${i}\n`,
  addresses: ["10.0.0.1", "ü"],
  none: null,
  of: { x: [] },
})

test.each([
  ["nothing", {}],
  ["odd values", { a: undefined, b: null, c: [], d: {}, e: "x", f: [undefined, 1] }],
  [
    "deep arrays",
    { status: { backends: [row(0)], empty: [] }, at: 1, more: { deep: { deeper: [1, [2, {}]] } } },
  ],
  ["a long array", { status: { backends: Array.from({ length: 33 }, (_, i) => row(i)) } }],
])("%s", async (_name, value) => {
  const text = await new Blob(await jsonPieces(value)).text()
  expect(text).toBe(JSON.stringify(value))
})

test("the loop turns while much is written", async () => {
  let turns = 0
  let over = false
  const turn = (): void => {
    turns++
    if (!over) setImmediate(turn)
  }
  turn()
  const value = { status: { backends: Array.from({ length: 20_000 }, (_, i) => row(i)) } }
  const pieces = await jsonPieces(value)
  over = true
  expect(pieces.length).toBeGreaterThan(4)
  expect(turns).toBeGreaterThan(4)
  expect(await new Blob(pieces).text()).toBe(JSON.stringify(value))
})
