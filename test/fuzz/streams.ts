/**
 * Fuzzer (b): a stream of messages, read whole and cut in pieces, must give the same transcript, which for requests
 * must be the one that the reference gives. `PartialHead`, the scanners and `Body` are put together here as the
 * connections do it.
 */
import { Body } from "../../src/h1/body.ts"
import { BY_CHUNKS, BY_LENGTH, NO_BODY } from "../../src/http/framing.ts"
import { PartialHead } from "../../src/h1/partial-head.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { scanRequest } from "../../src/h1/request.ts"
import { scanResponse } from "../../src/h1/response.ts"
import { ResponseMessage } from "../../src/http/response-message.ts"
import type { Rng } from "../support/until.ts"
import { rarely, request, response } from "./grammar.ts"
import { mutated } from "./mutation.ts"
import { limits, responseLimits } from "./ours.ts"
import { readChunked } from "./reference-body.ts"
import { readRequest } from "./reference-request.ts"

export type StreamKind = "requests" | "responses"

export interface StreamCase {
  readonly kind: StreamKind
  readonly text: string
}

/** What is gathered between scans; a canary puts a worse one in its place. */
export type Gatherer = Pick<PartialHead, "add" | "bytes">
export type MakeGatherer = (bytes: Buffer, from: number, to: number, limit: number) => Gatherer

export const gather: MakeGatherer = (bytes, from, to, limit) =>
  new PartialHead(bytes, from, to, limit)

/** The canary: looks only into the new piece for the end of a line, so an end cut in two is not seen. */
export const gatherForgetfully: MakeGatherer = (bytes, from, to, limit) => {
  const honest = gather(bytes, from, to, limit)
  return {
    add: (piece) => honest.add(piece) && piece.includes("\r\n"),
    get bytes() {
      return honest.bytes
    },
  }
}

export function makeStream(chance: Rng): StreamCase {
  const kind = chance.pick<StreamKind>(["requests", "requests", "responses"])
  const make = kind === "requests" ? request : response
  let text = ""
  for (let count = chance.between(1, 3); count > 0; count--) {
    text += rarely(chance, 3) ? mutated(make(chance), chance, make(chance)) : make(chance)
  }
  return { kind, text }
}

/** The text in pieces, most of them small. */
export function pieces(text: string, chance: Rng): string[] {
  const longest = chance.pick([1, 2, 5, 40, 400])
  const parts: string[] = []
  for (let at = 0; at < text.length;) {
    const length = chance.between(1, longest)
    parts.push(text.slice(at, at + length))
    at += length
  }
  return parts
}

interface Head {
  readonly end: number
  readonly note: string
  readonly framing: number
  readonly length: number
}

type Scan = (bytes: Buffer, from: number) => Head

const requestHead = new RequestMessage(limits)
const responseHead = new ResponseMessage(responseLimits.fields)

function scanOneRequest(bytes: Buffer, from: number): Head {
  const end = scanRequest(bytes, from, bytes.length, limits, requestHead)
  const { methodStart, targetEnd, contentLength, chunked } = requestHead
  return {
    end,
    note: end > 0 ? bytes.toString("latin1", methodStart, targetEnd) : "",
    framing: chunked ? BY_CHUNKS : contentLength > 0 ? BY_LENGTH : NO_BODY,
    length: contentLength,
  }
}

function scanOneResponse(bytes: Buffer, from: number): Head {
  const { headBytes } = responseLimits
  const end = scanResponse(bytes, from, bytes.length, headBytes, false, responseHead)
  const { status, framing, contentLength } = responseHead
  return { end, note: end > 0 ? String(status) : "", framing, length: contentLength }
}

/** Reads the pieces as a connection does. Each message is a line: its start, what went on, how it ended. */
export function transcribe(kind: StreamKind, parts: readonly string[], make: MakeGatherer): string {
  const scan: Scan = kind === "requests" ? scanOneRequest : scanOneResponse
  const limit = kind === "requests" ? limits.headBytes : responseLimits.headBytes
  const body = new Body()
  const lines: string[] = []
  let partial: Gatherer | null = null
  for (const part of parts) {
    let bytes: Buffer = Buffer.from(part, "latin1")
    let from = 0
    if (partial !== null) {
      if (!partial.add(bytes)) continue
      bytes = partial.bytes
    }
    while (from < bytes.length) {
      if (body.done) {
        const head = scan(bytes, from)
        if (head.end < 0) return [...lines, "refused"].join("\n")
        if (head.end === 0) {
          if (partial === null || from > 0) partial = make(bytes, from, bytes.length, limit)
          break
        }
        partial = null
        lines.push(`${head.note} `)
        body.start(head.framing, head.length, true)
        from = head.end
        if (body.done) continue
      }
      const used = body.feed(bytes, from, bytes.length)
      if (body.refusal !== 0) return [...lines, "refused"].join("\n")
      const out = bytes.toString("latin1", from, body.outEnd) + body.tail.toString("latin1")
      lines[lines.length - 1] += JSON.stringify(out).slice(1, -1)
      from = used
    }
  }
  return [...lines, body.done && partial === null ? "at rest" : "unfinished"].join("\n")
}

/** The same by the reference, for requests, up to the end of the last message that is whole. */
function referenceTranscript(text: string): string {
  const lines: string[] = []
  let rest = text
  while (rest !== "") {
    const head = readRequest(rest, limits)
    if (head.verdict !== "accepted") return [...lines, head.verdict].join("\n")
    const { method, target, chunked, length } = head.facts
    rest = rest.slice(head.length)
    let body = rest.slice(0, length ?? 0)
    let used = length ?? 0
    if (chunked) {
      const reading = readChunked(rest)
      if (reading.verdict !== "accepted") return [...lines, reading.verdict].join("\n")
      body = reading.facts.forwarded
      used = reading.length
    }
    if (used > rest.length) return [...lines, "unfinished"].join("\n")
    lines.push(`${method} ${target} ${JSON.stringify(body).slice(1, -1)}`)
    rest = rest.slice(used)
  }
  return [...lines, "at rest"].join("\n")
}

/** How the transcripts of the stream differ, or null. */
export function divergence(
  { kind, text }: StreamCase,
  cuts: readonly (readonly string[])[],
  make: MakeGatherer,
): string | null {
  const whole = transcribe(kind, [text], make)
  if (kind === "requests") {
    const reference = referenceTranscript(text)
    if (!agree(whole, reference)) return `ours:\n${whole}\nreference:\n${reference}`
  }
  for (const parts of cuts) {
    const cut = transcribe(kind, parts, make)
    // What came in pieces is judged when its line has ended, and not before.
    const late = cut.endsWith("unfinished") && whole.endsWith("refused")
    if (late && sameOutcome(transcribe(kind, [...parts, "\r\n"], make), whole)) continue
    if (!sameOutcome(cut, whole)) {
      return `whole:\n${whole}\ncut into ${JSON.stringify(parts)}:\n${cut}`
    }
  }
  return null
}

/** Of a message that is refused, more of its body may have gone on when it came in pieces. */
function sameOutcome(cut: string, whole: string): boolean {
  if (cut === whole || withoutLastChunk(cut) === withoutLastChunk(whole)) return true
  const cutLines = cut.split("\n")
  const wholeLines = whole.split("\n")
  const refused = cutLines.pop() === "refused" && wholeLines.pop() === "refused"
  const last = cutLines.pop() ?? ""
  return (
    refused &&
    cutLines.length + 1 === wholeLines.length &&
    Bun.deepEquals(cutLines, wholeLines.slice(0, -1)) &&
    last.startsWith(wholeLines.at(-1) ?? "")
  )
}

/** The last chunk of a body that is not whole: when it is cut in two it waits for the end. */
function withoutLastChunk(transcript: string): string {
  return transcript.replace(/(?<=\\r\\n| )0(\\r(\\n(\\r)?)?)?(?=\n(unfinished|refused)$)/, "")
}

/** The reference tells nothing of a last message that is not whole. */
function agree(ours: string, reference: string): boolean {
  if (ours === reference) return true
  const ourLines = ours.split("\n")
  const lines = reference.split("\n")
  const verdict = lines.pop()
  const ourVerdict = ourLines.pop()
  const begun = ourLines.length - lines.length
  return (
    (ourVerdict === verdict || (verdict === "refused" && ourVerdict === "unfinished")) &&
    (begun === 0 || begun === 1) &&
    Bun.deepEquals(ourLines.slice(0, lines.length), lines)
  )
}
