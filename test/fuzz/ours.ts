/**
 * What src makes of a text, told in the words of the reference, so that both can be compared. Texts lie in the
 * middle of a buffer: a scanner that looks outside its range is found out.
 *
 * `plant` puts in a bug: it rewrites the bytes, at equal length, that the scanner gets to see.
 */
import { Body } from "../../src/h1/body.ts"
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH } from "../../src/http/framing.ts"
import { ascii } from "../../src/http/bytes.ts"
import { CLIENT, NO_ADDRESS, PROXY } from "../../src/http/forwarded-chain.ts"
import { ClientIdentity } from "../../src/http/identity.ts"
import { refusals } from "../../src/http/refusal.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { RequestIds, hasSoundId } from "../../src/http/request-id.ts"
import { headRoom, writeRequestHead } from "../../src/h1/request-writer.ts"
import { readRequestHead, readResponseHead } from "../../src/h1/head-reader.ts"
import { putOffer } from "../../src/h1/upgrade.ts"
import { cutResponseHead, writeResponseHead } from "../../src/h1/response-writer.ts"
import { responseFaults } from "../../src/h1/response.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"
import type { Peer } from "./reference-forwarding.ts"
import type { Field } from "./reference-fields.ts"
import type { ChunkedFacts } from "./reference-body.ts"
import type { Limits, Reading, RequestFacts } from "./reference-request.ts"
import type { Framing, ResponseFacts, ResponseLimits } from "./reference-response.ts"

export type Plant = (bytes: Buffer) => void
export const honest: Plant = () => {}

export const limits: Limits = { headBytes: 700, requestLineBytes: 60, fields: 11 }
export const responseLimits: ResponseLimits = { headBytes: 600, fields: 11 }
export const ownHost = "backend:80"

const FROM = 3
const outOfRange = "0\r\n\r\n"

function around(text: string, plant: Plant): { bytes: Buffer; to: number } {
  const bytes = Buffer.from(`\r\n:${text}${outOfRange}`, "latin1")
  const to = bytes.length - outOfRange.length
  plant(bytes.subarray(FROM, to))
  return { bytes, to }
}

interface Section {
  readonly count: number
  readonly starts: Int32Array
  readonly nameEnds: Int32Array
  readonly valueStarts: Int32Array
  readonly valueEnds: Int32Array
}

function fieldsOf(bytes: Buffer, section: Section): Field[] {
  return Array.from({ length: section.count }, (_, i) => [
    bytes.toString("latin1", section.starts[i], section.nameEnds[i]),
    bytes.toString("latin1", section.valueStarts[i], section.valueEnds[i]),
  ])
}

/** One head object for all texts: nothing of one may be left for the next. */
const request = new RequestMessage(limits)
const response = new ResponseMessage(responseLimits.fields)

export type RequestReading = Reading<RequestFacts & { readonly forwarded: readonly string[] }>

export function readOurRequest(
  text: string,
  plant: Plant,
  peers: readonly Peer[],
  bareLf = false,
): RequestReading {
  const { bytes: received, to } = around(text, plant)
  const end = readRequestHead(received.subarray(0, to), FROM, limits, bareLf, request)
  const { bytes } = request
  if (end === 0) return { verdict: "unfinished" }
  if (end < 0) {
    return { verdict: "refused", reasons: [refusals[-end]?.reason ?? "none"], late: 0 }
  }
  const slice = (from: number, until: number): string => bytes.toString("latin1", from, until)
  const { fields } = request
  return {
    verdict: "accepted",
    length: end - FROM,
    facts: {
      method: slice(request.methodStart, request.methodEnd),
      target: slice(request.targetStart, request.targetEnd),
      minor: request.minor,
      host: request.hostStart < 0 ? null : slice(request.hostStart, request.hostEnd),
      absolutePath: request.absolute ? slice(request.pathStart, request.targetEnd) : null,
      fields: fieldsOf(bytes, fields),
      length: request.contentLength < 0 ? null : request.contentLength,
      chunked: request.chunked,
      keepAlive: request.keepAlive,
      expectsContinue: request.expectContinue,
      maxForwards: request.maxForwards < 0 ? null : request.maxForwards,
      upgrade: request.upgrade < 0 ? null : offered(bytes),
      bindsConnection: request.bindsConnection,
      hops: request.hops,
      idempotent: request.idempotent,
      forwarded: peers.map((peer) => forwarded(bytes, peer)),
    },
  }
}

function offered(bytes: Buffer): string {
  return scratch.toString("latin1", 0, putOffer(bytes, request.fields, scratch, 0))
}

const scratch = Buffer.alloc(headRoom(limits.headBytes))
const ids = new RequestIds(new Uint8Array(20))
/** Addresses that begin with 9 are those of proxies, what begins with a letter is no address. */
const chain = {
  judge: (bytes: Uint8Array, from: number, to: number): number => {
    judged.from = from
    judged.to = to
    if ((bytes[from] ?? 0) > 64) return NO_ADDRESS
    return bytes[from] === 57 ? PROXY : CLIENT
  },
  put: (bytes: Uint8Array, out: Uint8Array, at: number): number => {
    out.set(bytes.subarray(judged.from, judged.to), at)
    return at + judged.to - judged.from
  },
}
const judged = { from: 0, to: 0 }
const hosts = {
  hostLine: null,
  defaultHostLine: Buffer.from(`Host: ${ownHost}\r\n`),
  cookies: null,
}

function forwarded(bytes: Buffer, { address, trusted, forwardedField }: Peer): string {
  const terms = { chain, scheme: "http", forwarded: forwardedField, port: 8080 } as const
  const identity = new ClientIdentity(address, trusted, terms)
  const policy = { requestId: "trusted", via: forwardedField, kept: [ascii("client-ip")] } as const
  const plan = { identity, policy, ids, span: null }
  const id = trusted && hasSoundId(bytes, request.fields) ? 0 : ids.next()
  const length = writeRequestHead(bytes, request, plan, hosts, id, scratch)
  const head = scratch.toString("latin1", 0, length)
  return normal(head).replace(/^X-Request-Id: 0{20}[0-9a-f]{12}$/m, "X-Request-Id: {id}")
}

/** The white space around values is no part of them (RFC 9112 section 5). */
function normal(head: string): string {
  return head.replace(/(?<=\n)([^:\r\n]+):[ \t]*(.*?)[ \t]*(?=\r)/g, "$1: $2")
}

export type ResponseReading = Reading<ResponseFacts & { readonly forwarded: readonly string[] }>

const framings: Readonly<Record<number, Framing>> = {
  [BY_LENGTH]: "length",
  [BY_CHUNKS]: "chunked",
  [BY_CLOSE]: "close",
}
/** By the number of what this hop says. */
export const saysConnection = [null, "close", "keep-alive", "Upgrade"]

export function readOurResponse(
  text: string,
  toHead: boolean,
  plant: Plant,
  bareLf = false,
): ResponseReading {
  const { bytes: received, to } = around(text, plant)
  const { headBytes } = responseLimits
  const end = readResponseHead(received.subarray(0, to), FROM, headBytes, toHead, bareLf, response)
  const { bytes } = response
  if (end === 0) return { verdict: "unfinished" }
  if (end < 0) return { verdict: "refused", reasons: [responseFaults[-end] ?? "none"], late: 0 }
  const { fields, statusStart } = response
  const facts = {
    minor: response.minor,
    status: response.status,
    statusText: bytes.toString("latin1", statusStart, bytes.indexOf("\r\n", statusStart)),
    fields: fieldsOf(bytes, fields),
    framing: framings[response.framing] ?? "none",
    length: response.contentLength < 0 ? null : response.contentLength,
    keepAlive: response.keepAlive,
    bindsConnection: response.bindsConnection,
  }
  const forwarded = [false, true].flatMap((dechunked) => {
    const copy = Buffer.from(bytes)
    const start = response.mustBeWritten ? 0 : cutResponseHead(copy, FROM, response, dechunked)
    const written = saysConnection.map((_, says) =>
      scratch.toString(
        "latin1",
        0,
        writeResponseHead(bytes, response, dechunked, says, null, false, scratch),
      ),
    )
    return [
      response.mustBeWritten ? (written[0] ?? "") : copy.toString("latin1", start, end),
      ...written,
    ]
  })
  return {
    verdict: "accepted",
    length: end - FROM,
    facts: { ...facts, forwarded: forwarded.map(normal) },
  }
}

/** A chunked body in the given pieces; `framed` as in `Body`. What was left over is not fed. */
export function readOurChunked(
  pieces: readonly string[],
  framed: boolean,
  plant: Plant,
  rules: number,
): Reading<ChunkedFacts> {
  const body = new Body()
  body.start(BY_CHUNKS, -1, framed, rules)
  let out = ""
  let length = 0
  for (const piece of pieces) {
    const { bytes, to } = around(piece, plant)
    const end = body.feed(bytes, FROM, to)
    length += end - FROM
    if (body.refusal !== 0) {
      return { verdict: "refused", reasons: [refusals[body.refusal]?.reason ?? "none"], late: 0 }
    }
    out += bytes.toString("latin1", FROM, body.outEnd) + body.tail.toString("latin1")
    if (body.done) return { verdict: "accepted", length, facts: { data: out, forwarded: out } }
  }
  return { verdict: "unfinished" }
}
