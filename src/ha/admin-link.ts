/**
 * A kept connection to the admin listener on which one question is asked again and again: `GET /health/workers`.
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import { Line } from "./line.ts"

/** What the link tells its owner; after `lost` the link is of no more use. */
export interface AdminEvents {
  /** The status and the first line of the body. */
  answered(status: number, line: string): void
  lost(refused: boolean): void
}

/** bunlb takes no other name than an address or localhost. */
const REQUEST = "GET /health/workers HTTP/1.1\r\nHost: localhost\r\n\r\n"
/** No answer of bunlb is as long as that. */
const LONGEST_ANSWER = 8192

export class AdminLink {
  readonly #events: AdminEvents
  readonly #line: Line
  /** How many there have been. */
  answers = 0
  #text = ""
  /** A question is on its way. */
  #asked = false

  constructor(place: AdminAddress, events: AdminEvents) {
    this.#events = events
    this.#line = new Line(place, {
      opened: () => this.ask(),
      received: (bytes) => this.#received(bytes),
      gone: (refused) => events.lost(refused),
    })
  }

  /** True from the moment in which the connection stands. */
  get open(): boolean {
    return this.#line.open
  }

  /** Asks, unless an answer is still awaited or the connection does not stand yet. */
  ask(): void {
    if (this.#asked || !this.#line.open) return
    this.#asked = true
    this.#line.write(REQUEST)
  }

  /** Nothing is heard of it any more. */
  drop(): void {
    this.#line.drop()
  }

  #received(bytes: Buffer): void {
    this.#text += bytes.toString("latin1")
    const end = this.#text.indexOf("\r\n\r\n")
    const length = Number(/^content-length: *(\d{1,4})\r$/im.exec(this.#text)?.[1] ?? 0)
    if (this.#text.length > LONGEST_ANSWER) return this.#lose()
    if (end === -1 || this.#text.length < end + 4 + length) return
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(this.#text)?.[1]
    const [line = ""] = this.#text.slice(end + 4, end + 4 + length).split("\n")
    this.#text = ""
    this.#asked = false
    if (status === undefined) return this.#lose()
    this.answers++
    this.#events.answered(Number(status), line.slice(0, 100))
  }

  #lose(): void {
    this.drop()
    this.#events.lost(false)
  }
}
