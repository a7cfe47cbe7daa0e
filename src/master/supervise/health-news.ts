/**
 * Changes of health on their way from a worker to its master. The first of a turn of the event loop is sent at once.
 * When hundreds of backends fail together, the others follow in groups, a group a turn: neither loop stands still.
 */
import type { HealthChange } from "../../observe/snapshot.ts"

const GROUP = 64

export class HealthNews {
  readonly #send: (changes: readonly HealthChange[]) => void
  #waiting: HealthChange[] = []
  /** One has been sent in this turn. */
  #sent = false

  constructor(send: (changes: readonly HealthChange[]) => void) {
    this.#send = send
  }

  add(change: HealthChange): void {
    this.#waiting.push(change)
    if (!this.#sent) this.#sendSome()
  }

  /** Sends all that waits: what is said next relies on it. */
  flush(): void {
    if (this.#waiting.length > 0) this.#send(this.#waiting)
    this.#waiting = []
  }

  #sendSome(): void {
    this.#send(this.#waiting.splice(0, GROUP))
    this.#sent = true
    setImmediate(() => {
      this.#sent = false
      if (this.#waiting.length > 0) this.#sendSome()
    })
  }
}
