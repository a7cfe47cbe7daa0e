/**
 * Where the bunlb that is watched over listens, and whether it does at another place already: a reload may move it, and
 * whoever goes on looking at the old place then finds a fault that is none.
 */
import { formatAdmin, type AdminAddress } from "../config/schema/admin-address.ts"
import { AdminLink } from "./admin-link.ts"
import { Line } from "./line.ts"

export interface WatchedAddresses {
  readonly admin: AdminAddress
  /** The port that clients use; null leaves it alone. */
  readonly port: AdminAddress | null
}

export function namesOf({ admin, port }: WatchedAddresses): string {
  return [admin, port]
    .filter((place) => place !== null)
    .map(formatAdmin)
    .join(" and ")
}

/** One try to reach bunlb somewhere: `there` is called once, when its admin listener answers and its port is open. */
export class Trial {
  readonly #there: () => void
  readonly #link: AdminLink
  readonly #line: Line | null
  #missing: number

  constructor({ admin, port }: WatchedAddresses, there: () => void) {
    this.#there = there
    this.#missing = port === null ? 1 : 2
    this.#link = new AdminLink(admin, { answered: () => this.#found(), lost: () => {} })
    const events = { opened: () => this.#found(), received: () => {}, gone: () => {} }
    this.#line = port === null ? null : new Line(port, events)
  }

  /** `there` is not called any more. */
  drop(): void {
    this.#link.drop()
    this.#line?.drop()
  }

  #found(): void {
    this.#missing--
    if (this.#missing > 0) return
    this.drop()
    this.#there()
  }
}
