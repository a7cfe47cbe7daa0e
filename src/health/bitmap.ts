/**
 * One bit for each backend: which are healthy, draining, eligible or already tried. Asked on
 * failover and on every change of health, 32 backends at a time where all are asked. Backends may
 * join while it lives: setting a bit beyond the end makes room for it.
 */
export class HealthBitmap {
  size: number
  #words: Uint32Array

  constructor(size: number) {
    this.size = size
    this.#words = new Uint32Array(Math.ceil(size / 32))
  }

  has(index: number): boolean {
    return (this.#wordOf(index) & (1 << (index & 31))) !== 0
  }

  set(index: number): void {
    if (index >= this.size) this.#grow(index + 1)
    this.#words[index >>> 5] = this.#wordOf(index) | (1 << (index & 31))
  }

  clear(index: number): void {
    this.#words[index >>> 5] = this.#wordOf(index) & ~(1 << (index & 31))
  }

  /** No bit is set beyond the end. */
  #wordOf(index: number): number {
    return this.#words[index >>> 5] ?? 0
  }

  #grow(size: number): void {
    this.size = size
    const words = Math.ceil(size / 32)
    if (words <= this.#words.length) return
    const wider = new Uint32Array(Math.max(words, this.#words.length * 2))
    wider.set(this.#words)
    this.#words = wider
  }

  /** Sets every bit, or clears every bit. */
  fill(value: boolean): void {
    this.#words.fill(0)
    if (!value) return
    const whole = this.size >>> 5
    this.#words.fill(0xffff_ffff, 0, whole)
    // The bits beyond the last backend stay clear, so that they never count.
    const used = this.size & 31
    if (used !== 0) this.#words[whole] = (1 << used) - 1
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
