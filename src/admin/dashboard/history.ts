/**
 * The last quarter of an hour, one entry a second, and the points that the charts make of it. Pure: the time is
 * passed in.
 */
import type { Moment } from "../../master/figures/live.ts"

const MINUTE_MS = 60_000
const KEPT_MS = 15 * MINUTE_MS
const POINTS = 180

/** How far back the charts reach. */
export interface Span {
  readonly minutes: number
  readonly ms: number
  /** Milliseconds that one point stands for. */
  readonly step: number
}

function spanOf(minutes: number): Span {
  const ms = minutes * MINUTE_MS
  return { minutes, ms, step: ms / POINTS }
}

const longest = spanOf(15)
const spans = [spanOf(2), spanOf(5), longest]

/** A few seconds together. */
export interface Point {
  readonly at: number
  /** Answers a second: success, redirect, client error, server error. */
  readonly rates: Rates
  readonly p50: number | null
  readonly p99: number | null
}

type Rates = readonly [number, number, number, number]

export class History {
  #moments: Moment[] = []

  get moments(): readonly Moment[] {
    return this.#moments
  }

  /** Starts again with what the server remembers. */
  replace(moments: readonly Moment[]): void {
    this.#moments = [...moments]
  }

  /** The same second may come twice. */
  add(moment: Moment, now: number): void {
    if (this.#moments.at(-1)?.[0] !== moment[0]) this.#moments.push(moment)
    const first = this.#moments.findIndex(([at]) => at >= now - KEPT_MS)
    this.#moments.splice(0, first === -1 ? this.#moments.length : first)
  }

  /** The shortest span that holds all there is. */
  span(now: number): Span {
    const oldest = this.#moments[0]?.[0] ?? now
    return spans.find(({ ms }) => oldest >= now - ms) ?? longest
  }

  /** Points stay at the same times while time goes on, so that the charts do not flicker. */
  points(now: number, { ms, step }: Span): Point[] {
    const groups = new Map<number, Moment[]>()
    for (const moment of this.#moments) {
      const [at] = moment
      if (at < now - ms) continue
      const start = Math.floor(at / step) * step
      const group = groups.get(start)
      if (group === undefined) groups.set(start, [moment])
      else group.push(moment)
    }
    return [...groups].map(([start, group]) => pointOf(start, group))
  }
}

function pointOf(at: number, moments: readonly Moment[]): Point {
  let [success, redirect, clientError, serverError] = [0, 0, 0, 0]
  const medians: number[] = []
  let highest: number | null = null
  for (const moment of moments) {
    success += moment[1]
    redirect += moment[2]
    clientError += moment[3]
    serverError += moment[4]
    const [, , , , , p50, p99] = moment
    if (p50 !== null) medians.push(p50)
    if (p99 !== null) highest = Math.max(highest ?? 0, p99)
  }
  const size = moments.length
  return {
    at,
    rates: [success / size, redirect / size, clientError / size, serverError / size],
    p50: medians.length === 0 ? null : medians.reduce((a, b) => a + b, 0) / medians.length,
    p99: highest,
  }
}
