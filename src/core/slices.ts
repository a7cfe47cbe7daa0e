/**
 * Long work in short slices: a loop checks `isOver` and, if it is true, awaits `rest`, which lets the event loop run.
 * In single-process mode this event loop also serves requests, so the slices are shorter there.
 */
import { processClock } from "./clock.ts"

/** Well below what a health check of the admin listener waits for. */
const MASTER_MS = 1
const SERVING_MS = 0.25

/** What sliced work needs. */
export interface Pauses {
  readonly isOver: boolean
  rest(): Promise<void>
}

/** For work that is short. */
export const unbroken: Pauses = { isOver: false, rest: () => Promise.resolve() }

export class Slices implements Pauses {
  readonly #budgetMs: number
  #until: number

  /** `serves`: requests of clients are served by the same loop. */
  constructor(serves: boolean) {
    this.#budgetMs = serves ? SERVING_MS : MASTER_MS
    this.#until = processClock.now() + this.#budgetMs
  }

  get isOver(): boolean {
    return processClock.now() >= this.#until
  }

  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#until = processClock.now() + this.#budgetMs
  }
}
