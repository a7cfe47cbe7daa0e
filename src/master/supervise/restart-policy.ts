/**
 * When a dead worker starts again: at once, so that a single crash costs nothing; but one that dies young again
 * and again waits longer each time, so that a crash loop does not eat the CPUs that the others serve with.
 */

/** Dead sooner than this after its start, a worker died young. */
const YOUNG_MS = 10_000
/** Young deaths in a row that are forgiven. */
const FORGIVEN = 2
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 10_000

export class RestartPolicy {
  #youngDeaths = 0

  /** Milliseconds to wait before the next start of a worker that lived for `livedMs`. */
  delayAfter(livedMs: number): number {
    if (livedMs >= YOUNG_MS) {
      this.#youngDeaths = 0
      return 0
    }
    this.#youngDeaths++
    if (this.#youngDeaths <= FORGIVEN) return 0
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#youngDeaths - FORGIVEN - 1))
  }
}
