/** Heads whose lines end with LF alone: read whole or not at all, and never beside CRLF. */
import { describe, expect, test } from "bun:test"
import { readRequestHead, readResponseHead } from "../../src/h1/head-reader.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"

const limits = { headBytes: 4096, requestLineBytes: 1024, fields: 20 }
const request = new RequestMessage(limits)
const response = new ResponseMessage(20)

/** The head that was read last does not lie where it was received. */
let copied = false

/** What is read of the text behind three other bytes: the head with its line ends and what follows, or the verdict. */
function read(text: string, accepts = true): string | number {
  const bytes = Buffer.from(`\r\n:${text}`, "latin1")
  const end = /^\n*H/.test(text)
    ? readResponseHead(bytes, 3, 4096, false, accepts, response)
    : readRequestHead(bytes, 3, limits, accepts, request)
  if (end <= 0) return end
  const whole = (/^\n*H/.test(text) ? response : request).bytes
  copied = whole !== bytes
  return `${whole.toString("latin1", 3, end)}|${whole.toString("latin1", end)}`
}

const get = "GET / HTTP/1.1\nHost: h\n\n"

describe("LF alone", () => {
  test.each([
    [get, "GET / HTTP/1.1\r\nHost: h\r\n\r\n|"],
    [`\n\n${get}`, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n|"],
    [`${get}body\n\r\n\r`, "GET / HTTP/1.1\r\nHost: h\r\n\r\n|body\n\r\n\r"],
    [`${get}\nGET`, "GET / HTTP/1.1\r\nHost: h\r\n\r\n|\nGET"],
    ["HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\n\r\n|"],
    ["HTTP/1.1 200\nA: b\n\nx\ny", "HTTP/1.1 200\r\nA: b\r\n\r\n|x\ny"],
  ])("%j is read as a head with CRLF", (text, expected) => {
    expect(read(text)).toBe(expected)
    expect(request.bareLf || response.bareLf).toBe(true)
    expect(read(text, false)).toBeLessThan(0)
  })

  test("of half a head waits for the rest, whatever is cut off", () => {
    for (const text of [get, `\n${get}`, "HTTP/1.1 200 OK\nA: b\n\n"]) {
      for (let cut = 1; cut < text.length; cut++) {
        expect([text, cut, read(text.slice(0, cut))]).toEqual([text, cut, 0])
      }
    }
  })
})

test("a head with CRLF is read where it lies", () => {
  for (const text of [get, "HTTP/1.1 200 OK\nA: b\n\n"]) {
    const crlf = text.replaceAll("\n", "\r\n")
    expect(read(`${crlf}a\nb`)).toBe(`${crlf}|a\nb`)
    expect(copied).toBe(false)
  }
})

const mixed = [
  "GET / HTTP/1.1\r\nHost: h\n\r\n",
  "GET / HTTP/1.1\nHost: h\r\n\r\n",
  "GET / HTTP/1.1\nHost: h\n\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\n\n",
  "GET / HTTP/1.1\r\nHost: h\r\nA: b\nContent-Length: 5\r\n\r\n",
  "GET / HTTP/1.1\nHost: h\nA: b\rContent-Length: 5\n\n",
  "GET / HTTP/1.1\nHost: h\r\r\n\n",
  "GET / HTTP/1.1\rHost: h\r\r",
  "\r\nGET / HTTP/1.1\nHost: h\n\n",
  "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
  "\n\n\nGET / HTTP/1.1\nHost: h\n\n",
  "GET / HTTP/1.1\nHost: h\n folded\n\n",
  "GET / HTTP/1.1\nHost : h\n\n",
  "GET / HTTP/1.1\nHost: h\0\n\n",
  "HTTP/1.1 200 OK\r\nA: b\n\r\n",
  "HTTP/1.1 200 OK\nA: b\r\n\n",
  "\nHTTP/1.1 200 OK\n\n",
]
test.each(mixed)("%j is refused in either mode", (text) => {
  for (const accepts of [true, false]) {
    expect(read(text, accepts)).toBeLessThan(0)
  }
})

test("limits hold for a head with LF alone", () => {
  expect(read(`GET / HTTP/1.1\nHost: h\nA: ${"x".repeat(4096)}`)).toBeLessThan(0)
  expect(read(`GET / HTTP/1.1\nHost: h\n${"A: b\n".repeat(20)}\n`)).toBeLessThan(0)
})
