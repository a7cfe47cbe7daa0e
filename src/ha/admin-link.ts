/**
 * A kept connection to the admin listener on which one question is asked again and again: `GET /health/workers`. One
 * question costs bunlb about 0.1 ms of CPU, most of it in the master.
 */
import { Outbound } from "../net/outbound.ts"
import type { DialFailure } from "../net/outbound.ts"

/** What the link tells its owner; after `lost` the link is of no more use. */
export interface AdminEvents {
  /** The status and the first line of the body. */
  answered(status: number, line: string): void
  lost(refused: boolean): void
}

const REQUEST = "GET /health/workers HTTP/1.1\r\nHost: bunlb\r\n\r\n"
/** No answer of bunlb is as long as that. */
const LONGEST_ANSWER = 8192

export class AdminLink extends Outbound {
  readonly #events: AdminEvents
  /** How many there have been. */
  answers = 0
  #text = ""
  #open = false
  /** A question is on its way. */
  #asked = false

  constructor(events: AdminEvents, connectMs: number) {
    super(null, { connect: connectMs, tlsHandshake: connectMs })
    this.#events = events
  }

  /** Asks, unless an answer is still awaited or the connection does not stand yet. */
  ask(): void {
    if (this.socket === null || this.#asked || !this.#open) return
    this.#asked = true
    this.socket.write(REQUEST)
  }

  protected override opened(): void {
    this.#open = true
    this.ask()
  }

  protected override dialFailed({ reason }: DialFailure): void {
    this.#events.lost(reason === "connect refused")
  }

  override received(bytes: Buffer): void {
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
    this.abort()
    this.#events.lost(false)
  }

  override drained(): void {}

  override ended(): void {
    this.#lose()
  }

  protected override closed(): void {
    this.#events.lost(false)
  }

  protected override late(): void {}

  override crashed(): void {
    this.#lose()
  }
}
