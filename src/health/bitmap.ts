/**
 * One bit for each backend: which are healthy, draining, eligible or already tried. Asked on
 * failover and on every change of health, 32 backends at a time where all are asked.
 */
export class HealthBitmap {
  readonly size: number
  readonly #words: Uint32Array

  constructor(size: number) {
    this.size = size
    this.#words = new Uint32Array(Math.ceil(size / 32))
  }

  has(index: number): boolean {
    return (this.#words[index >>> 5] & (1 << (index & 31))) !== 0
  }

  set(index: number): void {
    this.#words[index >>> 5] |= 1 << (index & 31)
  }

  clear(index: number): void {
    this.#words[index >>> 5] &= ~(1 << (index & 31))
  }

  /** Sets every bit, or clears every bit. */
  fill(value: boolean): void {
    this.#words.fill(value ? 0xffff_ffff : 0)
    // The bits beyond the last backend stay clear, so that they never count.
    const used = this.size & 31
    if (value && used !== 0) this.#words[this.#words.length - 1] = (1 << used) - 1
  }

  /** The number of bits that are set. */
  count(): number {
    let count = 0
    for (const word of this.#words) count += ones(word)
    return count
  }
}

/** Adds neighbouring bits up in ever wider fields (Warren, Hacker's Delight, section 5-1). */
function ones(word: number): number {
  word -= (word >>> 1) & 0x5555_5555
  word = (word & 0x3333_3333) + ((word >>> 2) & 0x3333_3333)
  return Math.imul((word + (word >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
