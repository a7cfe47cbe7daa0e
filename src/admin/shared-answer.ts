/**
 * One answer for all who ask for the same figures at the same time: they are of a moment after the question, and made
 * once for everybody who waits. A flood of questions costs a few answers a second, in the master and in the workers
 * that have to be asked; beyond what may wait, who asks is told to come again.
 */

/** Answers in quick succession, for people and programs that ask for one after the other. */
const BURST = 20
const EVERY_MS = 100

export interface Sharing {
  readonly burst: number
  readonly everyMs: number
  /** Each of them holds a connection, and the answer is written to each. */
  readonly mostWaiting: number
}

export class SharedAnswer<T> {
  readonly #make: () => Promise<T>
  readonly #sharing: Sharing
  /** Answers that may be made at once; may be a fraction. */
  #left: number
  #countedAt = performance.now()
  #running: Promise<unknown> = Promise.resolve()
  /** Not begun yet. */
  #next: Promise<T> | null = null
  #waiting = 0

  constructor(make: () => Promise<T>, sharing: Partial<Sharing> = {}) {
    this.#make = make
    this.#sharing = { burst: BURST, everyMs: EVERY_MS, mostWaiting: Infinity, ...sharing }
    this.#left = this.#sharing.burst
  }

  /** Null when too many wait. Rejects as the making does. */
  ask(): Promise<T> | null {
    if (this.#waiting >= this.#sharing.mostWaiting) return null
    this.#waiting++
    this.#next ??= this.#begin()
    return this.#next.finally(() => this.#waiting--)
  }

  async #begin(): Promise<T> {
    await this.#running
    await this.#turn()
    this.#next = null
    const answer = this.#make()
    this.#running = answer.catch(() => {})
    return await answer
  }

  /** Waits until one more may be made. */
  async #turn(): Promise<void> {
    const { burst, everyMs } = this.#sharing
    const now = performance.now()
    this.#left = Math.min(burst, this.#left + (now - this.#countedAt) / everyMs)
    this.#countedAt = now
    this.#left -= 1
    if (this.#left < 0) await Bun.sleep(-this.#left * everyMs)
  }
}
