/**
 * Every reason for which bunlb refuses a request, in one place: the number that the scanners return (negated),
 * the name that the counter and the log carry, the status code and the one line of text that the client reads.
 */
import { ascii } from "./bytes.ts"

export interface Refusal {
  /** Label of `bunlb_rejected_requests_total`. */
  readonly reason: string
  readonly status: number
  readonly text: string
}

const list: Refusal[] = []

function refusal(status: number, reason: string, text: string): number {
  list.push({ reason, status, text })
  return list.length
}

export const REQUEST_LINE = refusal(400, "request_line", "malformed request line")
export const METHOD = refusal(501, "method", "method name too long")
export const TARGET_FORM = refusal(400, "target", "malformed request target")
export const TARGET_LENGTH = refusal(414, "target_length", "request line too long")
export const VERSION = refusal(505, "version", "only HTTP/1.0 and HTTP/1.1 are spoken here")
export const CONNECT = refusal(501, "connect", "CONNECT is not supported")
export const LINE_END = refusal(400, "line_end", "a line must end with CRLF")
export const FIELD_NAME = refusal(400, "field_name", "malformed field name")
export const FIELD_CONTENT = refusal(400, "field_value", "forbidden character in a field value")
export const OBS_FOLD = refusal(400, "obs_fold", "folded field lines are not accepted")
export const HEAD_SIZE = refusal(431, "head_size", "request head too large")
export const FIELD_COUNT = refusal(431, "field_count", "too many fields")
export const HOST_MISSING = refusal(400, "host_missing", "Host is missing")
export const HOST_REPEATED = refusal(400, "host_repeated", "more than one Host")
export const HOST_INVALID = refusal(400, "host_invalid", "malformed Host")
export const LENGTH_INVALID = refusal(400, "content_length", "malformed Content-Length")
export const LENGTH_REPEATED = refusal(
  400,
  "content_length_repeated",
  "more than one Content-Length",
)
export const LENGTH_CONFLICT = refusal(
  400,
  "length_conflict",
  "both Content-Length and Transfer-Encoding",
)
export const CODING_INVALID = refusal(400, "transfer_encoding", "malformed Transfer-Encoding")
export const CODING_UNKNOWN = refusal(
  501,
  "transfer_coding",
  "the only transfer coding accepted is chunked",
)
export const CODING_VERSION = refusal(
  400,
  "transfer_encoding_http10",
  "Transfer-Encoding in an HTTP/1.0 request",
)
export const EXPECTATION = refusal(417, "expectation", "only Expect: 100-continue is understood")
export const MAX_FORWARDS_INVALID = refusal(400, "max_forwards", "malformed Max-Forwards")
export const CHUNK = refusal(400, "chunk", "malformed chunked body")
export const CHUNK_EXTENSION = refusal(400, "chunk_extension", "chunk extensions too long")
export const TRAILER = refusal(400, "trailer", "malformed trailer section")
export const TRAILER_SIZE = refusal(431, "trailer_size", "trailer section too large")
export const HEAD_TIMEOUT = refusal(408, "head_timeout", "request head not received in time")
export const BODY_TIMEOUT = refusal(408, "body_timeout", "request body not received in time")
export const LOOP = refusal(508, "loop", "the request goes round: it has passed bunlb too often")
export const TOO_MANY_FROM_CLIENT = refusal(429, "crowd", "too many connections from this address")

/** The refusals by number; entry 0 is never used. */
export const refusals: readonly (Refusal | null)[] = [null, ...list]

const phrases: Record<number, string> = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
}

/** A complete answer of bunlb's own, with `extra` field lines (each ending in CRLF) in its head. */
export function ownAnswer(status: number, text: string, close: boolean, extra = ""): Uint8Array {
  const body = `${status} ${text}\n`
  return ascii(
    `HTTP/1.1 ${status} ${phrases[status] ?? "Error"}\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n` +
      `${extra}${close ? "Connection: close\r\n" : ""}\r\n${body}`,
  )
}

/** The number of head bytes of an answer of bunlb's own, for requests by HEAD. */
export function headLength(answer: Uint8Array): number {
  return Buffer.from(answer.buffer, answer.byteOffset, answer.length).indexOf("\r\n\r\n") + 4
}
