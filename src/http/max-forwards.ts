/**
 * Max-Forwards (RFC 9110 section 7.6.2): TRACE and OPTIONS say by it how far they may go. Every hop counts it down,
 * and the one that gets 0 answers in the origin's place, so that a path can be walked hop by hop. In requests by
 * other methods it means nothing and passes.
 *
 * Costs nothing for any other method; for these two a scan of the known fields.
 */
import { ascii } from "./bytes.ts"
import type { FieldSection } from "./field-section.ts"
import { HOPS, HOST, MAX_FORWARDS, VIA } from "./fields.ts"
import { TRACE, type RequestMessage } from "./request-message.ts"

/** The largest value that is sent on; the RFC has larger ones cut to it. */
const MOST = 999_999_999

/** What the field says: -1 without one, -2 unless there is one and it is digits alone. */
export function readMaxForwards(bytes: Uint8Array, fields: FieldSection): number {
  let value = -1
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i] ?? 0
    if (fields.kinds[position] !== MAX_FORWARDS) continue
    if (value !== -1) return -2
    value = numberAt(bytes, fields.valueStarts[position] ?? 0, fields.valueEnds[position] ?? 0)
    if (value < 0) return -2
  }
  return value
}

function numberAt(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return -2
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] ?? 0) - 48
    if (digit < 0 || digit > 9) return -2
    // One more than what is sent on, which then is one less.
    value = Math.min(value * 10 + digit, MOST + 1)
  }
  return value
}

/** The line for the next hop. */
export function maxForwardsLine(received: number): Uint8Array {
  return ascii(`Max-Forwards: ${received - 1}\r\n`)
}

/**
 * The answer of the last hop. TRACE gets its request back, but of the fields only those that tell the way: others may
 * be secrets that a proxy in front has added (RFC 9110 section 9.3.8). OPTIONS gets nothing but a yes: what a target
 * allows its backend knows.
 */
export function lastHopAnswer(head: RequestMessage, close: boolean): Buffer {
  const connection = close ? "Connection: close\r\n" : ""
  if (head.method !== TRACE) {
    return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${connection}\r\n`)
  }
  const { bytes, fields } = head
  const lines = [
    bytes.toString("latin1", head.methodStart, head.targetEnd),
    ` HTTP/1.${head.minor}\r\n`,
  ]
  for (let i = 0; i < fields.count; i++) {
    const kind = fields.kinds[i]
    if (kind !== HOST && kind !== VIA && kind !== HOPS && kind !== MAX_FORWARDS) continue
    lines.push(bytes.toString("latin1", fields.starts[i], fields.starts[i + 1]))
  }
  const body = `${lines.join("")}\r\n`
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: ${body.length}\r\n` +
      `${connection}\r\n${body}`,
    "latin1",
  )
}
