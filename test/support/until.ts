/**
 * Waiting without hoping, and chance without surprise: a test polls for the condition it means, with a limit
 * and a name for what never came, and draws its random numbers from a seed that it can print.
 */

/** How long a test waits for anything that should happen at once. */
export const PATIENCE_MS = 5000

const POLL_MS = 5

/** Resolves with the first truthy value of `condition`; fails after `ms` naming `what`. */
export async function until<T>(
  condition: () => T | Promise<T>,
  ms: number,
  what: string,
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain for ${what}`)
    await Bun.sleep(POLL_MS)
  }
}

export interface Rng {
  /** In [0, 1). */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  pick<T>(items: readonly [T, ...T[]]): T
  bytes(length: number): Buffer
}

/** Mulberry32: the same seed gives the same numbers on every machine. */
export function rng(seed: number): Rng {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    pick: (items) => items[between(0, items.length - 1)] ?? items[0],
    bytes: (length) => {
      const bytes = Buffer.alloc(length)
      for (let index = 0; index < length; index++) bytes[index] = between(0, 255)
      return bytes
    },
  }
}
