/** The field section: where lines lie, what is refused, and what Connection, lengths and codings say. */
import { describe, expect, test } from "bun:test"
import * as section from "../../src/http/field-section.ts"
import { NOMINATED, fieldKind } from "../../src/http/fields.ts"
import * as refuse from "../../src/http/refusal.ts"

const LIMIT = 6

/** Scans the text, which lies in the middle of a buffer. The result counts from the text's start. */
function scan(text: string) {
  const fields = new section.FieldSection(LIMIT)
  const bytes = Buffer.from(`..${text}`, "latin1")
  const end = section.scanFields(bytes, 2, bytes.length, fields)
  return { fields, bytes, end: end > 0 ? end - 2 : end }
}

function fieldsOf(text: string): [name: string, value: string][] {
  const { fields, bytes } = scan(text)
  return Array.from({ length: fields.count }, (_, i) => [
    bytes.toString("latin1", fields.starts[i], fields.nameEnds[i]),
    bytes.toString("latin1", fields.valueStarts[i], fields.valueEnds[i]),
  ])
}

test("names and values lie where they lie, without the white space around a value", () => {
  const text = "A: b\r\nHost:\t x y \t\r\nempty:\r\nc:\xff\r\n\r\n"
  expect(fieldsOf(text)).toEqual([
    ["A", "b"],
    ["Host", "x y"],
    ["empty", ""],
    ["c", "\xff"],
  ])
  expect(scan(`${text}GET`).end).toBe(text.length)
  expect(scan("\r\n").end).toBe(2)
})

test("every beginning of a sound section asks for more", () => {
  const text = "A: b\r\nHost: x\r\nLong-Name: a b c \r\n\r\n"
  for (let length = 0; length < text.length; length++)
    expect(scan(text.slice(0, length)).end).toBe(0)
})

test("the lines join without gaps, so that runs of them can be copied", () => {
  const { fields, bytes } = scan("A: b\r\nCd:e\r\n\r\n")
  const lines = [0, 1].map((i) => bytes.toString("latin1", fields.starts[i], fields.starts[i + 1]))
  expect(lines).toEqual(["A: b\r\n", "Cd:e\r\n"])
  expect(bytes.toString("latin1", fields.starts[2])).toBe("\r\n")
})

const faults: readonly [text: string, refusal: number][] = [
  [" A: b\r\n\r\n", refuse.OBS_FOLD],
  ["A: b\r\n\tc\r\n\r\n", refuse.OBS_FOLD],
  ["A: b\n\r\n", refuse.LINE_END],
  ["A: b\r\n\n", refuse.LINE_END],
  ["A\n", refuse.LINE_END],
  ["A: b\rc", refuse.LINE_END],
  ["\rA", refuse.LINE_END],
  ["A : b\r\n", refuse.FIELD_NAME],
  [": b\r\n", refuse.FIELD_NAME],
  ["A\0: b", refuse.FIELD_NAME],
  ["A b\r\n", refuse.FIELD_NAME],
  ["A\r\n\r\n", refuse.FIELD_NAME],
  ["A: \0", refuse.FIELD_CONTENT],
  ["A: b\x7f", refuse.FIELD_CONTENT],
  ["A:b\r\n".repeat(LIMIT + 1), refuse.FIELD_COUNT],
]
test.each(faults)("%p is refused", (text, refusal) => {
  expect(scan(text).end).toBe(-refusal)
})

test("as many fields as the limit pass", () => {
  expect(scan(`${"A:b\r\n".repeat(LIMIT)}\r\n`).end).toBeGreaterThan(0)
})

test("known fields are found by their kind, the first of them", () => {
  const { fields } = scan("A: b\r\nVia: x\r\nHost: 1\r\nhost: 2\r\n\r\n")
  const host = fieldKind(Buffer.from("host"), 0, 4)
  expect([fields.knownCount, fields.find(host), fields.find(NOMINATED)]).toEqual([3, 2, -1])
})

describe("Connection", () => {
  const options = (...values: string[]): number => {
    const { fields, bytes } = scan(
      `${values.map((value) => `Connection: ${value}\r\n`).join("")}\r\n`,
    )
    return section.readConnectionOptions(bytes, fields)
  }
  const { CLOSE, KEEP_ALIVE, NOMINATES, UPGRADE_OPTION } = section

  test("options are read in any case, list and line", () => {
    expect(options("close")).toBe(CLOSE)
    expect(options("Keep-Alive, \tUPGRADE ,,")).toBe(KEEP_ALIVE | UPGRADE_OPTION)
    expect(options("x", "close", "keep-alive")).toBe(CLOSE | KEEP_ALIVE | NOMINATES)
    expect(options("closed, xclose, keep-alive2", "", " , ")).toBe(NOMINATES)
    expect(options("close,", ", ,")).toBe(CLOSE)
  })

  test("nominates fields, but not those of routing and framing", () => {
    const names = "X-One, host, content-length, transfer-encoding, connection, x-two"
    const lines = "X-ONE: 1\r\nHost: h\r\nContent-Length: 1\r\nx_one: 2\r\nX-Two: 3\r\n"
    const { fields, bytes } = scan(`Connection: ${names}\r\n${lines}\r\n`)
    section.readConnectionOptions(bytes, fields)
    const kinds = [...fields.kinds.subarray(0, fields.count)]
    expect(kinds.map((kind) => kind === NOMINATED)).toEqual([
      false,
      true,
      false,
      false,
      false,
      true,
    ])
  })
})

/** The text as the value of a field that is the only one. */
function valueOf<T>(
  text: string,
  read: (bytes: Buffer, fields: section.FieldSection, position: number) => T,
): T {
  const { fields, bytes } = scan(`Any: ${text}\r\n\r\n`)
  return read(bytes, fields, 0)
}

test("a length is 1 to 15 digits", () => {
  const lengths: [string, number][] = [
    ["0", 0],
    ["007", 7],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", -1],
    ["", -1],
    ["+1", -1],
    ["-1", -1],
    ["1,1", -1],
    ["1 1", -1],
    ["0x1", -1],
    ["1e3", -1],
    ["\xb2", -1],
  ]
  for (const [text, length] of lengths) {
    expect([text, valueOf(text, section.readContentLength)]).toEqual([text, length])
  }
})

test("a coding is chunked alone, or another known one, or nonsense", () => {
  const { CHUNKED, OTHER_CODING } = section
  const codings: [string, number][] = [
    ["chunked", CHUNKED],
    ["CHUNKED", CHUNKED],
    ["gzip", OTHER_CODING],
    ["gzip , Chunked", OTHER_CODING],
    ["identity", OTHER_CODING],
    ["chunked, gzip", 0],
    ["chunked,", 0],
    ["x", 0],
    ["", 0],
    ["gzip, x", 0],
  ]
  for (const [text, coding] of codings) {
    expect([text, valueOf(text, section.readTransferCoding)]).toEqual([text, coding])
  }
})
