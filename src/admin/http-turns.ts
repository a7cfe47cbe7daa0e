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
/** For those who have waited, between two turns of the loop. */
const TURN_MS = 2
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

  /** Charges what `work` takes before it returns. */
  measure<T>(work: () => T): T {
    const began = processorMs()
    const outcome = work()
    this.charge(processorMs() - began)
    return outcome
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

  /** Each is charged before the next one begins. */
  readonly #goOn = (): void => {
    this.#scheduled = false
    const until = performance.now() + TURN_MS
    while (this.#waiting.length > 0 && !this.isSpent && performance.now() < until) {
      this.#waiting.shift()?.()
    }
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
      const began = processorMs()
      const outcome = this.#begin(work)
      if (!isChange) return await outcome
      return await outcome.finally(() => this.charge(Math.min(processorMs() - began, CHANGE_MS)))
    } finally {
      if (isChange) this.#leave()
    }
  }

  /** Begins at once where it may: with a pause before, all who ask at the same time would find the loop free. */
  #begin<T>(work: () => Promise<T>): Promise<T> {
    const begin = (): Promise<T> => {
      this.charge(REQUEST_MS)
      return this.measure(work)
    }
    if (this.#isFree) return begin()
    return new Promise<T>((resolve) => {
      this.#waiting.push(() => resolve(begin()))
      this.#schedule()
    })
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

/** What this process has had of the processors: time in which other processes had them is nobody's fault here. */
function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
