/** Targets and authorities: which forms there are, where host and path lie, and what is refused. */
import { expect, test } from "bun:test"
import { HOST_INVALID, TARGET_FORM } from "../../src/http/refusal.ts"
import { GET, OPTIONS, RequestMessage } from "../../src/http/request-message.ts"
import { authorityEnd, judgeTarget } from "../../src/http/target.ts"

function judge(target: string, method: number = GET) {
  const head = new RequestMessage({ fields: 1 })
  const bytes = Buffer.from(`..${target}..`, "latin1")
  head.method = method
  head.targetStart = 2
  head.targetEnd = bytes.length - 2
  const refusal = judgeTarget(bytes, head)
  const host = head.hostStart < 0 ? null : bytes.toString("latin1", head.hostStart, head.hostEnd)
  return { refusal, host, path: bytes.toString("latin1", head.pathStart, head.targetEnd) }
}

const forms: readonly [target: string, host: string | null, path: string][] = [
  ["/", null, "/"],
  ["/a/../b?c", null, "/a/../b?c"],
  ["//h/p", null, "//h/p"],
  ["http://h/p", "h", "/p"],
  ["http://h:1/", "h:1", "/"],
  ["http://h", "h", ""],
  ["http://h?q", "h", "?q"],
  ["HTTPS://H.x/", "H.x", "/"],
  ["http://[::1]:80/", "[::1]:80", "/"],
]
test.each(forms)("%s", (target, host, path) => {
  expect(judge(target)).toEqual({ refusal: 0, host, path })
})

const bad: readonly [target: string, refusal: number][] = [
  ["a", TARGET_FORM],
  ["h:80", TARGET_FORM],
  ["*", TARGET_FORM],
  ["http://", TARGET_FORM],
  ["ftp://h/", TARGET_FORM],
  ["http:/h", TARGET_FORM],
  ["http:///", HOST_INVALID],
  ["http://u@h/", HOST_INVALID],
  ["http://h:x/", HOST_INVALID],
]
test.each(bad)("%s is refused", (target, refusal) => {
  expect(judge(target).refusal).toBe(refusal)
})

test("* is for OPTIONS only", () => {
  expect(judge("*", OPTIONS)).toEqual({ refusal: 0, host: null, path: "*" })
  expect(judge("**", OPTIONS).refusal).toBe(TARGET_FORM)
})

/** What of the text is the authority, or null. */
function authority(text: string): string | null {
  const end = authorityEnd(Buffer.from(`.${text}.`, "latin1"), 1, 1 + text.length)
  return end < 0 ? null : text.slice(0, end - 1)
}

test.each(["h", "H.example.", "a_b~c-d", "1.2.3.4:0", "h:65535", "[::1]", "[::ffff:1.2.3.4]:1"])(
  "%p is an authority",
  (text) => expect(authority(text)).toBe(text),
)

test.each([
  ["h:", "h"],
  ["[::1]:", "[::1]"],
])("%p has an empty port, which is left out", (text, expected) => {
  expect(authority(text)).toBe(expected)
})

test.each([
  "",
  ":1",
  ":",
  "h::",
  "h:65536",
  "h:000001",
  "h:1a",
  "h:1:1",
  "u@h",
  "h/",
  "[",
  "[]",
  "[g]",
  "[::1",
  "[::1]1",
])("%p is none", (text) => expect(authority(text)).toBeNull())
