/** The two kinds of charts: areas that are stacked, and lines. */
import { draw } from "./dom.ts"
import type { Point } from "./history.ts"
import { count, latency } from "./numbers.ts"
import { ceiling, runs } from "./plot.ts"
import type { Plot } from "./plot.ts"

export interface Series {
  readonly name: string
  /** Its class in charts.css. */
  readonly style: string
  readonly value: (point: Point) => number | null
  readonly format: (value: number | null) => string
}

/** How a chart is drawn. */
export interface Painter {
  /** The value of the top line. */
  readonly top: (points: readonly Point[]) => number
  readonly label: (value: number) => string
  readonly paint: (
    plot: Plot,
    points: readonly Point[],
    series: readonly Series[],
  ) => SVGPathElement[]
}

export const areas: Painter = {
  top: (points) => {
    const totals = points.map(({ rates }) => rates.reduce((a, b) => a + b, 0))
    return ceiling(Math.max(0, ...totals), 4)
  },
  label: count,
  paint: (plot, points, series) => runs(points).flatMap((run) => stack(plot, run, series)),
}

export const lines: Painter = {
  top: (points) => ceiling(Math.max(0, ...points.map(({ p99 }) => p99 ?? 0)), 1),
  label: (value) => (value === 0 ? "0" : latency(value)),
  paint: (plot, points, series) =>
    series.flatMap(({ style, value }) =>
      runs(points.filter((point) => value(point) !== null)).map((run) => {
        const line = joined(run.map((point) => place(plot, point, value(point) ?? 0)))
        return draw("path", { class: `line ${style}`, d: `M${line}h.1` })
      }),
    ),
}

/** The series on top of each other; only the lowest has a line along its edge. */
function stack(plot: Plot, run: readonly Point[], series: readonly Series[]): SVGPathElement[] {
  const parts: SVGPathElement[] = []
  let floor = run.map((point) => ({ point, value: 0 }))
  const edge = (values: typeof floor): string[] =>
    values.map(({ point, value }) => place(plot, point, value))
  for (const { style, value: read } of series) {
    const roof = floor.map(({ point, value }) => ({ point, value: value + (read(point) ?? 0) }))
    const isEmpty = run.every((point) => (read(point) ?? 0) === 0)
    if (!isEmpty) {
      const top = joined(edge(roof))
      const around = `M${top}L${joined(edge(floor).reverse())}Z`
      parts.push(draw("path", { class: `area ${style}`, d: around }))
      if (style === series[0]?.style) {
        parts.push(draw("path", { class: `line ${style}`, d: `M${top}` }))
      }
    }
    floor = roof
  }
  return parts
}

function place(plot: Plot, { at }: Point, value: number): string {
  return `${plot.x(at).toFixed(1)},${plot.y(value).toFixed(1)}`
}

function joined(places: readonly string[]): string {
  return places.join("L")
}
