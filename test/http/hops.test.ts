/** A request that goes round is stopped; a chain of a few balancers is not. */
import { describe, expect, test } from "bun:test"
import { scanRequest } from "../../src/h1/request.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { LOOP } from "../../src/http/refusal.ts"
import { HOP_LIMIT, countHops } from "../../src/http/hops.ts"

const limits = { headBytes: 16_384, requestLineBytes: 8192, fields: 100 }
const head = new RequestMessage(limits)

function scan(...vias: string[]): { result: number; hops: number } {
  const lines = vias.map((via) => `Via: ${via}\r\n`).join("")
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
  const result = scanRequest(bytes, 0, bytes.length, limits, head)
  return { result, hops: countHops(bytes, head.fields) }
}

describe("hops are counted", () => {
  const table: readonly (readonly [readonly string[], number])[] = [
    [[], 0],
    [["1.1 bunlb"], 1],
    [["HTTP/1.1 bunlb"], 1],
    [["1.0 fred, 1.1 bunlb (behind the shed)"], 1],
    [["1.1 bunlb,1.1 bunlb", "1.1\tBunLB"], 3],
    [["1.1 notbunlb, 1.1 bunlb.example, bunlb"], 0],
    [[",, ,1.1 bunlb,,"], 1],
  ]
  for (const [vias, hops] of table) {
    test(`${hops} in ${JSON.stringify(vias)}`, () => expect(scan(...vias).hops).toBe(hops))
  }
})

test.each([
  ["Bunlb-Hops: 3", 3],
  ["bunlb-hops: 08", 8],
  ["Bunlb-Hops: 2\r\nBunlb-Hops: 5\r\nVia: 1.1 bunlb", 5],
  ["Bunlb-Hops: 1\r\nVia: 1.1 bunlb, 1.1 bunlb", 2],
  ["Bunlb-Hops: x", 0],
  ["Bunlb-Hops:", 0],
  ["Bunlb-Hops: -1", 0],
  ["Bunlb_Hops: 5", 0],
  ["Connection: Bunlb-Hops\r\nBunlb-Hops: 4", 4],
  ["Bunlb-Hops: 99999999999999999999999", HOP_LIMIT + 1],
])("%j counts as %d", (lines, hops) => {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n`)
  const result = scanRequest(bytes, 0, bytes.length, limits, head)
  expect(result).toBe(hops > HOP_LIMIT ? -LOOP : bytes.length)
  expect(head.hops).toBe(hops)
})

test("a chain up to the limit passes, one hop more is a loop", () => {
  const chain = (length: number): string => Array(length).fill("1.1 bunlb").join(", ")
  expect(scan(chain(HOP_LIMIT)).result).toBeGreaterThan(0)
  expect(scan(chain(HOP_LIMIT + 1)).result).toBe(-LOOP)
})

test("a loop is found in HTTP/1.0 with no other field", () => {
  const bytes = Buffer.from("GET / HTTP/1.0\r\nBunlb-Hops: 9\r\n\r\n")
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(-LOOP)
})
