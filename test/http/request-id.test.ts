/** Request ids: 32 digits, never the same twice. */
import { expect, test } from "bun:test"
import { RequestMessage } from "../../src/http/request-message.ts"
import { RequestIds, hasSoundId } from "../../src/http/request-id.ts"
import { scanRequest } from "../../src/h1/request.ts"

const limits = { headBytes: 4096, requestLineBytes: 1024, fields: 20 }

function next(ids: RequestIds): string {
  const out = Buffer.from("-".repeat(34))
  expect(ids.put(ids.next(), out, 1)).toBe(33)
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
  for (let i = 0; i < 2 ** 24 - 2; i++) ids.next()
  expect(next(ids)).toEndWith("000000ffffff")
  expect(next(ids)).toEndWith("000001000000")
  expect(ids.text(2 ** 24)).toEndWith("000001000000")
})

function isSound(...lines: readonly string[]): boolean {
  const head = new RequestMessage(limits)
  const bytes = Buffer.from(["GET / HTTP/1.1", "Host: h", ...lines, "", ""].join("\r\n"), "latin1")
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  return hasSoundId(bytes, head.fields)
}

test.each([
  "7b0e1c9e-5f0a-4b61-9d0f-0a1b2c3d4e5f",
  "Root=1-67891233-abcdef",
  "a/b+c==",
  "x".repeat(200),
])("%s may be kept", (id) => expect(isSound(`X-Request-Id: ${id}`)).toBe(true))

test.each(["", "x".repeat(201), "a b", "a,b", 'a"b', "a;b", "<a>", "\xe4", "a\\b", "$(a)", "a\tb"])(
  "%j may not be kept",
  (id) => expect(isSound(`X-Request-Id: ${id}`)).toBe(false),
)

test("one of several, or of another spelling, may not be kept", () => {
  expect(isSound("X-Request-Id: a", "x-request-id: b")).toBe(false)
  expect(isSound("X_Request_Id: a")).toBe(false)
  expect(isSound("A: b")).toBe(false)
})
