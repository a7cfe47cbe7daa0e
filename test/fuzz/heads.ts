/**
 * Fuzzer (a): messages by grammar and mutation, read by src and by the reference. They must agree on accepting and
 * refusing, on every fact, and on every byte that goes on.
 */
import { BLANKS, STRICT } from "../../src/h1/chunked.ts"
import type { Rng } from "../support/until.ts"
import { chunkedBody, rarely, request, response } from "./grammar.ts"
import { mutated } from "./mutation.ts"
import {
  limits,
  ownHost,
  readOurChunked,
  readOurRequest,
  readOurResponse,
  responseLimits,
  saysConnection,
  type Plant,
} from "./ours.ts"
import { readChunked } from "./reference-body.ts"
import { withWholeLineEnds } from "./reference-fields.ts"
import { forwardedRequest, forwardedResponse } from "./reference-forwarding.ts"
import { readRequest, type Reading } from "./reference-request.ts"
import { readResponse } from "./reference-response.ts"

export type MessageKind =
  | "request"
  | "response"
  | "response to HEAD"
  | "chunked"
  | "chunked response"
  | "request by LF"
  | "response by LF"

export interface MessageCase {
  readonly kind: MessageKind
  readonly text: string
}

const peers = [
  { address: "192.0.2.1", trusted: false, forwardedField: false },
  { address: "2001:db8::2", trusted: true, forwardedField: true },
]

/** Characters after which a doomed text must have been refused: nothing waits for a version to end. */
const PATIENCE = 10

export function makeMessage(chance: Rng): MessageCase {
  const kind = chance.pick<MessageKind>([
    "request",
    "request",
    "request",
    "response",
    "response",
    "response to HEAD",
    "chunked",
    "chunked response",
    "request by LF",
    "response by LF",
  ])
  const make = (): string => {
    if (kind === "request") return request(chance)
    if (kind === "request by LF") return withBareLf(request(chance), chance)
    if (kind === "response by LF") return withBareLf(response(chance), chance)
    return kind.startsWith("chunked") ? chunkedBody(chance) : response(chance)
  }
  return { kind, text: mutated(make(), chance, make()) }
}

/** How src and the reference disagree on the message, or null. */
export function disagreement({ kind, text }: MessageCase, plant: Plant): string | null {
  if (kind === "request") return compareRequests(text, false, plant)
  if (kind === "request by LF") return compareRequests(text, true, plant)
  if (kind === "response by LF") return compareResponses(text, false, true, plant)
  if (kind === "chunked") return compareBodies(text, "request", plant)
  if (kind === "chunked response") return compareBodies(text, "response", plant)
  return compareResponses(text, kind === "response to HEAD", false, plant)
}

/** Most often all line ends of the head, sometimes only some of them. */
function withBareLf(text: string, chance: Rng): string {
  const end = text.indexOf("\r\n\r\n", 1) + 4
  const head = text.slice(0, end)
  const some = rarely(chance, 4)
  return (
    head.replace(/\r\n/g, (both) => (some && rarely(chance, 3) ? both : "\n")) + text.slice(end)
  )
}

function compareRequests(text: string, bareLf: boolean, plant: Plant): string | null {
  const ours = readOurRequest(text, plant, peers, bareLf)
  const reference = readRequest(bareLf ? withWholeLineEnds(text) : text, limits)
  if (reference.verdict !== "accepted") return compareVerdicts(ours, reference)
  const { facts } = reference
  const forwarded = peers.map((peer) => forwardedRequest(facts, peer, ownHost))
  return difference(ours, { ...reference, facts: { ...facts, forwarded } })
}

function compareResponses(
  text: string,
  toHead: boolean,
  bareLf: boolean,
  plant: Plant,
): string | null {
  const ours = readOurResponse(text, toHead, plant, bareLf)
  const whole = bareLf ? withWholeLineEnds(text) : text
  const reference = readResponse(whole, toHead, responseLimits)
  if (reference.verdict !== "accepted") return compareVerdicts(ours, reference)
  const { facts } = reference
  const forwarded = [false, true].flatMap((dechunked) =>
    [null, ...saysConnection].map((says) => forwardedResponse(facts, dechunked, says)),
  )
  return difference(ours, { ...reference, facts: { ...facts, forwarded } })
}

function compareBodies(text: string, of: "request" | "response", plant: Plant): string | null {
  const reference = readChunked(text, of)
  for (const framed of [true, false]) {
    const ours = readOurChunked([text], framed, plant, of === "response" ? BLANKS : STRICT)
    if (reference.verdict !== "accepted") {
      const fault = compareVerdicts(ours, reference)
      if (fault !== null) return fault
      continue
    }
    const { data, forwarded } = reference.facts
    const out = framed ? forwarded : data
    const fault = difference(ours, { ...reference, facts: { data: out, forwarded: out } })
    if (fault !== null) return fault
  }
  return null
}

function difference(ours: Reading<object>, reference: Reading<object>): string | null {
  if (Bun.deepEquals(ours, reference)) return null
  const facts = (reading: Reading<object>): object =>
    reading.verdict === "accepted" ? { length: reading.length, ...reading.facts } : reading
  const expected = new Map(Object.entries(facts(reference)))
  const unequal = Object.entries(facts(ours)).filter(
    ([name, value]) => !Bun.deepEquals(value, expected.get(name)),
  )
  return unequal
    .map(([name, value]) => `${name}: ours ${show(value)}, reference ${show(expected.get(name))}`)
    .join("\n")
}

/** The reference does not accept: neither must we, for a reason that is true, and before long. */
function compareVerdicts(ours: Reading<object>, reference: Reading<object>): string | null {
  const agree =
    reference.verdict === "refused" && ours.verdict === "refused"
      ? ours.reasons.every((reason) => reference.reasons.includes(reason))
      : ours.verdict === reference.verdict ||
        (reference.verdict === "refused" &&
          ours.verdict === "unfinished" &&
          reference.late <= PATIENCE)
  return agree ? null : `ours ${show(ours)}, reference ${show(reference)}`
}

function show(value: unknown): string {
  return JSON.stringify(value)
}
