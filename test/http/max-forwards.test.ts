/** How far TRACE and OPTIONS may go, counted down to the hop that answers. */
import { describe, expect, test } from "bun:test"
import { lastHopAnswer, maxForwardsLine } from "../../src/http/max-forwards.ts"
import { MAX_FORWARDS_INVALID } from "../../src/http/refusal.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { scanRequest } from "../../src/h1/request.ts"

const limits = { headBytes: 16_384, requestLineBytes: 8192, fields: 100 }
const head = new RequestMessage(limits)

function scan(method: string, ...lines: string[]): { bytes: Buffer; result: number } {
  const text = [`${method} /p?q HTTP/1.1`, "Host: x", ...lines, "", ""].join("\r\n")
  const bytes = Buffer.from(text, "latin1")
  return { bytes, result: scanRequest(bytes, 0, bytes.length, limits, head) }
}

describe("with OPTIONS and TRACE it is", () => {
  const values: readonly [value: string, hops: number][] = [
    ["0", 0],
    ["000", 0],
    ["1", 1],
    [" 10 ", 10],
    ["999999999", 999_999_999],
    ["1000000000", 1_000_000_000],
    ["1".repeat(400), 1_000_000_000],
  ]
  test.each(values)("%p -> %d", (value, hops) => {
    for (const method of ["OPTIONS", "TRACE"]) {
      expect(scan(method, `Max-Forwards: ${value}`).result).toBeGreaterThan(0)
      expect(head.maxForwards).toBe(hops)
    }
  })

  const bad = ["", "-1", "+1", "1.0", "0x1", "1, 2", "1 2", "one", "1\r\nMax-forwards: 1"]
  test.each(bad)("refused: %p", (value) => {
    expect(scan("OPTIONS", `Max-Forwards: ${value}`).result).toBe(-MAX_FORWARDS_INVALID)
    expect(scan("TRACE", `Max-Forwards: ${value}`).result).toBe(-MAX_FORWARDS_INVALID)
  })
})

test("other methods, a nominated field and no field say nothing", () => {
  for (const method of ["GET", "POST", "options", "TRACES"]) {
    expect(scan(method, "Max-Forwards: junk").result).toBeGreaterThan(0)
    expect(head.maxForwards).toBe(-1)
  }
  scan("OPTIONS", "Max-Forwards: 0", "Connection: max-forwards")
  expect(head.maxForwards).toBe(-1)
  scan("OPTIONS", "Max_Forwards: 0")
  expect(head.maxForwards).toBe(-1)
  scan("TRACE")
  expect(head.maxForwards).toBe(-1)
})

test("the next hop may go one hop less far, and never further than the largest number", () => {
  const next = (received: number): string => Buffer.from(maxForwardsLine(received)).toString()
  expect(next(1)).toBe("Max-Forwards: 0\r\n")
  expect(next(1_000_000_000)).toBe("Max-Forwards: 999999999\r\n")
})

test("OPTIONS is answered with nothing", () => {
  scan("OPTIONS", "Max-Forwards: 0")
  expect(lastHopAnswer(head, false).toString()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
  expect(lastHopAnswer(head, true).toString()).toContain("\r\nConnection: close\r\n")
})

test("TRACE is answered with what tells the way, and no secret", () => {
  const secrets = ["Cookie: a=b", "Authorization: c", "X-Api-Key: d", "X-Forwarded-For: 1.1.1.1"]
  const way = ["Via: 1.1 a", "MAX-FORWARDS:0", "via:  1.0 \xe4 "]
  scan("TRACE", ...secrets, ...way)
  const body = ["TRACE /p?q HTTP/1.1", "Host: x", ...way, "", ""].join("\r\n")
  expect(lastHopAnswer(head, false).toString("latin1")).toBe(
    `HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
})
