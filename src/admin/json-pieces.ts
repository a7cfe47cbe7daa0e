/**
 * JSON of something large, made in pieces between which the event loop turns: a status of a thousand backends takes
 * milliseconds, in which the loop would do nothing else. The pieces together are what `JSON.stringify` gives.
 */
import { Slices } from "../core/slices.ts"

/** Elements of an array that are written without a look at the clock. */
const STRIDE = 16
/** How deep the arrays lie that may be long. */
const DEPTH = 2

const encoder = new TextEncoder()

export async function jsonPieces(value: object): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  const slices = new Slices(true)
  let text = ""
  for (const part of parts(value, DEPTH)) {
    text += part
    if (!slices.isOver) continue
    pieces.push(encoder.encode(text))
    text = ""
    await slices.rest()
  }
  pieces.push(encoder.encode(text))
  return pieces
}

function* parts(value: unknown, depth: number): Generator<string> {
  if (depth < 0 || typeof value !== "object" || value === null) yield JSON.stringify(value)
  else if (Array.isArray(value)) yield* elements(value)
  else yield* fields(value, depth)
}

function* fields(value: object, depth: number): Generator<string> {
  let mark = "{"
  for (const [name, each] of Object.entries(value)) {
    if (each === undefined) continue
    yield `${mark}${JSON.stringify(name)}:`
    yield* parts(each, depth - 1)
    mark = ","
  }
  yield mark === "{" ? "{}" : "}"
}

function* elements(value: readonly unknown[]): Generator<string> {
  yield "["
  for (let from = 0; from < value.length; from += STRIDE) {
    const some = JSON.stringify(value.slice(from, from + STRIDE)).slice(1, -1)
    yield from === 0 ? some : `,${some}`
  }
  yield "]"
}
