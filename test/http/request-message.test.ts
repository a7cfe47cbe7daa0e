/** A message that is moved says the same of its new bytes as one that was scanned there. */
import { expect, test } from "bun:test"
import { scanRequest } from "../../src/h1/request.ts"
import { RequestMessage } from "../../src/http/request-message.ts"

const limits = { headBytes: 4096, requestLineBytes: 1024, fields: 20 }

function scanned(text: string, at: number): RequestMessage {
  const bytes = Buffer.from(`${"-".repeat(at)}${text}body`, "latin1")
  const message = new RequestMessage(limits)
  expect(scanRequest(bytes, at, bytes.length, limits, message)).toBe(at + text.length)
  expect([message.start, message.end]).toEqual([at, at + text.length])
  expect(message.bytes).toBe(bytes)
  return message
}

const heads = [
  "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "POST http://other:80/a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 004\r\nA:  b \r\n\r\n",
  "\r\nOPTIONS * HTTP/1.1\r\nHost:h\r\nMax-Forwards: 3\r\nConnection: a, close\r\nA: b\r\n\r\n",
  "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
]

test.each(heads)("%j", (head) => {
  for (const [from, to] of [
    [0, 0],
    [7, 0],
    [0, 300],
    [3, 11],
  ] as const) {
    const moved = scanned(head, from)
    const other = scanned(head, to)
    moved.moveTo(other.bytes, to)
    expect(moved).toEqual(other)
  }
})
