/**
 * A chunked body read from RFC 9112 section 7.1, whole, by regular expressions: what it holds, which trailers may
 * pass, and where it ends.
 */
import { faultOfUnfinished, parseField, type Field } from "./reference-fields.ts"
import { mayPassInTrailer } from "./reference-forwarding.ts"
import type { Reading } from "./reference-request.ts"

export interface ChunkedFacts {
  readonly data: string
  /** The framing as it goes on: sizes without leading zeros, no extensions, the trailers that may pass. */
  readonly forwarded: string
}

const EXTENSION = 1024
/** Of all extensions, beyond the data of their chunks. */
const EXCESS = 16 * 1024
const TRAILER_BYTES = 8 * 1024
const TRAILER_FIELDS = 32

/** White space may stand before an extension (RFC 9110 section 5.6.3), and in a response before the end of the line. */
const sizeLine = {
  request: /^([0-9A-Fa-f]{1,16})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)\r\n/,
  response: /^([0-9A-Fa-f]{1,16})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*|[ \t]*)?)\r\n/,
}
const unfinishedSize = {
  request: /^([0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}([ \t]+|[ \t]*;[\t\x20-\x7e\x80-\xff]*\r?|\r)?)$/,
  response:
    /^([0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}([ \t]+\r?|[ \t]*;[\t\x20-\x7e\x80-\xff]*\r?|\r)?)$/,
}

export function readChunked(
  text: string,
  of: "request" | "response" = "request",
): Reading<ChunkedFacts> {
  let rest = text
  let data = ""
  let forwarded = ""
  let excess = 0
  for (;;) {
    const match = sizeLine[of].exec(rest)
    if (match === null) {
      const [begun = ""] = /^[0-9A-Fa-f]*/.exec(rest) ?? []
      const fits = begun === "" || Number.parseInt(begun, 16) <= Number.MAX_SAFE_INTEGER
      const short = rest.replace(/\r$/, "").length - begun.length <= EXTENSION
      return unfinishedOr(fits && short && unfinishedSize[of].test(rest), rest)
    }
    const [line, digits = "", extension = ""] = match
    const size = Number.parseInt(digits, 16)
    if (extension !== "") excess = Math.max(0, excess + extension.length - size)
    if (extension.length > EXTENSION || excess > EXCESS) return refused("chunk_extension")
    if (size > Number.MAX_SAFE_INTEGER) return refused("chunk")
    rest = rest.slice(line.length)
    forwarded += `${digits.replace(/^0+(?=.)/, "")}\r\n`
    if (size === 0) break
    const chunk = rest.slice(0, size)
    const end = rest.slice(size, size + 2)
    if (end !== "\r\n") return unfinishedOr("\r\n".startsWith(end), end)
    data += chunk
    forwarded += `${chunk}\r\n`
    rest = rest.slice(size + 2)
  }
  return readTrailers(rest, data, forwarded, text.length)
}

function readTrailers(
  rest: string,
  data: string,
  forwarded: string,
  total: number,
): Reading<ChunkedFacts> {
  const lines = rest.split("\r\n")
  const unfinished = lines.pop() ?? ""
  const end = lines.indexOf("")
  const trailers = end < 0 ? lines : lines.slice(0, end)
  const fields = trailers.map(parseField)
  const length = trailers.map((line) => `${line}\r\n`).join("").length + 2
  if (fields.includes(null)) return refused("trailer", "trailer_size")
  if (fields.length > TRAILER_FIELDS) return refused("trailer", "trailer_size")
  if (end < 0) {
    if (rest.length > TRAILER_BYTES) return refused("trailer_size", "trailer")
    const tooMany = fields.length === TRAILER_FIELDS && unfinished !== "" && unfinished !== "\r"
    const fault = faultOfUnfinished(unfinished) !== null || tooMany
    // Trailers are judged when a line has ended.
    return fault ? { verdict: "refused", reasons: ["trailer"], late: 0 } : { verdict: "unfinished" }
  }
  if (length > 2 && length > TRAILER_BYTES) return refused("trailer_size")
  const passing = (fields as readonly Field[]).flatMap(([name], index) =>
    mayPassInTrailer(name) ? [`${trailers[index]}\r\n`] : [],
  )
  const used = total - rest.length + length
  return {
    verdict: "accepted",
    length: used,
    facts: { data, forwarded: `${forwarded}${passing.join("")}\r\n` },
  }
}

function refused(...reasons: string[]): Reading<ChunkedFacts> {
  return { verdict: "refused", reasons, late: Infinity }
}

function unfinishedOr(viable: boolean, rest: string): Reading<ChunkedFacts> {
  if (viable) return { verdict: "unfinished" }
  const reasons = /^[0-9A-Fa-f]+[ \t]*[; \t]/.test(rest) ? ["chunk", "chunk_extension"] : ["chunk"]
  return { verdict: "refused", reasons, late: Infinity }
}
