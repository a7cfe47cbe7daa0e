/** Scenarios 5 to 8: lines, names and values that two parsers could read in two ways, and heads that are too big. */
import { describe, expect, test } from "bun:test"
import { RawClient } from "../support/raw-client.ts"
import { WireEnded } from "../support/wire.ts"
import { Stage, someCutsOf, turn, type Seen } from "./driver.ts"

const head = (lines: string): string => `GET /a HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n`

const badLines: readonly [row: number, what: string, request: string, reason: string][] = [
  [5, "a space before the colon", head("Content-Length : 5"), "field_name"],
  [5, "a tab before the colon", head("Content-Length\t: 5"), "field_name"],
  [
    5,
    "a space before the colon of Transfer-Encoding",
    head("Transfer-Encoding : chunked"),
    "field_name",
  ],
  [5, "a space before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", "obs_fold"],
  [5, "a tab before the first field", "GET / HTTP/1.1\r\n\tX: y\r\nHost: x\r\n\r\n", "obs_fold"],
  [5, "a folded line", head("A: b\r\n c"), "obs_fold"],
  [5, "a folded line of white space alone", head("A: b\r\n \r\nC: d"), "obs_fold"],
  [5, "a folded line in place of the empty line", head("A: b\r\n\t"), "obs_fold"],
  [6, "LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", "line_end"],
  [6, "LF after a field", head("A: b\nC: d"), "line_end"],
  [6, "LF after the last field", "GET / HTTP/1.1\r\nHost: x\n\r\n", "line_end"],
  [6, "LF as the empty line", "GET / HTTP/1.1\r\nHost: x\r\n\n", "line_end"],
  [6, "LF before the request", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "request_line"],
  [6, "CR before the request", "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "request_line"],
  [6, "CR CR LF after the request line", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", "line_end"],
  [6, "CR inside a value", head("A: b\rc"), "line_end"],
  [6, "a field line hidden by CR", head("A: b\rContent-Length: 5"), "line_end"],
  [6, "CR CR LF after a field", head("A: b\r"), "line_end"],
  [6, "CR at the end of the head only", "GET / HTTP/1.1\r\nHost: x\r\n\rX: y\r\n\r\n", "line_end"],
  [6, "CR inside a name", head("A\rB: c"), "field_name"],
  [6, "NUL in a value", head("A: b\0c"), "field_value"],
  [6, "NUL in a name", head("A\0B: c"), "field_name"],
  [6, "NUL in the target", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", "target"],
  [6, "a control character in a value", head("A: \x01"), "field_value"],
  [6, "a vertical tab in a value", head("A: b\x0b"), "field_value"],
  [6, "DEL in a value", head("A: \x7f"), "field_value"],
  [6, "a control character in a name", head("A\x1f: b"), "field_name"],
  [7, "an empty name", head(": x"), "field_name"],
  [7, "an empty name and value", head(":"), "field_name"],
  [7, "a line without a colon", head("Content-Length"), "field_name"],
  [7, "a name in parentheses", head("(a): b"), "field_name"],
  [7, "a name with a slash", head("a/b: c"), "field_name"],
  [7, "a quoted name", head('"a": b'), "field_name"],
  [7, "a name with bytes above ASCII", head("\xc3\xa4: b"), "field_name"],
]

test.each(badLines)("%d: %s is refused", async (_row, _what, request, reason) => {
  using stage = await Stage.open()
  await stage.refuses(request, { status: 400, reason })
})

test("6: two empty lines before a request are forgiven, a third is not", async () => {
  using stage = await Stage.open()
  const check = ({ target }: Seen): void => expect(target).toBe("/a")
  await stage.serves(`\r\n${head("A: b")}`, check)
  await stage.serves(`\r\n\r\n${head("A: b")}`, check)
  const third = `\r\n\r\n\r\n${head("A: b")}`
  await stage.refuses(third, { status: 400, reason: "request_line" })
})

test("6: bytes above ASCII pass in a value as they came", async () => {
  using stage = await Stage.open()
  await stage.serves(head("A: \xe4 \xff\x80"), ({ head }) =>
    expect(head).toContain("\r\nA: \xe4 \xff\x80\r\n"),
  )
})

test("7: a name of 64 KiB is refused (every 509th cut)", async () => {
  using stage = await Stage.open()
  const request = head(`${"n".repeat(65_536)}: x`)
  await stage.refuses(request, { status: 431, reason: "head_size", cuts: someCutsOf(request, 509) })
})

describe("8: limits of", () => {
  const limits = { headBytes: 512, requestLineBytes: 128, fields: 8 }
  /** A request whose head has exactly `size` bytes. */
  const sized = (size: number): string => head(`A: ${"v".repeat(size - head("A: ").length)}`)
  const count = (fields: number): string =>
    head(Array.from({ length: fields - 1 }, (_, index) => `F${index}: ${index}`).join("\r\n"))
  /** A request whose line has exactly `size` bytes. */
  const lined = (size: number): string =>
    `GET /${"u".repeat(size - "GET / HTTP/1.1".length)} HTTP/1.1\r\nHost: x\r\n\r\n`

  test("head bytes: the limit passes, one more is refused", async () => {
    using stage = await Stage.open({ limits })
    await stage.serves(sized(512), ({ head }) =>
      expect(head).toContain(`A: ${"v".repeat(479)}\r\n`),
    )
    await stage.refuses(sized(513), { status: 431, reason: "head_size" })
  })

  test("head bytes count for each of several requests in one piece", async () => {
    using stage = await Stage.open({ limits })
    const three = sized(512).repeat(3)
    await stage.serves(three, (...seen) => expect(seen).toHaveLength(3), ["GET", "GET", "GET"])
  })

  test("fields: the limit passes whole, one more is refused", async () => {
    using stage = await Stage.open({ limits })
    await stage.serves(count(8), ({ fields }) => {
      const names = fields.map(([name]) => name).filter((name) => name.startsWith("F"))
      expect(names).toEqual(["F0", "F1", "F2", "F3", "F4", "F5", "F6"])
    })
    await stage.refuses(count(9), { status: 431, reason: "field_count" })
  })

  test("the request line: the limit passes, one more is refused", async () => {
    using stage = await Stage.open({ limits })
    await stage.serves(lined(128), ({ target }) => expect(target).toHaveLength(115))
    await stage.refuses(lined(129), { status: 414, reason: "target_length" })
    await stage.refuses(lined(1000), { status: 414, reason: "target_length" })
  })

  test("a method: 32 characters pass, one more is refused", async () => {
    using stage = await Stage.open({ limits })
    const method = "M".repeat(32)
    const rest = " / HTTP/1.1\r\nHost: x\r\n\r\n"
    await stage.serves(method + rest, () => {}, [method])
    await stage.refuses(`${method}M${rest}`, { status: 501, reason: "method" })
  })

  const endless: readonly [string, string, number][] = [
    ["a field line", "GET / HTTP/1.1\r\nA: ", 431],
    ["a field name", "GET / HTTP/1.1\r\n", 431],
    ["a target", "GET /", 414],
    ["a method", "", 501],
  ]

  test.each(endless)("%s of 1 MiB that never ends is refused", async (_what, start, status) => {
    using stage = await Stage.open()
    const client = await stage.connect()
    void client.send(start + "a".repeat(1024 * 1024 - 64))
    const response = await client.receiveResponse()
    expect([response.status, response.field("connection")]).toEqual([status, "close"])
    await ended(client)
    expect(stage.backend.accepted).toBe(0)
    await stage.bystander()
  })

  test.each(endless)(
    "%s that never ends is refused at the limit, piece by piece",
    async (_what, start, status) => {
      using stage = await Stage.open()
      const client = await stage.connect()
      await client.send(start)
      let pieces = 0
      while (client.bytesReceived === 0 && pieces < 100) {
        await client.sendSplit("a".repeat(1024), 0)
        await turn()
        pieces++
      }
      // 16 KiB, and what was on its way while the answer came.
      expect(pieces).toBeLessThan(20)
      expect((await client.receiveResponse()).status).toBe(status)
      await ended(client)
      expect(stage.backend.accepted).toBe(0)
    },
  )

  const defaults: readonly [what: string, status: number, reason: string, text: string][] = [
    ["16 KiB and a byte", 431, "head_size", sized(16_385)],
    ["101 fields", 431, "field_count", count(101)],
    ["a request line of 8 KiB and a byte", 414, "target_length", lined(8193)],
  ]

  test.each(defaults)("defaults: %s: %d (every 499th cut)", async (_what, status, reason, text) => {
    using stage = await Stage.open()
    await stage.refuses(text, { status, reason, cuts: someCutsOf(text, 499) })
  })

  test("defaults: a head of 16 KiB and a line of 8 KiB pass (every 1021st cut)", async () => {
    using stage = await Stage.open()
    for (const text of [sized(16_384), lined(8192), count(100)]) {
      const check = ({ head }: Seen): void => expect(head.length).toBeGreaterThan(text.length)
      await stage.serves(text, check, ["GET"], someCutsOf(text, 1021))
    }
  })

  test("defaults: 100 fields and 16 KiB pass whole (every 1021st cut)", async () => {
    using stage = await Stage.open()
    const line = (index: number): string => `F${index}: ${"v".repeat(150)}`
    const request = head(Array.from({ length: 99 }, (_, index) => line(index)).join("\r\n"))
    const check = ({ fields }: Seen): void => {
      expect(fields.filter(([, value]) => value.length === 150)).toHaveLength(99)
    }
    await stage.serves(request, check, ["GET"], someCutsOf(request, 1021))
  })
})

/** The answer of bunlb's own is followed by the end, or by a reset for one who goes on sending. */
async function ended(client: RawClient): Promise<void> {
  const rest = await client.receiveRest().catch((error: unknown) => {
    if (error instanceof WireEnded) return error.received
    throw error
  })
  expect(rest).toHaveLength(0)
  client.reset()
}
