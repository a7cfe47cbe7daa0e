/**
 * The head that goes to the client. When nothing is added, the fields that must not pass are cut in place: what
 * stands before a cut moves up to it, so the body behind the head stays where it is and head and body leave in
 * one write. When something is added, the head is composed in the scratch buffer.
 */
import { SP, ascii, copyRange, putBytes } from "../http/bytes.ts"
import {
  CONNECTION,
  CONTENT_LENGTH,
  HOP_BY_HOP,
  NOMINATED,
  PLAIN,
  TRANSFER_ENCODING,
  UPGRADE,
} from "../http/fields.ts"
import { putTidy } from "../http/field-section.ts"
import type { ResponseMessage } from "../http/response-message.ts"

const HTTP_11 = ascii("HTTP/1.1")
const CLOSE_LINE = ascii("Connection: close\r\n")
const KEEP_ALIVE_LINE = ascii("Connection: keep-alive\r\n")
const UPGRADE_LINE = ascii("Connection: Upgrade\r\n")
const CLOSE_UPGRADE_LINE = ascii("Connection: close, Upgrade\r\n")
const KEEP_ALIVE_UPGRADE_LINE = ascii("Connection: keep-alive, Upgrade\r\n")
const LINE_END = ascii("\r\n")
/** Of " 200". */
const STATUS_LENGTH = 4

const VIA_HTTP_11 = ascii("Via: 1.1 bunlb\r\n")
const VIA_HTTP_10 = ascii("Via: 1.0 bunlb\r\n")

/** What the head says about this hop. */
export const SILENT = 0
export const SAYS_CLOSE = 1
export const SAYS_KEEP_ALIVE = 2
export const SAYS_UPGRADE = 3
const connectionLines: readonly Uint8Array[] = [
  ascii(""),
  CLOSE_LINE,
  KEEP_ALIVE_LINE,
  UPGRADE_LINE,
  CLOSE_UPGRADE_LINE,
  KEEP_ALIVE_UPGRADE_LINE,
]

/** As `says`, and the Upgrade field is for this hop too. */
export function withUpgrade(says: number): number {
  return says === SILENT ? SAYS_UPGRADE : says + SAYS_UPGRADE
}

/** The statuses whose Upgrade passes: 101 says what was chosen, 426 what is required (RFC 9110 section 15.5.22). */
export function passesUpgrade(status: number): boolean {
  return status === 101 || status === 426
}

/** Whether a field stays out. `dechunked`: the client gets the body without its framing. */
function isDropped(kind: number, head: ResponseMessage, dechunked: boolean): boolean {
  switch (kind) {
    case CONNECTION:
    case HOP_BY_HOP:
    case NOMINATED:
      return true
    case UPGRADE:
      return !passesUpgrade(head.status)
    case TRANSFER_ENCODING:
      return dechunked || head.status < 200 || head.status === 204
    case CONTENT_LENGTH:
      return head.status < 200 || head.status === 204
    default:
      return false
  }
}

/**
 * Cuts the head `bytes[from..end)` in place and returns where it now begins; it still ends at `end`. Not for a head
 * that `mustBeWritten`.
 */
export function cutResponseHead(
  bytes: Buffer,
  from: number,
  head: ResponseMessage,
  dechunked: boolean,
): number {
  const { count, kinds, starts } = head.fields
  let start = from
  for (let i = 0; i < count; i++) {
    if (kinds[i] === PLAIN || !isDropped(kinds[i], head, dechunked)) continue
    const line = starts[i]
    const length = starts[i + 1] - line
    bytes.copyWithin(start + length, start, line)
    start += length
  }
  if (head.minor === 0) bytes[start + 7] = 49
  return start
}

/**
 * Composes the head in `out` with what this hop says, with a cookie line and Via where wanted, and returns its length.
 */
export function writeResponseHead(
  from: Buffer,
  head: ResponseMessage,
  dechunked: boolean,
  says: number,
  cookieLine: Uint8Array | null,
  via: boolean,
  out: Buffer,
): number {
  const { starts, kinds, count } = head.fields
  let at = putBytes(HTTP_11, out, 0)
  let run = head.statusStart
  if (head.bare) {
    at = copyRange(from, run, run + STATUS_LENGTH, out, at)
    run += STATUS_LENGTH
    out[at++] = SP
  }
  for (let i = 0; i < count; i++) {
    if (kinds[i] === PLAIN) continue
    const dropped = isDropped(kinds[i], head, dechunked)
    if (!dropped && i !== head.untidy) continue
    at = copyRange(from, run, starts[i], out, at)
    run = starts[i + 1]
    if (!dropped) at = putTidy(from, head.fields, i, out, at)
  }
  at = copyRange(from, run, starts[count], out, at)
  if (cookieLine !== null) at = putBytes(cookieLine, out, at)
  if (via) at = putBytes(head.minor === 1 ? VIA_HTTP_11 : VIA_HTTP_10, out, at)
  at = putBytes(connectionLines[says], out, at)
  return putBytes(LINE_END, out, at)
}
