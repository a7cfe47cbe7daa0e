/**
 * Copies of what was received and is needed for longer than the event that brought it: the request in flight, which
 * may have to be sent again.
 *
 * Cost: a copy. Heads of common size go into blocks that are used again and again, so nothing is allocated in the
 * steady state.
 */
const BLOCK = 2048
/** Blocks at hand, at most. */
const SPARE = 256

const spare: Buffer[] = []

/** Memory that begins with `bytes[from..to)`, the caller's until `letGo`. */
export function keepBytes(bytes: Buffer, from: number, to: number): Buffer {
  const length = to - from
  const block = length > BLOCK ? null : (spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK))
  const kept = block ?? Buffer.allocUnsafeSlow(length)
  bytes.copy(kept, 0, from, to)
  return kept
}

/** Once for each `keepBytes`. */
export function letGo(kept: Buffer): void {
  if (kept.length === BLOCK && spare.length < SPARE) spare.push(kept)
}
