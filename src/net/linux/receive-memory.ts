/**
 * Where direct sockets receive. There is one such memory for all of them, because what is received is dealt with, or
 * copied, before the next receive.
 */
import { ptr } from "bun:ffi"

/** Bytes that one receive can bring. */
export const RECEIVE_SIZE = 256 * 1024
/** Views below this length are made once and kept. */
const SHORT = 4096
/**
 * Longer views that are kept, at most. TCP brings most of a body in multiples of a segment, so a few hundred lengths
 * come again and again; whoever makes all lengths pays for a view each, and memory stays bounded (about 2 MB).
 */
const LONG_VIEWS = 16_384

const memory = new ArrayBuffer(RECEIVE_SIZE)
const views: (Buffer | undefined)[] = Array.from({ length: SHORT })
const longViews = new Map<number, Buffer>()

export const RECEIVE_ADDRESS: number = ptr(new Uint8Array(memory))

/** `bytes[from..to)` for longer than this event: a copy if they lie here, else as they are. */
export function lasting(bytes: Buffer, from: number, to: number): Buffer {
  const part = bytes.subarray(from, to)
  return bytes.buffer === memory ? Buffer.from(part) : part
}

/** The first `length` bytes of it. */
export function receivedBytes(length: number): Buffer {
  if (length < SHORT) return (views[length] ??= Buffer.from(memory, 0, length))
  const known = longViews.get(length)
  if (known !== undefined) return known
  const view = Buffer.from(memory, 0, length)
  if (longViews.size === LONG_VIEWS) longViews.clear()
  longViews.set(length, view)
  return view
}
