/** The traceparent that goes to a backend, for every kind of traceparent that comes (W3C Trace Context). */
import { describe, expect, test } from "bun:test"
import { ascii } from "../../src/http/bytes.ts"
import { TrustedProxies } from "../../src/net/ip/cidr.ts"
import { ClientIdentity } from "../../src/http/identity.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { RequestIds } from "../../src/http/request-id.ts"
import { headRoom, writeRequestHead } from "../../src/h1/request-writer.ts"
import { scanRequest } from "../../src/h1/request.ts"
import { Span } from "../../src/http/trace-context.ts"

const limits = { headBytes: 4096, requestLineBytes: 4096, fields: 100 }
const TRACE = "0af7651916cd43dd8448eb211c80319c"
const PARENT = "b7ad6b7169203331"
const good = `00-${TRACE}-${PARENT}-01`
const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** What a backend is told of the trace, and the span that told it. */
function told(span: Span | null, ...lines: readonly string[]): string[] {
  const head = new RequestMessage(limits)
  const bytes = Buffer.from(["GET / HTTP/1.1", "Host: h", ...lines, "", ""].join("\r\n"), "latin1")
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  span?.begin(bytes, head.fields)
  const chain = new TrustedProxies([])
  const terms = { chain, scheme: "http", forwarded: false, port: 80 } as const
  const identity = new ClientIdentity("10.0.0.1", false, terms)
  const policy = { requestId: "own", via: false, kept: [] } as const
  const plan = { identity, policy, ids: new RequestIds(), span }
  const hosts = { hostLine: null, defaultHostLine: ascii("Host: d\r\n"), cookies: null }
  const out = Buffer.alloc(headRoom(limits.headBytes))
  const text = out.toString("latin1", 0, writeRequestHead(bytes, head, plan, hosts, 1, out))
  return text.split("\r\n").filter((line) => /^(trace|x-mine)/i.test(line))
}

function parentOf(lines: readonly string[]) {
  const parents = lines.filter((line) => line.startsWith("traceparent: "))
  expect(parents).toHaveLength(1)
  const [, trace = "", span = "", flags = ""] = form.exec(parents[0]?.slice(13) ?? "") ?? []
  return { trace, span, flags }
}

test("off: everything passes as it came, sound or not", () => {
  const lines = ["TraceParent: nonsense", "tracestate: a=1", "traceparent: 1", "tracestate: b=2"]
  expect(told(null, ...lines)).toEqual(lines)
})

test("the trace goes on, with bunlb's span as the parent; tracestate passes untouched", () => {
  const span = new Span()
  const lines = told(span, "tracestate: a=1,b=2", `TraceParent: ${good}`, "tracestate: c=3")
  expect(lines.slice(0, 2)).toEqual(["tracestate: a=1,b=2", "tracestate: c=3"])
  const parent = parentOf(lines)
  expect(parent).toMatchObject({ trace: TRACE, flags: "01" })
  expect(parent.span).not.toBe(PARENT)
  expect([span.traceId, span.spanId]).toEqual([TRACE, parent.span])
})

test("none begins a trace, sampled and random; a tracestate without one goes", () => {
  const span = new Span()
  const lines = told(span, "tracestate: a=1")
  expect(lines).toHaveLength(1)
  const parent = parentOf(lines)
  expect(parent.flags).toBe("03")
  expect(parent.trace).not.toBe("0".repeat(32))
  expect([span.traceId, span.spanId]).toEqual([parent.trace, parent.span])
})

describe("a bad one is as none", () => {
  test.each([
    ["too short", good.slice(0, -1)],
    ["longer than version 00 is", `${good}-00`],
    ["upper case", good.toUpperCase()],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["a parent id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["version ff", `ff${good.slice(2)}`],
    ["no digits in the version", `0g${good.slice(2)}`],
    ["no digits in the trace id", good.replace("0af7", "0ag7")],
    ["no digits in the parent id", good.replace("b7ad", "b7-d")],
    ["no digits in the flags", `${good.slice(0, -2)}0x`],
    ["other dashes", good.replaceAll("-", "_")],
    ["a later version that goes on without a dash", `cc${good.slice(2)}.more`],
    ["nothing", ""],
  ])("%s", (_what, value) => {
    const lines = told(new Span(), `traceparent: ${value}`, "tracestate: a=1", "X-Mine: 1")
    expect(lines[0]).toBe("X-Mine: 1")
    expect(lines).toHaveLength(2)
    expect(parentOf(lines).trace).not.toBe(TRACE)
  })

  test("two of them, even when they agree", () => {
    const lines = told(new Span(), `traceparent: ${good}`, `traceparent: ${good}`)
    expect(parentOf(lines).trace).not.toBe(TRACE)
  })

  test("one that Connection names is for this hop", () => {
    const lines = told(new Span(), `traceparent: ${good}`, "Connection: traceparent")
    expect(parentOf(lines).trace).not.toBe(TRACE)
  })
})

test("a later version is read as far as it is known, and said as 00", () => {
  for (const value of [`cc${good.slice(2)}`, `cc${good.slice(2)}-what-else`]) {
    expect(parentOf(told(new Span(), `traceparent: ${value}`))).toMatchObject({ trace: TRACE })
  }
})

test.each([
  ["00", "00"],
  ["01", "01"],
  ["02", "02"],
  ["03", "03"],
  ["ff", "03"],
  ["fd", "01"],
])("flags %s are sent on as %s: bits without a meaning are not", (came, went) => {
  const value = good.replace(/01$/, came)
  expect(parentOf(told(new Span(), `traceparent: ${value}`)).flags).toBe(went)
})

test("every exchange has a span of its own, and every trace that begins here an id of its own", () => {
  const span = new Span()
  const parents = Array.from({ length: 2_000 }, () => parentOf(told(span)))
  expect(new Set(parents.map(({ trace }) => trace)).size).toBe(2_000)
  expect(new Set(parents.map(({ span: id }) => id)).size).toBe(2_000)
  const going = Array.from({ length: 9 }, () => parentOf(told(span, `traceparent: ${good}`)))
  expect(new Set(going.map(({ trace }) => trace))).toEqual(new Set([TRACE]))
  expect(new Set(going.map(({ span: id }) => id)).size).toBe(9)
})
