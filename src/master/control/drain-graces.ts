/**
 * For how long clients whose sticky cookie names a draining backend may still come to it. One timer a backend; when it
 * ends, `onEnd` hears of it.
 */
import type { Milliseconds } from "../../config/schema/settings.ts"
import { processClock } from "../../core/clock.ts"

interface Grace {
  readonly timer: Timer
  readonly endsAt: Milliseconds
}

export class DrainGraces {
  readonly #onEnd: (name: string) => void
  readonly #all = new Map<string, Grace>()

  constructor(onEnd: (name: string) => void) {
    this.#onEnd = onEnd
  }

  allow(name: string, ms: Milliseconds): void {
    this.cancel(name)
    const timer = setTimeout(() => this.#onEnd(name), ms)
    this.#all.set(name, { timer, endsAt: processClock.now() + ms })
  }

  cancel(name: string): void {
    clearTimeout(this.#all.get(name)?.timer)
    this.#all.delete(name)
  }

  /** What is left of each. */
  left(): [string, Milliseconds][] {
    const now = processClock.now()
    return [...this.#all].map(([name, { endsAt }]) => [name, Math.max(0, endsAt - now)])
  }

  stop(): void {
    for (const { timer } of this.#all.values()) clearTimeout(timer)
  }
}
