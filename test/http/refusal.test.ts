/** Refusals: each has a name of its own, a status of those that are allowed, and a text that is a sound response. */
import { expect, test } from "bun:test"
import { headLength, ownAnswer, refusals } from "../../src/http/refusal.ts"

const all = refusals.filter((entry) => entry !== null)

test("every refusal has a reason of its own that can be a label", () => {
  const reasons = all.map(({ reason }) => reason)
  expect(new Set(reasons).size).toBe(reasons.length)
  for (const reason of reasons) expect(reason).toMatch(/^[a-z][a-z0-9_]+$/)
  expect(refusals[0]).toBeNull()
})

test("every refusal has one line of text and a status that says who is to blame", () => {
  for (const { status, text } of all) {
    expect([400, 408, 413, 414, 417, 429, 431, 501, 505, 508]).toContain(status)
    expect(text).toMatch(/^[\x20-\x7e]+$/)
  }
})

test.each([
  ...all.map(({ status, text }) => [status, text] as const),
  [502, "a"],
  [599, "b"],
] as const)("%d %s is a response of its own length", (status, text) => {
  const answer = ownAnswer(status, text, true, "Retry-After: 1\r\n")
  const bytes = Buffer.from(answer).toString()
  const [head = "", body = ""] = bytes.split("\r\n\r\n")
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z][A-Za-z ]+\r\n`))
  expect(head).toContain(`\r\nContent-Length: ${body.length}\r\n`)
  expect(head).toEndWith("\r\nRetry-After: 1\r\nConnection: close")
  expect(body).toBe(`${status} ${text}\n`)
  expect(headLength(answer)).toBe(head.length + 4)
  expect(Buffer.from(ownAnswer(status, text, false)).toString()).not.toContain("Connection")
})
