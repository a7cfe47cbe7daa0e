/**
 * HTTP/1.1 messages read as strictly as the RFCs write them (9112), so that a test notices when a balancer is
 * merely almost right. Shares no code with src: a wrong idea there must not be confirmed by the same wrong idea.
 */
import type { Wire } from "./wire.ts"

export type Field = readonly [name: string, value: string]

export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage"
}

export interface Head {
  /** The exact bytes, with the empty line. */
  readonly bytes: Buffer
  readonly startLine: string
  readonly fields: readonly Field[]
}

export interface Body {
  readonly body: Buffer
  /** As it came: with chunk sizes and trailers. */
  readonly bytes: Buffer
  readonly trailers: readonly Field[]
  readonly framing: "none" | "length" | "chunked" | "close"
}

const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[^\x00-\x08\x0a-\x1f\x7f])*?)[ \t]*$/

/** All values of a field, in their order. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  const wanted = name.toLowerCase()
  return fields.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value)
}

/** The values of a field joined by ", ", or null when it is not there. */
export function fieldOf(fields: readonly Field[], name: string): string | null {
  const values = valuesOf(fields, name)
  return values.length === 0 ? null : values.join(", ")
}

export async function receiveHead(wire: Wire, ms: number): Promise<Head> {
  const bytes = await wire.receiveUntil("\r\n\r\n", ms)
  const [startLine = "", ...lines] = bytes.toString("latin1").slice(0, -4).split("\r\n")
  if (/[\x00-\x1f\x7f]/.test(startLine))
    throw new MalformedMessage(`start line ${quote(startLine)}`)
  return { bytes, startLine, fields: lines.map(parseField) }
}

function parseField(line: string): Field {
  const match = fieldLine.exec(line)
  if (match === null) throw new MalformedMessage(`field line ${quote(line)}`)
  return [match[1] ?? "", match[2] ?? ""]
}

/** The body that the fields announce; `unframed` says what it means when they announce none. */
export async function receiveBody(
  wire: Wire,
  fields: readonly Field[],
  unframed: "none" | "close",
  ms: number,
): Promise<Body> {
  const codings = valuesOf(fields, "transfer-encoding")
  const lengths = valuesOf(fields, "content-length")
  if (codings.length > 0 && lengths.length > 0) throw new MalformedMessage("length and coding")
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") {
      throw new MalformedMessage(`transfer coding ${quote(codings.join(", "))}`)
    }
    return receiveChunked(wire, ms)
  }
  if (lengths.length > 0) {
    const [length = ""] = lengths
    if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) {
      throw new MalformedMessage(`content length ${quote(lengths.join(" | "))}`)
    }
    const body = await wire.receiveBytes(Number(length), ms)
    return { body, bytes: body, trailers: [], framing: "length" }
  }
  const body = unframed === "none" ? Buffer.alloc(0) : await wire.receiveRest(ms)
  return { body, bytes: body, trailers: [], framing: unframed }
}

async function receiveChunked(wire: Wire, ms: number): Promise<Body> {
  const raw: Buffer[] = []
  const pieces: Buffer[] = []
  const trailers: Field[] = []
  const line = async (): Promise<string> => {
    const bytes = await wire.receiveUntil("\r\n", ms)
    raw.push(bytes)
    return bytes.toString("latin1").slice(0, -2)
  }
  for (;;) {
    const size = await line()
    if (!/^[0-9A-Fa-f]{1,8}$/.test(size)) throw new MalformedMessage(`chunk size ${quote(size)}`)
    const length = Number.parseInt(size, 16)
    if (length === 0) break
    const chunk = await wire.receiveBytes(length + 2, ms)
    raw.push(chunk)
    if (chunk.toString("latin1", length) !== "\r\n") throw new MalformedMessage("chunk end")
    pieces.push(chunk.subarray(0, length))
  }
  for (let trailer = await line(); trailer !== ""; trailer = await line()) {
    trailers.push(parseField(trailer))
  }
  return { body: Buffer.concat(pieces), bytes: Buffer.concat(raw), trailers, framing: "chunked" }
}

export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200))
}
