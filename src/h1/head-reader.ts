/**
 * Heads whose lines all end with LF alone, for `http.bare_lf: accept`. RFC 9112 section 2.2 lets a recipient take LF
 * for a line end, and old clients and backends send it. But a parser in front that only knows CRLF reads such a LF as
 * part of a value, and a head that mixes both may then hold a line that it never saw. So a head is read in one of the
 * two ways, whole: with one CR anywhere in it, it is judged strictly. What goes on has CRLF.
 *
 * Cost: nothing for heads with CRLF; a head without is copied, with what follows it.
 */
import { CR, LF } from "../http/bytes.ts"
import type { HeadLimits, RequestMessage } from "../http/request-message.ts"
import { scanRequest } from "./request.ts"
import type { ResponseMessage } from "../http/response-message.ts"
import { scanResponse } from "./response.ts"

/**
 * A copy of `bytes` in which the lines of the head at `from` end with CRLF, and which is the same before and behind it;
 * null when the head does not end all its lines with LF alone. Of an unfinished head: as far as it has come.
 */
function withCrlf(bytes: Buffer, from: number, to: number): Buffer | null {
  let lines = 0
  let at = from
  // Empty lines may come before the first one.
  while (at < to && bytes[at] === LF) {
    lines++
    at++
  }
  let ended = false
  for (; at < to && !ended; at++) {
    if (bytes[at] === CR) return null
    if (bytes[at] !== LF) continue
    lines++
    ended = at > from && bytes[at - 1] === LF
  }
  if (lines === 0) return null
  const copy = Buffer.allocUnsafe(to + lines)
  let end = from
  for (let i = from; i < at; i++) {
    if (bytes[i] === LF) copy[end++] = CR
    copy[end++] = bytes[i] ?? 0
  }
  bytes.copy(copy, end, at, to)
  return copy
}

/** As `scanRequest`; with LF alone, the head is in `head.bytes`, at the same offset. */
export function readRequestHead(
  bytes: Buffer,
  from: number,
  limits: HeadLimits,
  acceptsBareLf: boolean,
  head: RequestMessage,
): number {
  head.bareLf = false
  const end = scanRequest(bytes, from, bytes.length, limits, head)
  const copy = end < 0 && acceptsBareLf ? withCrlf(bytes, from, bytes.length) : null
  if (copy === null) return end
  head.bareLf = true
  return scanRequest(copy, from, copy.length, limits, head)
}

/** As `scanResponse`; with LF alone, the head is in `head.bytes`, at the same offset. */
export function readResponseHead(
  bytes: Buffer,
  from: number,
  limitBytes: number,
  bodiless: boolean,
  acceptsBareLf: boolean,
  head: ResponseMessage,
): number {
  head.bareLf = false
  const end = scanResponse(bytes, from, bytes.length, limitBytes, bodiless, head)
  const copy = end < 0 && acceptsBareLf ? withCrlf(bytes, from, bytes.length) : null
  if (copy === null) return end
  head.bareLf = true
  return scanResponse(copy, from, copy.length, limitBytes, bodiless, head)
}
