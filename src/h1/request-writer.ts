/**
 * The head that goes to the backend: the request line and the fields as they came, in runs between those that
 * must not pass, then bunlb's own. Hop-by-hop fields go before ours are added, so that none of ours can be
 * nominated away (RFC 9110 section 7.6.1).
 */
import { SP, ascii, copyRange, equalsToken, putBytes } from "../http/bytes.ts"
import {
  AUTHENTICATE,
  AUTHORIZATION,
  CONTENT_LENGTH,
  COOKIE,
  EXPECT,
  FORWARDED_HOST,
  FORWARDED_OTHER,
  FORWARDED_PORT,
  FORWARDED_PROTO,
  HOST,
  MAX_FORWARDS,
  PLAIN,
  REQUEST_ID,
  TRACEPARENT,
  TRACESTATE,
  VIA,
} from "../http/fields.ts"
import type { ClientIdentity } from "../http/identity.ts"
import { maxForwardsLine } from "../http/max-forwards.ts"
import { type FieldSection, isTidy, putTidy } from "../http/field-section.ts"
import type { RequestIdPolicy } from "../config/schema/settings.ts"
import { OPTIONS, type RequestMessage } from "../http/request-message.ts"
import type { RequestIds } from "../http/request-id.ts"
import { HOP_LIMIT } from "../http/hops.ts"
import type { Span } from "../http/trace-context.ts"
import { putOffer } from "./upgrade.ts"

function passing(...kinds: number[]): Uint8Array {
  const table = new Uint8Array(32)
  for (const kind of kinds) table[kind] = 1
  return table
}

const fromAnyone = [
  ...[PLAIN, HOST, CONTENT_LENGTH, VIA, COOKIE, AUTHORIZATION, AUTHENTICATE, EXPECT],
  ...[MAX_FORWARDS, TRACEPARENT, TRACESTATE],
]
const UNTRUSTED = passing(...fromAnyone)
const TRUSTED = passing(
  ...[...fromAnyone, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_OTHER],
)

const ORIGIN_LINE_END = ascii(" HTTP/1.1\r\n")
const HOST_NAME = ascii("Host: ")
const LINE_END = ascii("\r\n")
const FORWARDED_HOST_NAME = ascii("X-Forwarded-Host: ")
const REQUEST_ID_NAME = ascii("X-Request-Id: ")
/** By the number of bunlbs that a request has passed before. */
const hopsLines = Array.from({ length: HOP_LIMIT + 1 }, (_, hops) =>
  ascii(`Bunlb-Hops: ${hops + 1}\r\n`),
)
const VIA_HTTP_11 = ascii("Via: 1.1 bunlb\r\n")
const VIA_HTTP_10 = ascii("Via: 1.0 bunlb\r\n")
const CHUNKED_LINE = ascii("Transfer-Encoding: chunked\r\n")
const EXPECT_LINE = ascii("Expect: 100-continue\r\n")
const UPGRADE_LINES = ascii("Connection: Upgrade\r\nUpgrade: ")
const SLASH = ascii("/")
const ASTERISK = ascii("*")

/** What may be cut from the Cookie fields: bunlb's own cookie is not the backend's business. */
export interface CookieFilter {
  /** Copies what remains of the Cookie line at `position`, whole line with CRLF; nothing when nothing remains. */
  put(from: Buffer, head: RequestMessage, position: number, out: Buffer, at: number): number
}

/** What the settings say of fields. */
export interface FieldPolicy {
  /** Whose X-Request-Id is kept: none, that of trusted proxies, or every client's. */
  readonly requestId: RequestIdPolicy
  /** Add a Via line to requests. */
  readonly via: boolean
  /** Names in lower case of fields that pass although they say where a request came from. */
  readonly kept: readonly Uint8Array[]
}

/** What one client's requests gain on their way. */
export interface HeadPlan {
  readonly identity: ClientIdentity
  readonly policy: FieldPolicy
  readonly ids: RequestIds
  /** bunlb's own part of a trace, or null while it takes none. */
  readonly span: Span | null
}

/** What the backend and its pool say about the head. */
export interface BackendTerms {
  /** The complete Host line to send instead of the client's, or null. */
  readonly hostLine: Uint8Array | null
  /** The backend's own `Host: ...` line, for clients that sent none (HTTP/1.0). */
  readonly defaultHostLine: Uint8Array
  readonly cookies: CookieFilter | null
}

/** Bytes that a rewritten head may need at most, for heads of up to `headBytes`. */
export function headRoom(headBytes: number): number {
  return headBytes * 4 + 2048
}

/**
 * Writes the head and returns its length. `out` has `headRoom`. `id` is the number of the request's id, or 0 when the
 * one that it came with is kept.
 */
export function writeRequestHead(
  from: Buffer,
  head: RequestMessage,
  plan: HeadPlan,
  terms: BackendTerms,
  id: number,
  out: Buffer,
): number {
  const trusted = plan.identity.trusted
  let at = putRequestLine(from, head, out)
  if (replacesHost(head, terms.hostLine)) at = putHost(from, head, terms, out, at)
  at = putFields(from, head, id === 0, plan, terms, out, at)
  if (head.maxForwards > 0) at = putBytes(maxForwardsLine(head.maxForwards), out, at)
  if (head.chunked) at = putBytes(CHUNKED_LINE, out, at)
  if (head.expectContinue && head.expect < 0) at = putBytes(EXPECT_LINE, out, at)
  if (head.upgrade >= 0) at = putUpgrade(from, head, out, at)
  at = plan.identity.putLines(from, head, out, at)
  if (head.hostStart >= 0 && !(trusted && head.fields.find(FORWARDED_HOST) >= 0)) {
    at = putBytes(FORWARDED_HOST_NAME, out, at)
    at = putBytes(LINE_END, out, copyRange(from, head.hostStart, head.hostEnd, out, at))
  }
  if (id !== 0) {
    at = putBytes(REQUEST_ID_NAME, out, at)
    at = putBytes(LINE_END, out, plan.ids.put(id, out, at))
  }
  if (plan.span !== null) at = putBytes(plan.span.line, out, at)
  if (plan.policy.via) at = putBytes(head.minor === 1 ? VIA_HTTP_11 : VIA_HTTP_10, out, at)
  at = putBytes(hopsLines[head.hops], out, at)
  return putBytes(LINE_END, out, at)
}

function putRequestLine(from: Buffer, head: RequestMessage, out: Buffer): number {
  let at = copyRange(from, head.methodStart, head.methodEnd, out, 0)
  out[at++] = SP
  const emptyPath =
    head.absolute && (head.pathStart === head.targetEnd || from[head.pathStart] === 63)
  if (emptyPath) {
    const whole = head.pathStart === head.targetEnd && head.method === OPTIONS
    at = putBytes(whole ? ASTERISK : SLASH, out, at)
  }
  at = copyRange(from, head.pathStart, head.targetEnd, out, at)
  return putBytes(ORIGIN_LINE_END, out, at)
}

function replacesHost(head: RequestMessage, hostLine: Uint8Array | null): boolean {
  return hostLine !== null || head.absolute || head.hostStart < 0
}

function putHost(
  from: Buffer,
  head: RequestMessage,
  terms: BackendTerms,
  out: Buffer,
  at: number,
): number {
  if (terms.hostLine !== null) return putBytes(terms.hostLine, out, at)
  if (head.hostStart < 0) return putBytes(terms.defaultHostLine, out, at)
  const value = putBytes(HOST_NAME, out, at)
  return putBytes(LINE_END, out, copyRange(from, head.hostStart, head.hostEnd, out, value))
}

function putFields(
  from: Buffer,
  head: RequestMessage,
  keepsId: boolean,
  { span, identity, policy }: HeadPlan,
  { cookies, hostLine }: BackendTerms,
  out: Buffer,
  start: number,
): number {
  const { starts, kinds, count } = head.fields
  const ownHost = replacesHost(head, hostLine)
  const passes = identity.trusted ? TRUSTED : UNTRUSTED
  let at = start
  let run = starts[0]
  for (let i = 0; i < count; i++) {
    const kind = kinds[i]
    if (kind === PLAIN) continue
    const cut = kind === COOKIE && cookies !== null
    const goes = (kind === HOST && ownHost) || isReplaced(kind, i, head) || isOfTrace(kind, span)
    const untidy =
      !goes && (kind === CONTENT_LENGTH || kind === HOST) && !isTidy(from, head.fields, i)
    const passing =
      passes[kind] === 1 ||
      (kind === REQUEST_ID && keepsId) ||
      (kind === FORWARDED_OTHER && isKept(from, head.fields, i, policy.kept))
    if (passing && !cut && !goes && !untidy) continue
    at = copyRange(from, run, starts[i], out, at)
    run = starts[i + 1]
    if (cut) at = cookies.put(from, head, i, out, at)
    else if (untidy) at = putTidy(from, head.fields, i, out, at)
  }
  return copyRange(from, run, starts[count], out, at)
}

function isKept(
  bytes: Uint8Array,
  { starts, nameEnds }: FieldSection,
  position: number,
  kept: readonly Uint8Array[],
): boolean {
  for (let i = 0; i < kept.length; i++) {
    if (equalsToken(bytes, starts[position], nameEnds[position], kept[i])) return true
  }
  return false
}

/**
 * An expectation that does not count, since HTTP/1.0 has none (RFC 9110 section 10.1.1), or that is not the one line
 * to pass. A Max-Forwards that counts is written anew.
 */
function isReplaced(kind: number, position: number, head: RequestMessage): boolean {
  if (kind === MAX_FORWARDS) return head.maxForwards > 0
  return kind === EXPECT && (!head.expectContinue || head.expect !== position)
}

/** What is said of the trace by bunlb instead, or is of another trace. */
function isOfTrace(kind: number, span: Span | null): boolean {
  if (span === null) return false
  return kind === TRACEPARENT || (kind === TRACESTATE && span.restarted)
}

function putUpgrade(from: Buffer, head: RequestMessage, out: Buffer, at: number): number {
  return putBytes(LINE_END, out, putOffer(from, head.fields, out, putBytes(UPGRADE_LINES, out, at)))
}
