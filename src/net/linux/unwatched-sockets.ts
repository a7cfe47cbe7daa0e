/**
 * Sockets that epoll has refused, for lack of memory or of watches: none of them may be deaf. Each round of the poller
 * asks epoll again, and asks poll(2) about those that it still refuses.
 *
 * Cost: nothing while there are none; two or three system calls a round for each.
 * Source: epoll_ctl(2), ENOMEM and ENOSPC.
 */
import type { Kernel } from "./kernel.ts"
import { eventsNow } from "./peek.ts"
import type { Pollable } from "./poller.ts"

export class UnwatchedSockets {
  readonly #kernel: Kernel
  readonly #epoll: number
  readonly #owners: Pollable[] = []
  /** What each of them wants to hear of, at the same place. */
  readonly #interests: number[] = []

  constructor(kernel: Kernel, epoll: number) {
    this.#kernel = kernel
    this.#epoll = epoll
  }

  get size(): number {
    return this.#owners.length
  }

  add(owner: Pollable, interest: number): void {
    const at = this.#owners.indexOf(owner)
    if (at >= 0) this.#interests[at] = interest
    else {
      this.#owners.push(owner)
      this.#interests.push(interest)
    }
  }

  /** Its descriptor is about to be closed, or epoll has taken it. */
  remove(owner: Pollable): void {
    const at = this.#owners.indexOf(owner)
    if (at < 0) return
    this.#owners.splice(at, 1)
    this.#interests.splice(at, 1)
  }

  /** Calls `tell` for each that epoll still refuses and that has something to hear. */
  round(tell: (fd: number, events: number) => void): void {
    for (const owner of [...this.#owners]) {
      const at = this.#owners.indexOf(owner)
      const interest = this.#interests[at]
      // The one told of before may have closed it.
      if (interest === undefined) continue
      if (this.#taken(owner.fd, interest)) {
        this.remove(owner)
        continue
      }
      const events = eventsNow(owner.fd, interest)
      if (events > 0) tell(owner.fd, events)
    }
  }

  /** A change that failed left it registered with its old interest; a watch that failed left it out. */
  #taken(fd: number, interest: number): boolean {
    if (this.#kernel.change(this.#epoll, fd, interest) === 0) return true
    return this.#kernel.watch(this.#epoll, fd, interest) === 0
  }
}
