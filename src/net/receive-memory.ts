/**
 * Where direct sockets receive. There is one such memory for all of them, because what is received is dealt with, or
 * copied, before the next receive.
 */
import { ptr } from "bun:ffi"

/** Bytes that one receive can bring. */
export const RECEIVE_SIZE = 256 * 1024
/** Views up to this length are made once and kept. */
const KEPT_VIEWS = 4096

const memory = new ArrayBuffer(RECEIVE_SIZE)
const views: (Buffer | undefined)[] = Array.from({ length: KEPT_VIEWS })

export const RECEIVE_ADDRESS: number = ptr(new Uint8Array(memory))

const whole = Buffer.from(memory)

/** `bytes[from..to)` for longer than this event: a copy if they lie here, else as they are. */
export function lasting(bytes: Buffer, from: number, to: number): Buffer {
  const part = bytes.subarray(from, to)
  return bytes.buffer === memory ? Buffer.from(part) : part
}

/** The first `length` bytes of it. */
export function receivedBytes(length: number): Buffer {
  if (length >= KEPT_VIEWS) return whole.subarray(0, length)
  return (views[length] ??= Buffer.from(memory, 0, length))
}
