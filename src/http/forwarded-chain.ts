/**
 * The chain of X-Forwarded-For, on bytes. Every trusted hop vouches only for the one before it, so the list is read
 * from its end, and the first address that is not trusted is the client; entries left of it may be
 * forged. Something that is no address ends the walk: the last trusted hop then counts as the client. Empty members
 * (a trailing comma, `a, , b`) mean nothing in a list (RFC 9110 section 5.6.1) and are skipped.
 *
 * Cost: one pass over the members that are looked at; nothing is allocated.
 */
import { COMMA, SP, copyRange } from "./bytes.ts"
import { type FieldSection, beforeBlanks, pastBlanks } from "./field-section.ts"
import { FORWARDED_FOR } from "./fields.ts"

/** What a member is. */
export const NO_ADDRESS = 0
export const CLIENT = 1
export const PROXY = 2

/** Knows which addresses are those of trusted proxies. */
export interface TrustedChain {
  /** Judges `bytes[from..to)`: `NO_ADDRESS`, `CLIENT` or `PROXY`. */
  judge(bytes: Uint8Array, from: number, to: number): number
  /** Writes the address judged last, without port, brackets and zone, and returns the offset after it. */
  put(bytes: Uint8Array, out: Uint8Array, at: number): number
}

/** Bounds of the member that the last walk took for the client; `from` is -1 when there is none. */
const client = { from: -1, to: -1 }

/** Walks the members of `bytes[from..to)` from the right. Returns whether to go on left of it. */
function walk(bytes: Uint8Array, from: number, to: number, chain: TrustedChain): boolean {
  let end = to
  while (end >= from) {
    let start = end
    while (start > from && bytes[start - 1] !== COMMA) start--
    const first = pastBlanks(bytes, start, end)
    const last = beforeBlanks(bytes, first, end)
    end = start - 1
    if (first === last) continue
    const verdict = chain.judge(bytes, first, last)
    if (verdict === NO_ADDRESS) return false
    client.from = first
    client.to = last
    if (verdict === CLIENT) return false
  }
  return true
}

/** Writes the client that the fields name, and returns the offset after it; `at` when they name none. */
export function putClient(
  bytes: Uint8Array,
  fields: FieldSection,
  chain: TrustedChain,
  out: Uint8Array,
  at: number,
): number {
  client.from = -1
  for (let i = fields.knownCount - 1; i >= 0; i--) {
    const position = fields.known[i] ?? 0
    if (fields.kinds[position] !== FORWARDED_FOR) continue
    const from = fields.valueStarts[position] ?? 0
    if (!walk(bytes, from, fields.valueEnds[position] ?? from, chain)) break
  }
  if (client.from < 0) return at
  chain.judge(bytes, client.from, client.to)
  return chain.put(bytes, out, at)
}

/** The client that a complete chain names, for callers without the fields; null when it names none. */
export function clientIn(text: string, chain: TrustedChain): string | null {
  const bytes = Buffer.from(text, "latin1")
  client.from = -1
  walk(bytes, 0, bytes.length, chain)
  if (client.from < 0) return null
  const out = Buffer.alloc(64)
  chain.judge(bytes, client.from, client.to)
  return out.toString("latin1", 0, chain.put(bytes, out, 0))
}

/** Writes the members of all fields, each with a comma behind it, and returns the offset after them. */
export function putMembers(
  bytes: Buffer,
  fields: FieldSection,
  out: Buffer,
  start: number,
): number {
  let at = start
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i] ?? 0
    if (fields.kinds[position] !== FORWARDED_FOR) continue
    let from = fields.valueStarts[position] ?? 0
    const end = fields.valueEnds[position] ?? from
    for (let stop = from; stop <= end; stop++) {
      if (stop < end && bytes[stop] !== COMMA) continue
      const first = pastBlanks(bytes, from, stop)
      const last = beforeBlanks(bytes, first, stop)
      from = stop + 1
      if (first === last) continue
      at = copyRange(bytes, first, last, out, at)
      out[at++] = COMMA
      out[at++] = SP
    }
  }
  return at
}
