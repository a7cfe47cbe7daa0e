/** Where a value at a time stands in a drawing. Pure. */
import type { Point, Span } from "./history.ts"

/** Room for the labels, left of the drawing and above its top line. */
export const LEFT = 44
const ABOVE = 10

export class Plot {
  constructor(
    readonly now: number,
    readonly span: Span,
    readonly width: number,
    readonly height: number,
    /** The value of the top line. */
    readonly top: number,
  ) {}

  x(time: number): number {
    return LEFT + ((time - this.now) / this.span.ms + 1) * (this.width - LEFT)
  }

  y(value: number): number {
    return this.height - (value / this.top) * (this.height - ABOVE)
  }

  timeAt(x: number): number {
    return this.now + ((x - LEFT) / (this.width - LEFT) - 1) * this.span.ms
  }
}

/** The least round number that is not below the value, and not below `least`. */
export function ceiling(value: number, least: number): number {
  const wanted = Math.max(value, least)
  const power = 10 ** Math.floor(Math.log10(wanted))
  const steps = [1, 2, 4, 5, 8].map((step) => step * power)
  return steps.find((each) => each >= wanted) ?? 10 * power
}

/** Points that are further apart than this are not joined by a line. */
const GAP_MS = 15_000

/** The points in runs without a gap. */
export function runs(points: readonly Point[]): Point[][] {
  const found: Point[][] = []
  let last = -Infinity
  for (const point of points) {
    const run = point.at - last <= GAP_MS ? found.at(-1) : undefined
    if (run === undefined) found.push([point])
    else run.push(point)
    last = point.at
  }
  return found
}

/** The point closest to a time, or null when there is none. */
export function nearest(points: readonly Point[], time: number): Point | null {
  let best: Point | null = null
  for (const point of points) {
    if (best === null || Math.abs(point.at - time) < Math.abs(best.at - time)) best = point
  }
  return best
}
