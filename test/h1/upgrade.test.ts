/** Which protocols a request may offer on, and which choice of a backend is one of them. */
import { describe, expect, test } from "bun:test"
import { scanRequest } from "../../src/h1/request.ts"
import { findOffer, isAmongOffered, protocolsOf, putOffer } from "../../src/h1/upgrade.ts"
import { RequestMessage } from "../../src/http/request-message.ts"

const limits = { headBytes: 16_384, requestLineBytes: 8192, fields: 100 }

function read(...values: string[]): { bytes: Buffer; head: RequestMessage } {
  const lines = values.map((value) => `Upgrade: ${value}\r\n`).join("")
  const text = `GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n${lines}\r\n`
  const bytes = Buffer.from(text, "latin1")
  const head = new RequestMessage(limits)
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  return { bytes, head }
}

describe("what is offered on", () => {
  const table: readonly (readonly [readonly string[], string])[] = [
    [["websocket"], "websocket"],
    [["WebSocket"], "WebSocket"],
    [["SPDY/3.1"], "SPDY/3.1"],
    [["websocket, foo/2"], "websocket, foo/2"],
    [["websocket", "tcp"], "websocket, tcp"],
    [[",, websocket ,\t, tcp,"], "websocket, tcp"],
    [["h2c, websocket"], "websocket"],
    [["websocket, HTTP/2.0"], "websocket"],
    [["h2, h2-14, h2c-14, H2C, http/1.1, tcp"], "tcp"],
    // Names that only begin like HTTP are other protocols.
    [["h2x, h2cx, httpx"], "h2x, h2cx, httpx"],
  ]
  test.each(table)("%j", (values, offered) => {
    const { bytes, head } = read(...values)
    expect(findOffer(bytes, head.fields)).toBeGreaterThanOrEqual(0)
    const out = Buffer.alloc(1024)
    expect(out.toString("latin1", 0, putOffer(bytes, head.fields, out, 0))).toBe(offered)
    expect(protocolsOf(bytes, head.fields)).toEqual(offered.toLowerCase().split(", "))
  })

  test.each([[[]], [["h2c"]], [["h2, http/2.0"]], [[""]], [[" , ,"]]] as const)(
    "nothing of %j",
    (values) => {
      const { bytes, head } = read(...values)
      expect(findOffer(bytes, head.fields)).toBe(-1)
    },
  )

  // One malformed member could be read as another list by the backend, so none is offered.
  test.each(["web socket", "websocket/", "/13", "websocket/1/2", "websocket, a b", "a;q=1"])(
    "nothing of a malformed list: %s",
    (value) => {
      const { bytes, head } = read(value)
      expect(findOffer(bytes, head.fields)).toBe(-1)
    },
  )
})

test("a backend may choose only what was offered, in any case", () => {
  const offered = ["websocket", "spdy/3.1"]
  const chooses = (...values: string[]): boolean => {
    const { bytes, head } = read(...values)
    return isAmongOffered(bytes, head.fields, offered)
  }
  expect(chooses("websocket")).toBe(true)
  expect(chooses("WEBSOCKET")).toBe(true)
  expect(chooses("SPDY/3.1, websocket")).toBe(true)
  expect(chooses("SPDY/3.1", "websocket")).toBe(true)
  expect(chooses("spdy/3")).toBe(false)
  expect(chooses("websocket, h2c")).toBe(false)
  expect(chooses("")).toBe(false)
  expect(chooses()).toBe(false)
})
