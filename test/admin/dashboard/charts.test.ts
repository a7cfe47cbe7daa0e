/** What the charts make of the last quarter of an hour: which points, over which span, and where they stand. */
import { describe, expect, test } from "bun:test"
import { History } from "../../../src/admin/dashboard/history.ts"
import { ceiling, LEFT, nearest, Plot, runs } from "../../../src/admin/dashboard/plot.ts"
import type { Moment } from "../../../src/master/figures/live.ts"

const SECOND = 1_000
const MINUTE = 60_000
const NOW = 900 * MINUTE

function moment(at: number, success = 10, p50: number | null = 2): Moment {
  return [at, success, 2, 3, 4, p50, p50 === null ? null : 10 * p50, 5, 6]
}

/** One a second, up to now. */
function lastSeconds(count: number): History {
  const history = new History()
  history.replace(Array.from({ length: count }, (_, i) => moment(NOW - (count - i) * SECOND)))
  return history
}

describe("the history", () => {
  test("shows the shortest span that holds it", () => {
    const minutes = (seconds: number) => lastSeconds(seconds).span(NOW).minutes
    expect([0, 60, 120, 121, 300, 301, 900].map(minutes)).toEqual([2, 2, 2, 5, 5, 15, 15])
  })

  test("forgets what is older than a quarter of an hour, and takes a second once", () => {
    const history = lastSeconds(900)
    history.add(moment(NOW), NOW + SECOND)
    history.add(moment(NOW), NOW + SECOND)
    expect(history.moments).toHaveLength(900)
    history.add(moment(NOW + 60 * MINUTE), NOW + 60 * MINUTE)
    expect(history.moments).toHaveLength(1)
  })

  test("makes points of a few seconds that stay in their places", () => {
    const history = lastSeconds(900)
    const span = history.span(NOW)
    const points = history.points(NOW, span)
    expect(points).toHaveLength(180)
    expect(points[0]).toEqual({ at: NOW - 15 * MINUTE, rates: [10, 2, 3, 4], p50: 2, p99: 20 })
    const later = history.points(NOW + 2 * SECOND, span).map(({ at }) => at)
    expect(points.map(({ at }) => at)).toEqual(expect.arrayContaining(later))
  })

  test("takes the mean of rates and medians, and the worst 99th percentile", () => {
    const history = new History()
    const start = NOW - 15 * MINUTE
    history.replace([
      moment(start, 10, 1),
      moment(start + 1_000, 20, 3),
      moment(start + 2_000, 0, null),
    ])
    const [point] = history.points(NOW, history.span(NOW))
    expect(point).toMatchObject({ rates: [10, 2, 3, 4], p50: 2, p99: 30 })
  })

  test("knows no latency of seconds without a request", () => {
    const history = new History()
    history.replace([moment(NOW - SECOND, 0, null)])
    expect(history.points(NOW, history.span(NOW))[0]).toMatchObject({ p50: null, p99: null })
  })
})

describe("the plot", () => {
  const span = { minutes: 2, ms: 2 * MINUTE, step: SECOND }
  const plot = new Plot(NOW, span, 244, 110, 50)

  test("puts now at the right, the start at the left, and finds times again", () => {
    expect([plot.x(NOW - 2 * MINUTE), plot.x(NOW - MINUTE), plot.x(NOW)]).toEqual([LEFT, 144, 244])
    expect(plot.timeAt(plot.x(NOW - 12_345))).toBeCloseTo(NOW - 12_345, 3)
    expect([plot.y(0), plot.y(50)]).toEqual([110, 10])
  })

  test("ends its values at a round number", () => {
    const tops = [0, 4, 4.1, 9, 81, 100, 2_900].map((value) => ceiling(value, 4))
    expect(tops).toEqual([4, 4, 5, 10, 100, 100, 4_000])
    for (let value = 0.01; value < 1e6; value *= 1.07) {
      expect(ceiling(value, 0.001)).toBeGreaterThanOrEqual(value)
      expect(ceiling(value, 0.001)).toBeLessThanOrEqual(2.001 * value)
    }
  })

  test("joins no points over a gap", () => {
    const point = (at: number) => ({ at, rates: [0, 0, 0, 0] as const, p50: null, p99: null })
    const points = [0, 5_000, 20_000, 35_001, 40_000].map(point)
    expect(runs(points).map((run) => run.map(({ at }) => at))).toEqual([
      [0, 5_000, 20_000],
      [35_001, 40_000],
    ])
    expect(runs([])).toEqual([])
    expect(nearest(points, 22_000)?.at).toBe(20_000)
    expect(nearest([], 1)).toBeNull()
  })
})
