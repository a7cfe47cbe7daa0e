/**
 * Fields as RFC 9110 section 5 and RFC 9112 section 5 write them, over text (one character a byte) with regular
 * expressions copied from the grammar. Slow on purpose and sharing nothing with src: what two so different readers
 * agree on is what the RFC says.
 */
export type Field = readonly [name: string, value: string]

const tchar = "[-!#$%&'*+.^_`|~0-9A-Za-z]"
/** VCHAR, obs-text, SP and HTAB. */
const content = "[\\t\\x20-\\x7e\\x80-\\xff]"

export const tokenChars = tchar
export const fieldContent = content

const fieldLine = new RegExp(`^(${tchar}+):[ \\t]*(${content}*?)[ \\t]*$`)
const unfinishedLine = new RegExp(`^(${tchar}*|${tchar}+:${content}*\\r?|\\r)$`)

/** Something wrong with a line. */
export interface Fault {
  readonly reasons: readonly string[]
  /** Characters of the line up to and with the first that cannot be. */
  readonly at: number
}

export function parseField(line: string): Field | null {
  const match = fieldLine.exec(line)
  return match === null ? null : [match[1] ?? "", match[2] ?? ""]
}

/** Every reason for which a field line may be refused. */
export function reasonsAgainst(line: string): string[] {
  const reasons: string[] = []
  if (/[\r\n]/.test(line)) reasons.push("line_end")
  if (/^[ \t]/.test(line)) reasons.push("obs_fold")
  const colon = line.indexOf(":")
  const name = colon < 0 ? line : line.slice(0, colon)
  if (colon < 0 || !new RegExp(`^${tchar}+$`).test(name)) reasons.push("field_name")
  if (colon >= 0 && !new RegExp(`^${content}*$`).test(line.slice(colon + 1))) {
    reasons.push("field_value")
  }
  return reasons
}

/** What is wrong with the beginning of a line that has not ended yet. */
export function faultOfUnfinished(line: string): Fault | null {
  if (unfinishedLine.test(line)) return null
  let at = 1
  while (unfinishedLine.test(line.slice(0, at))) at++
  return { reasons: reasonsAgainst(line), at }
}

export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
}

/** The members of a comma-separated list over all its lines, without empty ones (RFC 9110 section 5.6.1). */
export function listOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "")
}

const framing = ["host", "connection", "content-length", "transfer-encoding", "bunlb-hops"]
const ownOptions = ["close", "keep-alive", "upgrade"]

/** Names that Connection nominates: hop by hop, though never those that carry routing or framing. */
export function nominatedBy(fields: readonly Field[]): string[] {
  const names = listOf(fields, "connection").map((name) => name.toLowerCase())
  return names.filter((name) => !framing.includes(name) && !ownOptions.includes(name))
}

/** Persistence, RFC 9112 section 9.3. */
export function persists(fields: readonly Field[], minor: number): boolean {
  const options = listOf(fields, "connection").map((option) => option.toLowerCase())
  if (options.includes("close")) return false
  return minor === 1 || options.includes("keep-alive")
}

/** A scheme that authenticates the connection: the first word of any member of the list. */
export function authenticatesConnection(fields: readonly Field[], name: string): boolean {
  return listOf(fields, name).some((member) => /^(ntlm|negotiate)([ \t]|$)/i.test(member))
}

/**
 * Values as they are read and passed on: a length without leading zeros, for a response once of several that are
 * equal; a host without an empty port.
 */
export function narrowed(fields: readonly Field[], of: "request" | "response"): Field[] {
  return fields.map(([name, value]) => {
    const lower = name.toLowerCase()
    if (lower === "host") return [name, value.replace(/^([^:]+|\[.*\]):$/, "$1")]
    if (lower === "transfer-encoding" && of === "response") {
      return [name, value.replace(/^[, \t]+|[, \t]+$/g, "")]
    }
    if (lower !== "content-length") return [name, value]
    const members = of === "response" ? value.split(",") : [value]
    const lengths = members.map((member) => lengthOf(member.replace(/^[ \t]+|[ \t]+$/g, "")))
    const [first] = lengths
    const equal = !Number.isNaN(first) && lengths.every((length) => length === first)
    return [name, equal ? String(first) : value]
  })
}

export type Coding = "none" | "chunked" | "unknown" | "malformed"

const otherCodings = /^(gzip|x-gzip|deflate|compress|x-compress|identity)$/i

/** What all Transfer-Encoding lines together say; only `chunked`, once, is accepted. */
export function codingOf(fields: readonly Field[]): Coding {
  const values = valuesOf(fields, "transfer-encoding")
  if (values.length === 0) return "none"
  const [value = ""] = values
  if (values.length > 1) return "malformed"
  if (/^chunked$/i.test(value)) return "chunked"
  const codings = value.split(",").map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ""))
  const known = codings.every((coding) => /^chunked$/i.test(coding) || otherCodings.test(coding))
  return known && otherCodings.test(codings[0] ?? "") ? "unknown" : "malformed"
}

/** A Content-Length of 1 to 15 digits; null when there is none, NaN when it is malformed. */
export function lengthOf(value: string | undefined): number | null {
  if (value === undefined) return null
  return /^[0-9]{1,15}$/.test(value) ? Number.parseInt(value, 10) : Number.NaN
}

/**
 * A message as it is read where lines may end with LF alone: a head whose lines all do gets CRLF. Its empty line may
 * not have come yet.
 */
export function withWholeLineEnds(text: string): string {
  const [head = text] = /^\n*(?:[^\n]+\n)+\n/.exec(text) ?? []
  if (head.includes("\r") || !head.includes("\n")) return text
  return head.replaceAll("\n", "\r\n") + text.slice(head.length)
}
