import { expect, test } from "bun:test"
import { scanResponse } from "../../src/h1/response.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"

function idleSeconds(...lines: string[]): number {
  const head = new ResponseMessage(100)
  const bytes = Buffer.from(["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n"))
  expect(scanResponse(bytes, 0, bytes.length, 1000, false, head)).toBe(bytes.length)
  return head.idleSeconds
}

test.each([
  [5, ["Keep-Alive: timeout=5"]],
  [72, ["Connection: keep-alive, Keep-Alive", "keep-alive: max=1000, Timeout=72"]],
  [0, ["Keep-Alive: timeout=0"]],
  [86_400, ["Keep-Alive: timeout=99999999999999999999"]],
  [5, ["Keep-Alive: max=3", "Keep-Alive: timeout=5"]],
  [-1, ["Keep-Alive: timeout="]],
  [-1, ["Keep-Alive: timeout"]],
  [-1, ["Keep-Alive: timeout=x5"]],
  [-1, ["TE: timeout=5"]],
  [-1, ["Content-Length: 0"]],
])("%d seconds are announced", (expected, lines) => {
  expect(idleSeconds(...lines)).toBe(expected)
})
