/**
 * A response head read from RFC 9112 sections 4 to 6, with the choices of docs/http.md: what is ambiguous is
 * refused instead of repaired.
 */
import {
  authenticatesConnection,
  codingOf,
  faultOfUnfinished,
  fieldContent,
  lengthOf,
  narrowed,
  parseField,
  persists,
  valuesOf,
  type Field,
} from "./reference-fields.ts"
import type { Reading } from "./reference-request.ts"

export type Framing = "none" | "length" | "chunked" | "close"

export interface ResponseFacts {
  readonly minor: number
  readonly status: number
  /** As it stands after the version: the code, and the phrase if any. */
  readonly statusText: string
  readonly fields: readonly Field[]
  readonly framing: Framing
  readonly length: number | null
  readonly keepAlive: boolean
  readonly bindsConnection: boolean
}

export interface ResponseLimits {
  readonly headBytes: number
  readonly fields: number
}

const statusLine = new RegExp(`^HTTP/1\\.([01])( ([1-9][0-9]{2})(?: ${fieldContent}*)?)$`)
const unfinishedStatusLine = new RegExp(
  `^(H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\\.|HTTP/1\\.[01]|HTTP/1\\.[01] |HTTP/1\\.[01] [1-9]|` +
    `HTTP/1\\.[01] [1-9][0-9]|HTTP/1\\.[01] [1-9][0-9]{2}( ${fieldContent}*)?\\r?)?$`,
)

export function readResponse(
  text: string,
  toHead: boolean,
  limits: ResponseLimits,
): Reading<ResponseFacts> {
  const lines = text.split("\r\n")
  const unfinished = lines.pop() ?? ""
  const end = lines.indexOf("", 1)
  if (lines.length === 0 || end < 0) return readUnfinished(text, lines, unfinished, limits)
  const head = lines.slice(0, end)
  const length = head.join("\r\n").length + 4
  const malformed = !areSound(head, limits)
  const reasons = malformed ? ["malformed response head"] : []
  if (head.length - 1 > limits.fields) reasons.push("too many response fields")
  if (length > limits.headBytes) reasons.push("response head too large")
  if (reasons.length > 0) return { verdict: "refused", reasons, late: lateness(text, head) }
  const facts = factsOf(head, toHead)
  return facts === null
    ? { verdict: "refused", reasons: ["ambiguous response length"], late: Infinity }
    : { verdict: "accepted", length, facts }
}

function readUnfinished(
  text: string,
  lines: readonly string[],
  unfinished: string,
  limits: ResponseLimits,
): Reading<ResponseFacts> {
  const reasons: string[] = []
  let late = 0
  if (lines.length > 0 && !areSound(lines, limits)) {
    reasons.push("malformed response head")
    if (lines.length - 1 > limits.fields) reasons.push("too many response fields")
    late = lateness(text, lines)
  }
  if (text.length >= limits.headBytes) {
    reasons.push("response head too large")
    late = Infinity
  }
  if (lines.length === 0 && !unfinishedStatusLine.test(unfinished)) {
    let at = 1
    while (unfinishedStatusLine.test(unfinished.slice(0, at))) at++
    reasons.push("malformed response head")
    late = Math.max(late, unfinished.length - at)
  } else if (lines.length > 0 && unfinished !== "") {
    const fault = faultOfUnfinished(unfinished)
    if (fault !== null) late = Math.max(late, unfinished.length - fault.at)
    const tooMany = lines.length - 1 === limits.fields && unfinished !== "\r"
    if (tooMany) late = Infinity
    if (fault !== null) reasons.push("malformed response head")
    if (tooMany) reasons.push("too many response fields")
  }
  return reasons.length > 0 ? { verdict: "refused", reasons, late } : { verdict: "unfinished" }
}

/** Characters after the first line when that is what is wrong: a short line is judged a little later. */
function lateness(text: string, [first = ""]: readonly string[]): number {
  return statusLine.test(first) ? Infinity : text.length - first.length
}

function areSound(lines: readonly string[], limits: ResponseLimits): boolean {
  const [first = "", ...fieldLines] = lines
  const sound = fieldLines.every((line) => parseField(line) !== null)
  return statusLine.test(first) && sound && fieldLines.length <= limits.fields
}

/** Null when the length of the body is ambiguous. */
function factsOf(head: readonly string[], toHead: boolean): ResponseFacts | null {
  const [first = "", ...lines] = head
  const [, minorText = "", statusText = "", code = ""] = statusLine.exec(first) ?? []
  const minor = Number(minorText)
  const status = Number(code)
  const parsed = lines.flatMap((line) => {
    const field = parseField(line)
    return field === null ? [] : [field]
  })
  const fields = narrowed(parsed, "response")
  const lengths = valuesOf(fields, "content-length").map(lengthOf)
  const length = lengths[0] ?? null
  const coding = codingOf(fields)
  if (!lengths.every((each) => each === length)) return null
  if (coding !== "none" && (coding !== "chunked" || minor === 0 || length !== null)) return null
  const impossible = status === 204 && (coding === "chunked" || (length ?? 0) > 0)
  return {
    minor,
    status,
    statusText,
    fields,
    framing: framingOf(status, toHead, coding === "chunked", length),
    length,
    keepAlive: persists(fields, minor) && !impossible,
    bindsConnection: authenticatesConnection(fields, "www-authenticate"),
  }
}

/** RFC 9112 section 6.3. A length of 0 is no body. */
function framingOf(
  status: number,
  toHead: boolean,
  chunked: boolean,
  length: number | null,
): Framing {
  if (toHead || status < 200 || status === 204 || status === 304) return "none"
  if (chunked) return "chunked"
  if (length === null) return "close"
  return length === 0 ? "none" : "length"
}
