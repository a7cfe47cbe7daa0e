/**
 * A request head read from RFC 9112 sections 2 to 6, with the choices of docs/http.md. Says of every text whether
 * it is accepted, with all its facts, refused, with every reason that would be true, or unfinished.
 */
import {
  authenticatesConnection,
  codingOf,
  faultOfUnfinished,
  lengthOf,
  listOf,
  narrowed,
  parseField,
  persists,
  reasonsAgainst,
  tokenChars,
  valuesOf,
  type Field,
} from "./reference-fields.ts"

export interface Limits {
  readonly headBytes: number
  readonly requestLineBytes: number
  readonly fields: number
}

export interface RequestFacts {
  readonly method: string
  readonly target: string
  readonly minor: number
  /** The authority that counts, or null when there is none. */
  readonly host: string | null
  /** Path and query of an absolute target, else null. */
  readonly absolutePath: string | null
  readonly fields: readonly Field[]
  readonly length: number | null
  readonly chunked: boolean
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** Of TRACE and OPTIONS only: how far they may go. */
  readonly maxForwards: number | null
  readonly upgrade: string | null
  readonly bindsConnection: boolean
  /** Bunlbs that it has passed. */
  readonly hops: number
  readonly idempotent: boolean
}

export type Reading<Facts> =
  | { readonly verdict: "accepted"; readonly length: number; readonly facts: Facts }
  /** `late`: characters that came after it was clear. */
  | { readonly verdict: "refused"; readonly reasons: readonly string[]; readonly late: number }
  | { readonly verdict: "unfinished" }

const METHOD_LENGTH = 32
/** Times that a request may have passed a bunlb before. */
const HOPS = 8
/** The largest Max-Forwards that is told apart: one more than is sent on. */
const MOST_HOPS = 1e9
const target = "[\\x21\\x22\\x24-\\x7e]"
const requestLine = new RegExp(`^(${tokenChars}{1,32}) (${target}+) HTTP/1\\.([01])$`)
const unfinishedRequestLine = new RegExp(
  `^(${tokenChars}{0,32}|${tokenChars}{1,32} ${target}*|${tokenChars}{1,32} ${target}+ ` +
    `(H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\\.|HTTP/1\\.[01]\\r?))$`,
)

export function readRequest(text: string, limits: Limits): Reading<RequestFacts> {
  const skipped = /^(\r\n){0,2}/.exec(text)?.[0].length ?? 0
  const rest = text.slice(skipped)
  const lines = rest.split("\r\n")
  const unfinished = lines.pop() ?? ""
  const end = lines.indexOf("", 1)
  if (lines.length === 0 || end < 0) {
    return readUnfinished(rest, lines, unfinished, limits)
  }
  const head = lines.slice(0, end)
  const length = head.join("\r\n").length + 4
  const reasons = reasonsInLines(head, limits)
  if (length > limits.headBytes) reasons.push("head_size")
  if (reasons.length > 0) return { verdict: "refused", reasons, late: lateness(rest, head) }
  const facts = factsOf(head)
  const objections = objectionsTo(facts)
  return objections.length > 0
    ? { verdict: "refused", reasons: objections, late: Infinity }
    : { verdict: "accepted", length: skipped + length, facts }
}

function readUnfinished(
  rest: string,
  lines: readonly string[],
  unfinished: string,
  limits: Limits,
): Reading<RequestFacts> {
  const reasons = lines.length === 0 ? [] : reasonsInLines(lines, limits)
  let late = reasons.length > 0 ? lateness(rest, lines) : 0
  if (rest.length >= limits.headBytes) {
    reasons.push("head_size")
    late = Infinity
  }
  if (lines.length === 0) {
    const tooLong = unfinished.length > limits.requestLineBytes
    if (tooLong) reasons.push("target_length")
    if (!unfinishedRequestLine.test(unfinished)) {
      reasons.push(...reasonsAgainstRequestLine(unfinished, limits))
      let at = 1
      while (unfinishedRequestLine.test(unfinished.slice(0, at))) at++
      late = Math.max(late, unfinished.length - at)
    }
  } else if (unfinished !== "") {
    const fault = faultOfUnfinished(unfinished)
    if (fault !== null) {
      reasons.push(...fault.reasons)
      late = Math.max(late, unfinished.length - fault.at)
    }
    if (lines.length - 1 === limits.fields && unfinished !== "\r") {
      reasons.push("field_count")
      late = Infinity
    }
  }
  return reasons.length > 0 ? { verdict: "refused", reasons, late } : { verdict: "unfinished" }
}

/** Characters after the first line when that is what is wrong: a short line is judged a little later. */
function lateness(rest: string, [first = ""]: readonly string[]): number {
  return requestLine.test(first) ? Infinity : rest.length - first.length
}

function reasonsInLines(lines: readonly string[], limits: Limits): string[] {
  const [first = "", ...fieldLines] = lines
  const reasons = requestLine.test(first) ? [] : reasonsAgainstRequestLine(first, limits)
  if (first.length > limits.requestLineBytes) reasons.push("target_length")
  for (const line of fieldLines) {
    if (parseField(line) === null) reasons.push(...reasonsAgainst(line))
  }
  if (fieldLines.length > limits.fields) reasons.push("field_count")
  return reasons
}

function reasonsAgainstRequestLine(line: string, limits: Limits): string[] {
  const reasons: string[] = []
  if (/[\r\n]/.test(line)) reasons.push("line_end", "request_line", "target")
  const [method = ""] = new RegExp(`^${tokenChars}*`).exec(line) ?? []
  if (method.length > METHOD_LENGTH) reasons.push("method")
  if (method === "" || line[method.length] !== " ") return [...reasons, "request_line"]
  const rest = line.slice(method.length + 1)
  const [path = ""] = new RegExp(`^${target}*`).exec(rest) ?? []
  if (method.length + 1 + path.length > limits.requestLineBytes) reasons.push("target_length")
  if (path === "") return [...reasons, "request_line"]
  if (rest[path.length] !== " ") return [...reasons, "target"]
  const version = rest.slice(path.length + 1)
  if (!/^HTTP\/[1-9]\.[0-9]/.test(version)) return [...reasons, "request_line"]
  if (!/^HTTP\/1\.[01]/.test(version)) reasons.push("version")
  if (version.length > 8) reasons.push("request_line")
  return reasons
}

function factsOf(head: readonly string[]): RequestFacts {
  const [first = "", ...lines] = head
  const [, method = "", whole = "", minorText = ""] = requestLine.exec(first) ?? []
  const minor = Number(minorText)
  const parsed = lines.flatMap((line) => {
    const field = parseField(line)
    return field === null ? [] : [field]
  })
  const fields = narrowed(parsed, "request")
  const [, rawAuthority = null, path = null] = /^https?:\/\/([^/?]*)(.*)$/i.exec(whole) ?? []
  const authority = rawAuthority?.replace(/^([^:]+|\[.*\]):$/, "$1") ?? null
  const nominated = listOf(fields, "connection").map((name) => name.toLowerCase())
  const counts = (name: string): boolean => !nominated.includes(name)
  const expectations = counts("expect") ? listOf(fields, "expect") : []
  const hopsLeft = maxForwardsOf(method, fields, nominated)
  const length = lengthOf(valuesOf(fields, "content-length")[0])
  const chunked = codingOf(fields) === "chunked"
  return {
    method,
    target: whole,
    minor,
    host: authority ?? valuesOf(fields, "host")[0] ?? null,
    absolutePath: path,
    fields,
    length,
    chunked,
    keepAlive: persists(fields, minor),
    expectsContinue: minor === 1 && expectations.length > 0,
    maxForwards: hopsLeft.length === 0 ? null : Math.min(Number(hopsLeft[0]), MOST_HOPS),
    upgrade: minor === 1 ? upgradeOf(fields) : null,
    bindsConnection: counts("authorization") && authenticatesConnection(fields, "authorization"),
    hops: hopsOf(fields, nominated),
    idempotent: /^(GET|HEAD|PUT|DELETE|OPTIONS|TRACE)$/.test(method),
  }
}

/** The protocols offered in the way of RFC 9110 section 7.8, without HTTP and its drafts. */
function upgradeOf(fields: readonly Field[]): string | null {
  const options = listOf(fields, "connection").map((option) => option.toLowerCase())
  const isProtocol = new RegExp(`^${tokenChars}+(/${tokenChars}+)?$`)
  const protocols = listOf(fields, "upgrade")
  if (!options.includes("upgrade") || !protocols.every((each) => isProtocol.test(each))) return null
  const offered = protocols.filter((each) => !/^(http|h2c?(-[^/]*)?)(\/.*)?$/i.test(each))
  return offered.length > 0 ? offered.join(", ") : null
}

/** Every reason against a head that is well-formed. */
function objectionsTo(facts: RequestFacts): string[] {
  const reasons: string[] = []
  const { fields, minor, method } = facts
  if (method.toLowerCase() === "connect") return ["connect"]
  const hosts = valuesOf(fields, "host")
  if (hosts.length === 0 && minor === 1) reasons.push("host_missing")
  if (hosts.length > 1) reasons.push("host_repeated")
  if (!hosts.every(isAuthority)) reasons.push("host_invalid")
  const lengths = valuesOf(fields, "content-length")
  const coding = codingOf(fields)
  if (lengths.length > 1) reasons.push("content_length_repeated")
  if (lengths.some((value) => Number.isNaN(lengthOf(value)))) reasons.push("content_length")
  if (lengths.length > 0 && coding !== "none") reasons.push("length_conflict")
  if (coding === "malformed") reasons.push("transfer_encoding")
  const firstCoding = codingOf(fields.filter((field) => isCoding(field)).slice(0, 1))
  if (coding === "unknown" || firstCoding === "unknown") reasons.push("transfer_coding")
  if (coding !== "none" && minor === 0) reasons.push("transfer_encoding_http10")
  const nominated = listOf(fields, "connection").map((name) => name.toLowerCase())
  const expectations = nominated.includes("expect") ? [] : listOf(fields, "expect")
  if (!expectations.every((value) => /^100-continue$/i.test(value))) reasons.push("expectation")
  const hopsLeft = maxForwardsOf(method, fields, nominated)
  if (hopsLeft.length > 1 || !hopsLeft.every((value) => /^[0-9]+$/.test(value))) {
    reasons.push("max_forwards")
  }
  if (facts.hops > HOPS) reasons.push("loop")
  return [...reasons, ...objectionsToTarget(facts)]
}

/** The values of Max-Forwards where it counts (RFC 9110 section 7.6.2). */
function maxForwardsOf(
  method: string,
  fields: readonly Field[],
  nominated: readonly string[],
): readonly string[] {
  const counts = /^(TRACE|OPTIONS)$/.test(method) && !nominated.includes("max-forwards")
  return counts ? valuesOf(fields, "max-forwards") : []
}

function isCoding([name]: Field): boolean {
  return name.toLowerCase() === "transfer-encoding"
}

/** The four forms of RFC 9112 section 3.2, less authority-form, which belongs to CONNECT. */
function objectionsToTarget({ target: text, method, absolutePath, host }: RequestFacts): string[] {
  if (text.startsWith("/") || (text === "*" && method === "OPTIONS")) return []
  if (absolutePath === null) return ["target"]
  return isAuthority(host ?? "") ? [] : ["host_invalid", "target"]
}

/** RFC 3986 section 3.2, narrowed: no user, no sub-delims, no percent-encoding; a port from 0 to 65535. */
function isAuthority(text: string): boolean {
  const match = /^([-._~0-9A-Za-z]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$/.exec(text)
  return match !== null && Number(match[2] ?? "0") <= 65535
}

/** Its own count, which nobody can take away, or that of Via. */
function hopsOf(fields: readonly Field[], nominated: readonly string[]): number {
  const counts = valuesOf(fields, "bunlb-hops").map((value) =>
    /^[0-9]+$/.test(value) ? Number(value) : 0,
  )
  return Math.min(Math.max(0, ...counts, nominated.includes("via") ? 0 : hopsIn(fields)), 1000)
}

/** How often Via names bunlb: `[protocol/]version name [comment]`. */
function hopsIn(fields: readonly Field[]): number {
  return valuesOf(fields, "via")
    .flatMap((value) => value.split(","))
    .filter((member) => /^bunlb$/i.test(member.replace(/^[ \t]+/, "").split(/[ \t]+/)[1] ?? ""))
    .length
}
