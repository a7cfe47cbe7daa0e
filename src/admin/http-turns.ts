/**
 * The part of the event loop that the admin listener may take: the master also watches its workers, and in
 * single-process mode serves clients. What is done for connections and requests is charged; when the share is used up,
 * the next ones wait until there is time again. Requests that change something wait for each other, too.
 */

/** Of one CPU. */
const SHARE = 1 / 4
/** May be used at once after a calm time. */
const BURST_MS = 50
/** What the runtime takes to receive a request and to send an answer, besides what is measured. */
const REQUEST_MS = 0.03
/** A change takes its time in many steps; a longer one mostly waits for workers. */
const CHANGE_MS = 5

/** Changes that are under way at the same time. */
const MOST_CHANGES = 4

export class Turns {
  readonly #mostWaiting: number
  readonly #share: number
  readonly #burstMs: number
  #leftMs: number
  #countedAt = performance.now()
  #changes = 0
  readonly #waiting: (() => void)[] = []
  readonly #waitingChanges: (() => void)[] = []
  #scheduled = false

  /** `mostWaiting`: changes that may wait for others. */
  constructor(mostWaiting: number, share: number = SHARE, burstMs: number = BURST_MS) {
    this.#mostWaiting = mostWaiting
    this.#share = share
    this.#burstMs = burstMs
    this.#leftMs = burstMs
  }

  charge(ms: number): void {
    this.#leftMs -= ms
  }

  /** The share is used up for now. */
  get isSpent(): boolean {
    const now = performance.now()
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + (now - this.#countedAt) * this.#share)
    this.#countedAt = now
    return this.#leftMs < 0
  }

  get #isFree(): boolean {
    return this.#waiting.length === 0 && !this.isSpent
  }

  /** Resolves when there is time for one more, in the order of the calls. */
  async next(): Promise<void> {
    if (this.#isFree) return
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.isSpent) setTimeout(this.#goOn, Math.max(1, -this.#leftMs / this.#share))
    else setImmediate(this.#goOn)
  }

  /** One at a time: what it takes is known only when it has been done. */
  readonly #goOn = (): void => {
    this.#scheduled = false
    if (!this.isSpent) this.#waiting.shift()?.()
    if (this.#waiting.length > 0) this.#schedule()
  }

  /**
   * Runs `work` and charges what it takes before it first waits. `isChange`: at most a few of those at once. Null when
   * too many wait for those.
   */
  async run<T>(isChange: boolean, work: () => Promise<T>): Promise<T | null> {
    if (isChange && this.#waitingChanges.length >= this.#mostWaiting) return null
    if (isChange) await this.#enter()
    try {
      // Without a pause between the look and the work, or all who ask at the same time would find it free.
      if (!this.#isFree) await this.next()
      const began = performance.now()
      const outcome = work()
      this.charge(performance.now() - began + REQUEST_MS)
      if (!isChange) return await outcome
      return await outcome.finally(() =>
        this.charge(Math.min(performance.now() - began, CHANGE_MS)),
      )
    } finally {
      if (isChange) this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#changes < MOST_CHANGES) this.#changes++
    else await new Promise<void>((resolve) => void this.#waitingChanges.push(resolve))
  }

  /** The place goes to the next one, if there is one. */
  #leave(): void {
    const next = this.#waitingChanges.shift()
    if (next === undefined) this.#changes--
    else next()
  }
}
