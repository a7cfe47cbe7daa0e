/**
 * Requests to the admin listener, read by the scanner that reads those of clients: what is ambiguous or malformed is
 * refused before anybody looks at it.
 */
import { fieldKind, HOST } from "../http/fields.ts"
import * as refusal from "../http/refusal.ts"
import { RequestMessage } from "../http/request-message.ts"
import { scanRequest } from "../h1/request.ts"
import type { Terms } from "./http-answer.ts"

/** What the pages of the listener read of a request. `Request` has all of it. */
export type AdminRequest = Pick<Request, "method" | "url" | "headers" | "text">

export const HEAD_LIMITS = { headBytes: 16 * 1024, requestLineBytes: 8 * 1024, fields: 100 }

/** The facts of one head, which stay when its bytes are gone. */
export interface RequestFacts extends Terms {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly chunked: boolean
  /** -1 when the request does not say. */
  readonly contentLength: number
  readonly expectsContinue: boolean
  /** Where the head ends. */
  readonly end: number
}

/** One for all connections: a head is scanned and copied in one go. */
const scanned = new RequestMessage(HEAD_LIMITS)

/** The head at the beginning of `bytes`; null when more bytes are needed; a number of `http/refusal.ts`. */
export function readHead(bytes: Buffer): RequestFacts | number | null {
  const end = scanRequest(bytes, 0, bytes.length, HEAD_LIMITS, scanned)
  if (end === 0) return null
  if (end > 0) return factsOf(bytes, end, null)
  return end === -refusal.HOST_INVALID ? readWithoutHost(bytes) : -end
}

/**
 * An empty Host field names no machine, as the absence of one in HTTP/1.0: the probes of some send it. The scanner
 * refuses it, so it gets to see a name that nobody will read.
 */
function readWithoutHost(bytes: Buffer): RequestFacts | number {
  const { fields } = scanned
  const position = fields.find(HOST)
  const at = fields.valueStarts[position]
  if (at !== fields.valueEnds[position]) return refusal.HOST_INVALID
  const filled = Buffer.concat([bytes.subarray(0, at), Buffer.from("-"), bytes.subarray(at)])
  const end = scanRequest(filled, 0, filled.length, HEAD_LIMITS, scanned)
  return end > 0 ? factsOf(filled, end, "") : -end
}

/** `given`: what is to stand for the Host field that has been read. */
function factsOf(bytes: Buffer, end: number, given: string | null): RequestFacts {
  const head = scanned
  const named = head.hostStart < 0 ? "" : text(bytes, head.hostStart, head.hostEnd)
  const host = given ?? named
  const path = text(bytes, head.pathStart, head.targetEnd)
  const rooted = path.startsWith("/") ? path : `/${path}`
  return {
    method: text(bytes, head.methodStart, head.methodEnd),
    url: host === "" ? rooted : `http://${host}${rooted}`,
    headers: headersOf(bytes, head, host),
    chunked: head.chunked,
    contentLength: head.contentLength,
    expectsContinue: head.expectContinue,
    minor: head.minor,
    keepAlive: head.keepAlive,
    end: given === null ? end : end - 1,
  }
}

/** The authority of an absolute target counts as the Host (RFC 9112 section 3.2.2). */
function headersOf(bytes: Buffer, { fields }: RequestMessage, host: string): Headers {
  const headers = new Headers()
  for (let i = 0; i < fields.count; i++) {
    const start = fields.starts[i] ?? 0
    const nameEnd = fields.nameEnds[i] ?? start
    if (fieldKind(bytes, start, nameEnd) === HOST) continue
    const value = text(bytes, fields.valueStarts[i] ?? 0, fields.valueEnds[i] ?? 0)
    headers.append(text(bytes, start, nameEnd), value)
  }
  headers.set("host", host)
  return headers
}

function text(bytes: Buffer, from: number, to: number): string {
  return bytes.toString("latin1", from, to)
}
