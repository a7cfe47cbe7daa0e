/**
 * What the soak's backends serve and its clients expect: both sides know every body by its request alone, so that a
 * byte lost, added or given to another client is seen.
 */
import { createHash } from "node:crypto"

/** Names the exchange; comes back in the response, so that an answer for another client is noticed. */
export const ID = "x-soak-id"

const PERIOD = 65_521
const block = Buffer.alloc(2 * PERIOD)
for (let at = 0, state = 1; at < block.length; at++) {
  if (at % PERIOD === 0) state = 1
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  block[at] = state >>> 16
}

/** `length` bytes that depend on `seed`; at most some MiB. */
export function page(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  const start = seed % PERIOD
  for (let at = 0; at < length; at += PERIOD) {
    block.copy(bytes, at, start, start + Math.min(PERIOD, length - at))
  }
  return bytes
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}
