/**
 * Schedules health checks and interprets their results. Every backend, healthy or not, is probed
 * immediately and then once per interval, plus or minus a tenth, so that many workers and instances
 * do not probe in step. A backend never has two probes at a time: a probe without an answer in
 * time is aborted and has failed.
 *
 * Cost: `tick`, about ten times a second, reads one or two numbers for each backend. The transport
 * is injected; time comes with each tick, so a probe's time limit is as accurate as the ticks.
 */
import type { HealthSettings, Milliseconds } from "../config/schema/settings.ts"
import type { Reach } from "./backend-health.ts"

export interface ProbeTransport {
  /**
   * Starts one probe on a new connection. `done` is called once, or never after `abort`. `ok` is
   * null when bunlb itself could not send the probe, which says nothing about the backend.
   */
  probe(index: number, done: ProbeDone): ProbeHandle
}

/** `reach`: how far a probe came that failed. */
export type ProbeDone = (ok: boolean | null, reason: string, reach: Reach) => void

export interface ProbeHandle {
  /** It has a connection. */
  readonly connected: boolean
  abort(): void
  /** The time for the probe has passed; `abort` follows. */
  late?(): void
}

/** Receives the results: the health board. */
export interface Verdicts {
  probeFailed(index: number, reason: string, reach: Reach): void
  probeSucceeded(index: number): void
}

/**
 * Up to this many backends are first probed in the same instant; more are spread over a tenth of
 * the interval.
 */
const AT_ONCE = 16

/** Between two probes out of turn. */
const HURRIED_MS = 1_000

export class Prober {
  /** Probes that have ended so far, for each backend. */
  readonly ok: number[] = []
  readonly failed: number[] = []
  #timing: Timing
  #transport: ProbeTransport
  #verdicts: Verdicts
  readonly #random: () => number
  /** When each backend is to be probed next; `Infinity` for a place that is not probed. */
  readonly #due: number[] = []
  /** When each backend was last probed out of turn. */
  readonly #hurried: number[] = []
  readonly #running: (RunningProbe | null)[] = []
  #started = false

  constructor(
    size: number,
    timing: Timing,
    transport: ProbeTransport,
    verdicts: Verdicts,
    random: () => number = Math.random,
  ) {
    this.#timing = timing
    this.#transport = transport
    this.#verdicts = verdicts
    this.#random = random
    for (let index = 0; index < size; index++) this.admit(index, 0)
  }

  /** A backend takes the place `index` and is probed at once; `heirOf` as in `HealthBoard.admit`. */
  admit(index: number, now: number, heirOf = -1): void {
    this.release(index)
    this.ok[index] = this.ok[heirOf] ?? 0
    this.failed[index] = this.failed[heirOf] ?? 0
    this.#hurried[index] = -Infinity
    this.#due[index] = now
  }

  /** Stops probing `index`; the result of a running probe is ignored. */
  release(index: number): void {
    const running = this.#running[index] ?? null
    this.#due[index] = Infinity
    this.#running[index] = null
    running?.handle?.abort()
  }

  /** The backend at `index` is probed, or is not, from now on. */
  watch(index: number, watched: boolean, now: number): void {
    if (!watched) this.release(index)
    else if (this.#due[index] === Infinity) this.#due[index] = now
  }

  /** The backend is probed now, and not only when its interval is over, unless that was just done. */
  hurry(index: number, now: number): void {
    if (this.#dueAt(index) === Infinity) return
    if (now < (this.#hurried[index] ?? -Infinity) + HURRIED_MS) return
    this.#hurried[index] = now
    this.#due[index] = now
  }

  /** New rules from now on; running probes get the new time limit. */
  configure(timing: Timing, transport: ProbeTransport, verdicts: Verdicts, now: number): void {
    this.#timing = timing
    this.#transport = transport
    this.#verdicts = verdicts
    for (let index = 0; index < this.#due.length; index++) {
      if (this.#due[index] === Infinity) continue
      this.#due[index] = Math.min(this.#dueAt(index), now + timing.interval)
    }
  }

  /** Sends the first probes. */
  start(now: number): void {
    const size = this.#due.length
    const spread = size > AT_ONCE ? this.#timing.interval / 10 / size : 0
    for (let index = 0; index < size; index++) {
      if (this.#dueAt(index) < Infinity) this.#due[index] = now + index * spread
    }
    this.#started = true
    this.tick(now)
  }

  /** Aborts late probes and starts due ones. */
  tick(now: number): void {
    for (let index = 0; index < this.#due.length; index++) {
      const running = this.#running[index]
      if (running && now - running.began >= this.#timing.timeout) this.#abandon(index, running)
      // A verdict may have made the owner stop.
      if (!this.#started) return
      if (this.#running[index] === null && now >= this.#dueAt(index)) this.#begin(index, now)
    }
  }

  /** When the backend at `index` is probed next; never, where there is none. */
  #dueAt(index: number): number {
    return this.#due[index] ?? Infinity
  }

  /** Aborts every probe; no verdict comes after this. */
  stop(): void {
    this.#started = false
    for (let index = 0; index < this.#running.length; index++) {
      const running = this.#running[index]
      this.#running[index] = null
      running?.handle?.abort()
    }
  }

  #begin(index: number, now: number): void {
    this.#due[index] = now + this.#timing.interval * (0.9 + this.#random() * 0.2)
    const running: RunningProbe = { began: now, handle: null }
    this.#running[index] = running
    running.handle = this.#transport.probe(index, (ok, reason, reach) => {
      // A result that comes after the limit, or twice, is ignored.
      if (this.#running[index] !== running) return
      this.#running[index] = null
      if (ok !== null) this.#judge(index, ok, reason, reach)
    })
  }

  #abandon(index: number, running: RunningProbe): void {
    this.#running[index] = null
    const reach = running.handle?.connected === true ? "connection" : "nothing"
    running.handle?.late?.()
    running.handle?.abort()
    this.#judge(index, false, `no answer within ${duration(this.#timing.timeout)}`, reach)
  }

  #judge(index: number, ok: boolean, reason: string, reach: Reach): void {
    if (ok) {
      this.ok[index] = (this.ok[index] ?? 0) + 1
      this.#verdicts.probeSucceeded(index)
    } else {
      this.failed[index] = (this.failed[index] ?? 0) + 1
      this.#verdicts.probeFailed(index, reason, reach)
    }
  }
}

type Timing = Pick<HealthSettings, "interval" | "timeout">

interface RunningProbe {
  readonly began: number
  /** Null while the transport is still at beginning it. */
  handle: ProbeHandle | null
}

function duration(limit: Milliseconds): string {
  return limit % 1000 === 0 ? `${limit / 1000}s` : `${limit}ms`
}
