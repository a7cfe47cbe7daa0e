/**
 * The head of a response, scanned once and as strictly as a request: what a backend says wrongly is not guessed
 * at but answered with 502, because a guess is how one client gets another's response (RFC 9112 sections 4, 6.3).
 */
import { CR, FIELD_VALUE, LF, SP, ascii } from "../http/bytes.ts"
import {
  CHUNKED,
  CLOSE,
  KEEP_ALIVE,
  NOMINATES,
  isTidy,
  readConnectionOptions,
  readEqualLengths,
  readTransferCoding,
  skipEmptyMembers,
  scanFields,
} from "../http/field-section.ts"
import {
  AUTHENTICATE,
  CONNECTION,
  CONTENT_LENGTH,
  HOP_BY_HOP,
  NOMINATED,
  TRANSFER_ENCODING,
  UPGRADE,
} from "../http/fields.ts"
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "../http/framing.ts"
import type { ResponseMessage } from "../http/response-message.ts"
import { readIdleSeconds } from "./keep-alive.ts"
import { FIELD_COUNT } from "../http/refusal.ts"
import { namesConnectionScheme } from "./request.ts"

/** Why a response head is unusable, negated by the scanner. */
const MALFORMED = 1
const TOO_LARGE = 2
const AMBIGUOUS = 3
const TOO_MANY = 4

export const responseFaults: readonly string[] = [
  "",
  "malformed response head",
  "response head too large",
  "ambiguous response length",
  "too many response fields",
]

const HTTP_1 = ascii("HTTP/1.")

/**
 * Scans `bytes[from..to)`. `bodiless`: the request was HEAD. Returns the offset after the head, 0 when more bytes
 * are needed, or a fault negated.
 */
export function scanResponse(
  bytes: Buffer,
  from: number,
  to: number,
  limitBytes: number,
  bodiless: boolean,
  head: ResponseMessage,
): number {
  const fieldsStart = scanStatusLine(bytes, from, to, head)
  if (fieldsStart < 0) return fieldsStart
  const end = fieldsStart === 0 ? 0 : scanFields(bytes, fieldsStart, to, head.fields)
  if (end < 0) return end === -FIELD_COUNT ? -TOO_MANY : -MALFORMED
  if (end === 0) return to - from >= limitBytes ? -TOO_LARGE : 0
  if (end - from > limitBytes) return -TOO_LARGE
  const fault = judge(bytes, bodiless, head)
  if (fault !== 0) return -fault
  head.bytes = bytes
  head.start = from
  head.end = end
  return end
}

function scanStatusLine(
  bytes: Uint8Array,
  from: number,
  to: number,
  head: ResponseMessage,
): number {
  for (let i = 0; i < HTTP_1.length; i++) {
    if (from + i >= to) return 0
    if (bytes[from + i] !== HTTP_1[i]) return -MALFORMED
  }
  if (from + 13 > to) return 0
  const minor = bytes[from + 7] - 48
  if ((minor !== 0 && minor !== 1) || bytes[from + 8] !== SP) return -MALFORMED
  let status = 0
  for (let i = from + 9; i < from + 12; i++) {
    const digit = bytes[i] - 48
    if (digit < 0 || digit > 9) return -MALFORMED
    status = status * 10 + digit
  }
  if (status < 100) return -MALFORMED
  let at = from + 12
  if (bytes[at] !== SP && bytes[at] !== CR) return -MALFORMED
  while (at < to && FIELD_VALUE[bytes[at]] === 1) at++
  if (at + 1 >= to) return at < to && bytes[at] !== CR ? -MALFORMED : 0
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return -MALFORMED
  head.minor = minor
  head.status = status
  head.statusStart = from + 8
  head.bare = bytes[from + 12] === CR
  return at + 2
}

/** Everything that needs the whole head. Returns 0 or a fault. */
function judge(bytes: Buffer, bodiless: boolean, head: ResponseMessage): number {
  const fields = head.fields
  const options = fields.find(CONNECTION) >= 0 ? readConnectionOptions(bytes, fields) : 0
  head.keepAlive =
    head.minor === 1 ? (options & CLOSE) === 0 : (options & (KEEP_ALIVE | CLOSE)) === KEEP_ALIVE
  head.contentLength = -1
  head.untidy = -1
  head.nominates = (options & NOMINATES) !== 0
  head.bindsConnection = false
  head.upgrade = -1
  head.idleSeconds = -1
  let chunked = false
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    switch (fields.kinds[position]) {
      case CONTENT_LENGTH: {
        const length = readEqualLengths(bytes, fields, position)
        if (length < 0 || (head.contentLength >= 0 && length !== head.contentLength)) {
          return AMBIGUOUS
        }
        // Another line with the same length stays out.
        if (head.contentLength >= 0) fields.kinds[position] = NOMINATED
        else if (!isTidy(bytes, fields, position)) head.untidy = position
        head.contentLength = length
        break
      }
      case TRANSFER_ENCODING:
        if (chunked || head.minor === 0) return AMBIGUOUS
        skipEmptyMembers(bytes, fields, position)
        if (readTransferCoding(bytes, fields, position) !== CHUNKED) return AMBIGUOUS
        if (!isTidy(bytes, fields, position)) head.untidy = position
        chunked = true
        break
      case HOP_BY_HOP:
        if (head.idleSeconds < 0) head.idleSeconds = readIdleSeconds(bytes, fields, position)
        break
      case AUTHENTICATE:
        if (namesConnectionScheme(bytes, fields, position)) head.bindsConnection = true
        break
      case UPGRADE:
        head.upgrade = position
        break
    }
  }
  if (chunked && head.contentLength >= 0) return AMBIGUOUS
  // A body that cannot be: whatever follows on this connection may be that body (RFC 9112 section 6.3).
  if (head.status === 204 && (chunked || head.contentLength > 0)) head.keepAlive = false
  head.framing = framingOf(head, bodiless, chunked)
  return 0
}

function framingOf(head: ResponseMessage, bodiless: boolean, chunked: boolean): number {
  const status = head.status
  if (bodiless || status < 200 || status === 204 || status === 304) return NO_BODY
  if (chunked) return BY_CHUNKS
  if (head.contentLength >= 0) return head.contentLength === 0 ? NO_BODY : BY_LENGTH
  return BY_CLOSE
}
