/**
 * A worker's judgement of its backends without sockets and without waiting: board, roster and the choice of a backend
 * are the real ones, time and the backends are the test's. Every backend is probed once in each interval; requests come
 * at an even rate.
 */
import { Roster } from "../../src/balance/roster.ts"
import { RoundRobin } from "../../src/balance/round-robin.ts"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import { HealthBoard } from "../../src/health/board.ts"
import { HealthBitmap } from "../../src/health/bitmap.ts"
import { NOT_CONNECTED, NO_RESPONSE } from "../../src/health/request-breaker.ts"
import { chooseBackend } from "../../src/proxy/exchange/choice.ts"
import type { Pool } from "../../src/proxy/backend/pool.ts"
import type { RequestRelay } from "../../src/proxy/exchange/request-relay.ts"
import { equals } from "../balance/candidates.ts"

export type Reply = "ok" | "refused" | "cut"
export type ProbeReply = "ok" | "wrong status" | "hangs" | "refused"

export interface SimulatedRequest {
  readonly client: number
  readonly path: number
  readonly idempotent: boolean
}

export interface World {
  readonly backends: number
  readonly whenAllUnhealthy?: "try" | "fail"
  readonly backoff?: number
  /** Requests a second. */
  readonly rate: number
  readonly request?: (count: number) => SimulatedRequest
  readonly reply: (backend: number, time: number, request: SimulatedRequest) => Reply
  readonly probe: (backend: number, time: number) => ProbeReply
}

/** Clients and pages of all sorts. */
const mixed = (count: number): SimulatedRequest => ({
  ...{ client: count % 7, path: count % 11, idempotent: true },
})

export const INTERVAL = 5_000

export class Simulation {
  time = 0
  readonly board: HealthBoard
  readonly roster: Roster
  /** Requests that each backend answered, by second. */
  readonly answered: number[][]
  /** Times of requests that no backend answered. */
  readonly errors: number[] = []
  readonly changes: { time: number; index: number; healthy: boolean; reason: string }[] = []
  readonly avoidances: string[] = []
  readonly #world: World
  #count = 0
  readonly #due: number[]
  #requestDue: number

  constructor(world: World) {
    this.#world = world
    const { backends, backoff = 1, whenAllUnhealthy = "try" } = world
    const thresholds = { failures: 3, successes: 2, backoff }
    const clock = { now: () => this.time }
    this.roster = new Roster(equals(backends), new RoundRobin(), whenAllUnhealthy)
    this.board = new HealthBoard(backends, thresholds, clock, clock, {
      changed: (index, healthy, reason) => this.#changed(index, healthy, reason),
      avoidance: (index, avoids, cause) => void this.avoidances.push(`${index} ${avoids} ${cause}`),
      suspected: (index) =>
        void (this.#due[index] = Math.min(this.#due[index] ?? 0, this.time + 100)),
    })
    this.answered = Array.from({ length: backends }, () => [])
    this.#due = Array.from({ length: backends }, (_, index) => (index * INTERVAL) / backends)
    this.#requestDue = world.rate === 0 ? Infinity : 0
  }

  /** Lets time pass until `time`. */
  run(time: number): this {
    for (;;) {
      const next = Math.min(...this.#due, this.#requestDue)
      if (next > time) break
      this.time = next
      if (next === this.#requestDue) {
        this.#requestDue += 1000 / this.#world.rate
        this.#send()
      } else this.#probe(this.#due.indexOf(next))
    }
    this.time = time
    return this
  }

  /** Requests that `index` answered from one time to another. */
  share(index: number, from: number, to: number): number {
    const seconds = this.answered[index] ?? []
    let sum = 0
    for (let at = from / 1000; at < to / 1000; at++) sum += seconds[at] ?? 0
    return sum
  }

  #changed(index: number, healthy: boolean, reason: string): void {
    this.roster.setHealthy(index, healthy, this.board.serving.has(index))
    if (!healthy && this.roster.allUnhealthy) this.board.expectReturn(this.roster.anyEligible)
    this.changes.push({ time: this.time, index, healthy, reason })
  }

  #probe(index: number): void {
    this.#due[index] = this.time + INTERVAL
    const reply = this.#world.probe(index, this.time)
    if (reply === "ok") this.board.probeSucceeded(index)
    else if (reply === "refused") this.board.probeFailed(index, "connect refused", "nothing")
    else if (reply === "hangs") this.board.probeFailed(index, "no answer within 2s", "connection")
    else this.board.probeFailed(index, "status 503", "response")
  }

  /** As the exchange does it: dials go on until one backend takes the request, a cut one is repeated if it may. */
  #send(): void {
    const facts = (this.#world.request ?? mixed)(this.#count++)
    const request = {
      ...facts,
      done: true,
      binds: false,
      token: NO_TOKEN,
      ticket: 0,
      sentAt: this.time,
    }
    const tried = new HealthBitmap(this.#world.backends)
    const { board, roster } = this
    let candidate = chooseBackend(
      { board, roster } as unknown as Pool,
      request as unknown as RequestRelay,
    )
    let resends = 0
    while (candidate !== null) {
      const { index } = candidate
      request.ticket = board.ticket(index)
      const reply = this.#world.reply(index, this.time, facts)
      if (reply === "ok") {
        board.answered(index, request)
        const second = Math.floor(this.time / 1000)
        const seconds = this.answered[index] ?? []
        seconds[second] = (seconds[second] ?? 0) + 1
        return
      }
      if (reply === "refused") board.failed(index, NOT_CONNECTED, "connect refused", request)
      else board.failed(index, NO_RESPONSE, "closed before a response", request)
      tried.set(index)
      if (reply === "cut" && (!facts.idempotent || ++resends > 2)) break
      candidate = roster.pickOther(NO_TOKEN, tried)
    }
    this.errors.push(this.time)
  }
}
