/**
 * The head of a request, scanned once: bytes in, facts out. A head that two parsers could read in two ways is
 * refused (RFC 9112 sections 2 to 6, RFC 9110 sections 5 to 7), so that no byte reaches a backend which a laxer
 * parser would take for another number of requests.
 */
import { COMMA, CR, HTAB, LF, SP, TARGET, TOKEN, ascii, equalsToken } from "../http/bytes.ts"
import {
  CHUNKED,
  CLOSE,
  FieldSection,
  KEEP_ALIVE,
  NOMINATES,
  OTHER_CODING,
  UPGRADE_OPTION,
  beforeBlanks,
  pastBlanks,
  readConnectionOptions,
  readContentLength,
  readTransferCoding,
  scanFields,
} from "../http/field-section.ts"
import {
  AUTHORIZATION,
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  HOST,
  TRANSFER_ENCODING,
} from "../http/fields.ts"
import { authorityEnd, judgeTarget } from "../http/target.ts"
import { findOffer } from "./upgrade.ts"
import { HOP_LIMIT, countHops } from "../http/hops.ts"
import { readMaxForwards } from "../http/max-forwards.ts"
import * as refuse from "../http/refusal.ts"
import {
  DELETE,
  GET,
  HEAD,
  OPTIONS,
  OTHER_METHOD,
  POST,
  PUT,
  TRACE,
  type HeadLimits,
  type RequestMessage,
} from "../http/request-message.ts"

/** Empty lines before a request that are forgiven (RFC 9112 section 2.2). */
const EMPTY_LINES = 2

/**
 * Scans `bytes[from..to)` into `head`. Returns the offset after the head, 0 when more bytes are needed, or a refusal
 * negated.
 */
export function scanRequest(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
  head: RequestMessage,
): number {
  let start = from
  for (let i = 0; i < EMPTY_LINES && start < to && bytes[start] === CR; i++) {
    if (start + 1 >= to) return 0
    if (bytes[start + 1] === LF) start += 2
  }
  const fieldsStart = scanRequestLine(bytes, start, to, limits, head)
  if (fieldsStart < 0) return fieldsStart
  if (fieldsStart === 0) return to - start >= limits.headBytes ? -refuse.HEAD_SIZE : 0
  const end = scanFields(bytes, fieldsStart, to, head.fields)
  if (end < 0) return end
  if (end === 0) return to - start >= limits.headBytes ? -refuse.HEAD_SIZE : 0
  if (end - start > limits.headBytes) return -refuse.HEAD_SIZE
  const refusal = judge(bytes, head)
  if (refusal !== 0) return -refusal
  head.bytes = bytes
  head.start = from
  head.end = end
  return end
}

const METHOD_LENGTH = 32

function scanRequestLine(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
  head: RequestMessage,
): number {
  let at = from
  while (at < to && TOKEN[bytes[at]] === 1) at++
  if (at - from > METHOD_LENGTH) return -refuse.METHOD
  if (at >= to) return 0
  if (bytes[at] !== SP || at === from) return -refuse.REQUEST_LINE
  head.methodStart = from
  head.methodEnd = at
  at++
  head.targetStart = at
  while (at < to && TARGET[bytes[at]] === 1) at++
  if (at - from > limits.requestLineBytes) return -refuse.TARGET_LENGTH
  if (at >= to) return 0
  if (at === head.targetStart) return -refuse.REQUEST_LINE
  if (bytes[at] !== SP) return -refuse.TARGET_FORM
  head.targetEnd = at
  return scanVersion(bytes, from, at + 1, to, limits, head)
}

const HTTP_SLASH = ascii("HTTP/")

function scanVersion(
  bytes: Uint8Array,
  lineStart: number,
  from: number,
  to: number,
  limits: HeadLimits,
  head: RequestMessage,
): number {
  for (let i = 0; i < HTTP_SLASH.length; i++) {
    if (from + i >= to) return 0
    if (bytes[from + i] !== HTTP_SLASH[i]) return -refuse.REQUEST_LINE
  }
  const end = from + 8
  if (end + 1 >= to) return 0
  const major = bytes[from + 5] - 48
  const minor = bytes[from + 7] - 48
  if (bytes[from + 6] !== 46 || major < 0 || major > 9 || minor < 0 || minor > 9) {
    return -refuse.REQUEST_LINE
  }
  if (bytes[end] !== CR || bytes[end + 1] !== LF) {
    return bytes[end] === LF || bytes[end] === CR ? -refuse.LINE_END : -refuse.REQUEST_LINE
  }
  if (major === 0) return -refuse.REQUEST_LINE
  if (major !== 1 || minor > 1) return -refuse.VERSION
  if (end - lineStart > limits.requestLineBytes) return -refuse.TARGET_LENGTH
  head.minor = minor
  return end + 2
}

const methods: readonly (readonly [Uint8Array, number])[] = [
  [ascii("GET"), GET],
  [ascii("HEAD"), HEAD],
  [ascii("POST"), POST],
  [ascii("PUT"), PUT],
  [ascii("DELETE"), DELETE],
  [ascii("OPTIONS"), OPTIONS],
  [ascii("TRACE"), TRACE],
]

/** Methods are case-sensitive (RFC 9110 section 9.1): `get` is another method than `GET`. */
function methodOf(bytes: Uint8Array, from: number, to: number): number {
  for (let i = 0; i < methods.length; i++) {
    const name = methods[i][0]
    if (name.length !== to - from || name[0] !== bytes[from]) continue
    let same = 1
    while (same < name.length && name[same] === bytes[from + same]) same++
    if (same === name.length) return methods[i][1]
  }
  return OTHER_METHOD
}

const CONNECT_METHOD = ascii("connect")

/** Everything that needs the whole head. Returns 0 or a refusal. */
function judge(bytes: Buffer, head: RequestMessage): number {
  const method = methodOf(bytes, head.methodStart, head.methodEnd)
  head.method = method
  head.idempotent = method !== OTHER_METHOD && method !== POST
  head.contentLength = -1
  head.chunked = false
  head.expectContinue = false
  head.expect = -1
  head.maxForwards = -1
  head.bindsConnection = false
  head.upgrade = -1
  head.hostStart = -1
  if (
    method === OTHER_METHOD &&
    equalsToken(bytes, head.methodStart, head.methodEnd, CONNECT_METHOD)
  ) {
    return refuse.CONNECT
  }
  const options = head.fields.find(CONNECTION) >= 0 ? readConnectionOptions(bytes, head.fields) : 0
  head.keepAlive =
    head.minor === 1 ? (options & CLOSE) === 0 : (options & (KEEP_ALIVE | CLOSE)) === KEEP_ALIVE
  head.nominates = (options & NOMINATES) !== 0
  const refusal = judgeFields(bytes, head)
  if (refusal !== 0) return refusal
  if (head.chunked && head.contentLength >= 0) return refuse.LENGTH_CONFLICT
  if (head.hostStart < 0 && head.minor === 1) return refuse.HOST_MISSING
  head.hops = head.fields.knownCount > 0 ? countHops(bytes, head.fields) : 0
  if (head.hops > HOP_LIMIT) return refuse.LOOP
  if (method === OPTIONS || method === TRACE) {
    head.maxForwards = readMaxForwards(bytes, head.fields)
    if (head.maxForwards < -1) return refuse.MAX_FORWARDS_INVALID
  }
  if ((options & UPGRADE_OPTION) !== 0 && head.minor === 1) {
    head.upgrade = findOffer(bytes, head.fields)
  }
  return judgeTarget(bytes, head)
}

function judgeFields(bytes: Buffer, head: RequestMessage): number {
  const fields = head.fields
  let codings = 0
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    switch (fields.kinds[position]) {
      case HOST:
        if (head.hostStart >= 0) return refuse.HOST_REPEATED
        head.hostStart = fields.valueStarts[position]
        head.hostEnd = authorityEnd(bytes, head.hostStart, fields.valueEnds[position])
        if (head.hostEnd < 0) return refuse.HOST_INVALID
        fields.valueEnds[position] = head.hostEnd
        break
      case CONTENT_LENGTH:
        if (head.contentLength >= 0) return refuse.LENGTH_REPEATED
        head.contentLength = readContentLength(bytes, fields, position)
        if (head.contentLength < 0) return refuse.LENGTH_INVALID
        break
      case TRANSFER_ENCODING: {
        codings++
        const refusal = judgeCoding(bytes, head, position, codings)
        if (refusal !== 0) return refusal
        break
      }
      case EXPECT:
        if (!readExpect(bytes, head, position)) return refuse.EXPECTATION
        break
      case AUTHORIZATION:
        if (namesConnectionScheme(bytes, fields, position)) head.bindsConnection = true
        break
    }
  }
  return 0
}

function judgeCoding(
  bytes: Buffer,
  head: RequestMessage,
  position: number,
  codings: number,
): number {
  if (head.minor === 0) return refuse.CODING_VERSION
  if (codings > 1) return refuse.CODING_INVALID
  const coding = readTransferCoding(bytes, head.fields, position)
  if (coding === OTHER_CODING) return refuse.CODING_UNKNOWN
  if (coding !== CHUNKED) return refuse.CODING_INVALID
  head.chunked = true
  return 0
}

const continueToken = ascii("100-continue")

/**
 * Expect is a list (RFC 9110 section 10.1.1): members may repeat and be empty. Returns false for a member that is not
 * understood. A line that says `100-continue` and no more goes on as it came.
 */
function readExpect(bytes: Uint8Array, head: RequestMessage, position: number): boolean {
  const { valueStarts, valueEnds } = head.fields
  const end = valueEnds[position]
  let start = valueStarts[position]
  if (equalsToken(bytes, start, end, continueToken)) {
    if (head.expect < 0) head.expect = position
    head.expectContinue = head.minor === 1
    return true
  }
  for (let at = start; at <= end; at++) {
    if (at < end && bytes[at] !== COMMA) continue
    const from = pastBlanks(bytes, start, at)
    const to = beforeBlanks(bytes, from, at)
    start = at + 1
    if (from === to) continue
    if (!equalsToken(bytes, from, to, continueToken)) return false
    head.expectContinue = head.minor === 1
  }
  return true
}

const SEPARATOR = new Uint8Array(256)
for (const octet of [SP, HTAB, COMMA]) SEPARATOR[octet] = 1

const connectionSchemes = [ascii("ntlm"), ascii("negotiate")]

/**
 * Schemes that authenticate the connection and not the request (RFC 4559 section 6). A challenge may list several,
 * so the first word after every comma counts; a wrong hit costs no more than a connection.
 */
export function namesConnectionScheme(
  bytes: Uint8Array,
  fields: FieldSection,
  position: number,
): boolean {
  const end = fields.valueEnds[position]
  let from = fields.valueStarts[position]
  while (from < end) {
    while (from < end && SEPARATOR[bytes[from]] === 1) from++
    let to = from
    while (to < end && SEPARATOR[bytes[to]] !== 1) to++
    for (let i = 0; i < connectionSchemes.length; i++) {
      if (equalsToken(bytes, from, to, connectionSchemes[i])) return true
    }
    while (to < end && bytes[to] !== COMMA) to++
    from = to
  }
  return false
}
