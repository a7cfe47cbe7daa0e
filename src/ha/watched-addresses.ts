/**
 * Where the bunlb that is watched over listens, and whether it does at another place already: a reload may move it, and
 * whoever goes on looking at the old place then finds a fault that is none.
 */
import { formatAdmin, type AdminAddress } from "../config/schema/admin-address.ts"
import { AdminLink } from "./admin-link.ts"
import { Line } from "./line.ts"

export interface WatchedAddresses {
  readonly admin: AdminAddress
  /** The listeners that clients use; none leaves them alone. */
  readonly ports: readonly AdminAddress[]
}

export function namesOf({ admin, ports }: WatchedAddresses): string {
  return [admin, ...ports].map(formatAdmin).join(" and ")
}

/** One try to reach bunlb somewhere: `there` is called once, when its admin listener answers and all ports are open. */
export class Trial {
  readonly #there: () => void
  readonly #link: AdminLink
  readonly #lines: readonly Line[]
  #missing: number

  constructor({ admin, ports }: WatchedAddresses, there: () => void) {
    this.#there = there
    this.#missing = 1 + ports.length
    this.#link = new AdminLink(admin, { answered: () => this.#found(), lost: () => {} })
    const events = { opened: () => this.#found(), received: () => {}, gone: () => {} }
    this.#lines = ports.map((port) => new Line(port, events))
  }

  /** `there` is not called any more. */
  drop(): void {
    this.#link.drop()
    for (const line of this.#lines) line.drop()
  }

  #found(): void {
    this.#missing--
    if (this.#missing > 0) return
    this.drop()
    this.#there()
  }
}
