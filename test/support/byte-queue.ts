/**
 * The bytes that have arrived and nobody has taken yet, in one growing piece of memory, so that a test can
 * look for a pattern over any number of reads. Adding and taking cost one copy each.
 */
export class ByteQueue {
  #memory = Buffer.alloc(4096)
  #start = 0
  #end = 0

  get length(): number {
    return this.#end - this.#start
  }

  /** A view of what waits: valid until the next `add`. */
  peek(): Buffer {
    return this.#memory.subarray(this.#start, this.#end)
  }

  add(bytes: Uint8Array): void {
    if (this.#memory.length - this.#end < bytes.length) this.#makeRoom(bytes.length)
    this.#memory.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** The next `length` bytes as a copy of their own. */
  take(length: number): Buffer {
    const taken = Buffer.from(this.peek().subarray(0, length))
    this.#start += taken.length
    if (this.#start === this.#end) this.#start = this.#end = 0
    return taken
  }

  #makeRoom(length: number): void {
    const waiting = this.length
    const fits = this.#memory.length - waiting >= length && this.#start >= waiting
    const memory = fits
      ? this.#memory
      : Buffer.alloc(Math.max(this.#memory.length, waiting + length) * 2)
    memory.set(this.peek(), 0)
    this.#memory = memory
    this.#start = 0
    this.#end = waiting
  }
}
