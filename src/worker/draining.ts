/**
 * How clients are let go, those of the whole worker or those of one listener that leaves: they are asked to leave by
 * their next response, for a while; then the clients in the queue are served, for the time that a far client's request
 * takes to follow. Only after that an idle connection may be closed: one that is about to carry a request looks the
 * same. At the limit the rest is cut.
 */
import { processClock } from "../core/clock.ts"
import { SWEEP_MS } from "../core/deadlines.ts"
import type { ClientConnection } from "../proxy/client/client-connection.ts"
import { stopClient } from "../proxy/client/departure.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import type { DrainOutcome } from "./types.ts"

const ASKING_MS = 300
const KNOCKED_MS = 300

export interface Draining {
  readonly limitMs: number
  readonly gateway: Gateway
  /** Those that are to go and are still there. */
  readonly clients: () => readonly ClientConnection[]
  /** Whether nothing of them is under way any more. */
  readonly isOver: () => boolean
  /** Connections to backends that still send the last bytes of tunnels whose clients have gone in good order. */
  readonly finishing: () => number
  /** Accepts the clients in the queue, for so long at most, and closes it. */
  readonly finish: (limitMs: number) => Promise<void>
  /** The queue is closed. */
  readonly closed: () => void
}

/** Resolves when all clients have gone, or with the limit. Whoever hears of clients that go calls `look`. */
export class Drain {
  readonly #parts: Draining
  readonly #empty = Promise.withResolvers<void>()

  constructor(parts: Draining) {
    this.#parts = parts
  }

  async run(): Promise<DrainOutcome> {
    const { limitMs, finish, closed } = this.#parts
    const until = processClock.now() + limitMs
    await Bun.sleep(Math.min(ASKING_MS, limitMs / 2))
    const knockedMs = Math.min(KNOCKED_MS, limitMs / 8)
    await finish(knockedMs)
    closed()
    // The clients accepted last have this time for a request. It may have to come twice: the first one was not heard
    // if it came while first packets were dropped (linux/syn-filter.ts), and TCP repeats it after 200 ms.
    await Bun.sleep(knockedMs)
    this.#closeIdle()
    // Clients whose response had begun before the drain were not asked to leave.
    const sweeper = setInterval(() => this.#closeIdle(), SWEEP_MS)
    const limit = setTimeout(this.#empty.resolve, Math.max(0, until - processClock.now()))
    await this.#empty.promise
    clearTimeout(limit)
    clearInterval(sweeper)
    const finishing = this.#parts.finishing()
    const { cut, sending } = stopClients(this.#parts.clients(), this.#parts.gateway)
    return { cut: cut + finishing, sending }
  }

  look(): void {
    if (this.#parts.isOver()) this.#empty.resolve()
  }

  #closeIdle(): void {
    for (const client of this.#parts.clients()) client.closeIfIdle()
    this.look()
  }
}

/** Ends what is left of them now. */
export function stopClients(
  clients: readonly ClientConnection[],
  gateway: Gateway,
): { cut: number; sending: number } {
  const outcome = { clean: 0, cut: 0, sending: 0 }
  for (const client of clients) outcome[stopClient(client, gateway)]++
  return outcome
}
