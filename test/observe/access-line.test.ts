/** One entry in its two forms; what a peer sends stays inside its quotes. */
import { expect, test } from "bun:test"
import { combinedLine, jsonLine, type AccessEntry } from "../../src/observe/access-line.ts"

const entry: AccessEntry = {
  time: Date.UTC(2026, 10, 3, 4, 5, 6, 789),
  worker: 1,
  client: "::1",
  method: "GET",
  target: "/a",
  version: "HTTP/1.1",
  host: "x",
  status: 200,
  bytesIn: 10,
  bytesOut: 20,
  dialMs: null,
  waitMs: 1.25,
  totalMs: 3,
  backend: "a:80",
  attempts: 1,
  reused: true,
  end: "--",
  error: null,
  requestId: "ab",
  traceId: null,
  spanId: null,
  referer: null,
  userAgent: null,
  fields: {},
}

test("combined has what log readers know, and more behind it", () => {
  expect(combinedLine(entry)).toBe(
    '::1 - - [03/Nov/2026:04:05:06 +0000] "GET /a HTTP/1.1" 200 20 "-" "-" a:80 -/1.3/3 1 -- ab\n',
  )
  const none = {
    ...entry,
    method: null,
    target: null,
    version: null,
    backend: null,
    requestId: null,
  }
  expect(combinedLine(none)).toBe(
    '::1 - - [03/Nov/2026:04:05:06 +0000] "-" 200 20 "-" "-" - -/1.3/3 1 -- -\n',
  )
})

test("JSON leaves out an error and fields that are not there", () => {
  const plain = JSON.parse(jsonLine(entry)) as object
  expect(plain).toMatchObject({ time: "2026-11-03T04:05:06.789Z", wait_ms: 1.3, total_ms: 3 })
  expect(plain).not.toHaveProperty("error")
  expect(plain).not.toHaveProperty("fields")
  const more = JSON.parse(jsonLine({ ...entry, error: "late", fields: { a: "b" } })) as object
  expect(more).toMatchObject({ error: "late", fields: { a: "b" } })
})

test("a span is at the end, where there is one", () => {
  const traced = { ...entry, traceId: "0af7", spanId: "b7ad" }
  expect(JSON.parse(jsonLine(entry))).not.toHaveProperty("trace_id")
  expect(JSON.parse(jsonLine(traced))).toMatchObject({ trace_id: "0af7", span_id: "b7ad" })
  expect(combinedLine(traced)).toEndWith(" 1 -- ab 0af7/b7ad\n")
})

test("one line, whatever is in it", () => {
  const hostile = { ...entry, target: '/"\n\\\x1b', userAgent: 'x" 1\r\n', requestId: "a b\n" }
  for (const line of [combinedLine(hostile), jsonLine(hostile)]) {
    expect(line.indexOf("\n")).toBe(line.length - 1)
    expect(line).not.toContain("\x1b")
  }
  expect(combinedLine(hostile)).toContain('"GET /\\x22\\x0A\\x5C\\x1B HTTP/1.1"')
  expect(combinedLine(hostile)).toContain('"x\\x22 1\\x0D\\x0A"')
})

test("no character that a terminal obeys stands in a line as it is", () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)).toString("latin1")
  const text = `${bytes}\u2028\u2029\u202e\ud800`
  const fields = { a: text }
  const hostile = { ...entry, method: text, target: text, host: text, userAgent: text, fields }
  for (const line of [jsonLine, combinedLine]) {
    const written = line({ ...hostile, referer: text, requestId: text }).slice(0, -1)
    expect(written).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028-\u202e]/)
  }
  expect(JSON.parse(jsonLine(hostile))).toMatchObject({ target: text, user_agent: text, fields })
})
