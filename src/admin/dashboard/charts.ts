/** The two charts of the page: answers by status class, and latency. */
import { Chart } from "./chart.ts"
import type { History } from "./history.ts"
import { latency, rate } from "./numbers.ts"
import { areas, lines } from "./painters.ts"
import type { Series } from "./painters.ts"

const perSecond = (value: number | null): string => `${rate(value ?? 0)}/s`

const classes: readonly Series[] = [
  { name: "2xx", style: "a0", value: ({ rates }) => rates[0], format: perSecond },
  { name: "3xx", style: "a1", value: ({ rates }) => rates[1], format: perSecond },
  { name: "4xx", style: "a2", value: ({ rates }) => rates[2], format: perSecond },
  { name: "5xx", style: "a3", value: ({ rates }) => rates[3], format: perSecond },
]
const percentiles: readonly Series[] = [
  { name: "p50", style: "l0", value: ({ p50 }) => p50, format: latency },
  { name: "p99", style: "l1", value: ({ p99 }) => p99, format: latency },
]

const charts = [
  new Chart("traffic", "Traffic by status class", classes, areas),
  new Chart("latency", "Latency, median and 99th percentile", percentiles, lines),
]

export function showCharts(history: History, now: number): void {
  const span = history.span(now)
  const points = history.points(now, span)
  for (const chart of charts) chart.show(points, now, span)
}
