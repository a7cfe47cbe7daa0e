/**
 * What is asked of a running fleet is done one thing after the other, whatever became of those before. What waited
 * while another bunlb took over is refused: done here it would be confirmed, and lost with this process.
 */
import { Refused } from "./refused.ts"

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()
  #succeeded = false

  /** After all that was asked before. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  /** Another bunlb serves; from now on it is the one to ask. */
  succeed(): void {
    this.#succeeded = true
  }

  /** Throws when another bunlb is to be asked. */
  judge(): void {
    if (!this.#succeeded) return
    throw new Refused("succeeded", "another bunlb has taken over: nothing was done, ask again")
  }
}
