/** The client of an X-Forwarded-For chain: the first address from the right that no trusted proxy has. */
import { describe, expect, test } from "bun:test"
import { scanRequest } from "../../src/h1/request.ts"
import { clientIn, putClient, putMembers } from "../../src/http/forwarded-chain.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { TrustedProxies } from "../../src/net/ip/cidr.ts"

const limits = { headBytes: 16_384, requestLineBytes: 8192, fields: 100 }
const trusted = new TrustedProxies(["10.0.0.0/8", "fd00::/8"])

const table: readonly (readonly [readonly string[], string | null])[] = [
  [["203.0.113.7"], "203.0.113.7"],
  [["198.51.100.1, 203.0.113.7"], "203.0.113.7"],
  [["198.51.100.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"],
  [["203.0.113.7, 10.1.2.3, 10.9.9.9"], "203.0.113.7"],
  [["203.0.113.7", "10.1.2.3"], "203.0.113.7"],
  // Only proxies: the leftmost of them sent the request.
  [["10.1.2.3, 10.9.9.9"], "10.1.2.3"],
  // Empty members mean nothing.
  [["203.0.113.7,"], "203.0.113.7"],
  [[",, 203.0.113.7 ,\t,10.1.2.3, ,"], "203.0.113.7"],
  // What is no address ends the walk; the last proxy counts as the client.
  [["203.0.113.7, unknown, 10.1.2.3"], "10.1.2.3"],
  [["203.0.113.7", "", "10.1.2.3"], "203.0.113.7"],
  [["unknown"], null],
  [["256.1.1.1"], null],
  [[""], null],
  [[", ,"], null],
  // Ports, brackets and zones are cut off.
  [["203.0.113.7:4711, 10.1.2.3:80"], "203.0.113.7"],
  [["[2001:db8::1]:4711, [fd00::5]"], "2001:db8::1"],
  [["2001:db8::1, fd00::5"], "2001:db8::1"],
  [["::ffff:203.0.113.7, 10.1.2.3"], "203.0.113.7"],
]

describe("the client", () => {
  test.each(table)("of %j", (values, client) => {
    const lines = values.map((value) => `X-Forwarded-For: ${value}\r\n`).join("")
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
    const head = new RequestMessage(limits)
    expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
    const out = Buffer.alloc(256)
    const end = putClient(bytes, head.fields, trusted, out, 3)
    expect(end === 3 ? null : out.toString("latin1", 3, end)).toBe(client)
    expect(clientIn(values.join(","), trusted)).toBe(client)
  })
})

test("members are written as one list, without the empty ones", () => {
  const bytes = Buffer.from(
    "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: a, , b,\r\n" +
      "X-Forwarded-For:\r\nX-Forwarded-For:\tc \r\n\r\n",
  )
  const head = new RequestMessage(limits)
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  const out = Buffer.alloc(64)
  expect(out.toString("latin1", 0, putMembers(bytes, head.fields, out, 0))).toBe("a, b, c, ")
})
