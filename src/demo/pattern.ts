/**
 * Bytes that anyone can foretell, so that a download can be checked without keeping what was sent: byte `n` depends
 * on `n` alone. The period is a prime, so that a block lost, repeated or shifted never looks right by chance.
 */
const PERIOD = 65_521

const block = layOut()

function layOut(): Uint8Array {
  const bytes = new Uint8Array(PERIOD)
  let state = 1
  for (let index = 0; index < PERIOD; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = state >>> 16
  }
  return bytes
}

/** A view of the pattern from byte `offset` on: as much of `length` as lies in one period. */
export function patternAt(offset: number, length: number): Uint8Array {
  const start = offset % PERIOD
  return block.subarray(start, Math.min(start + length, PERIOD))
}
