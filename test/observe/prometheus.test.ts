/** The text format, judged by eye and by Prometheus's own tool. */
import { expect, test } from "bun:test"
import { families } from "../../src/observe/families.ts"
import { expose, label } from "../../src/observe/prometheus.ts"
import type { Samples } from "../../src/observe/snapshot.ts"
import { isLeftOut } from "../support/left-out.ts"

const duration = {
  name: "d_seconds",
  kind: "histogram",
  help: "How long.",
  merge: "sum",
} as const
const total = { name: "x_total", kind: "counter", help: "A \\ and\na line.", merge: "sum" } as const

test("help and type once, series in order, families without samples left out", () => {
  const text = expose([total, duration], { x_total: { 'b="2"': 2, 'b="1"': 1 } })
  expect(text.split("\n")).toEqual([
    "# HELP x_total A \\\\ and\\na line.",
    "# TYPE x_total counter",
    'x_total{b="1"} 1',
    'x_total{b="2"} 2',
    "",
  ])
  expect(expose([total], { x_total: {} })).toBe("")
})

test("the numbers that are no numbers", () => {
  const samples = { x_total: { "": Infinity, 'a="1"': -Infinity, 'a="2"': NaN, 'a="3"': 0.25 } }
  expect(expose([total], samples).split("\n").slice(2)).toEqual([
    "x_total +Inf",
    'x_total{a="1"} -Inf',
    'x_total{a="2"} NaN',
    'x_total{a="3"} 0.25',
    "",
  ])
})

test("a histogram has its buckets in order of their bounds, +Inf last and equal to the count", () => {
  const samples = {
    d_seconds_bucket: {
      'b="x",le="10"': 3,
      'b="x",le="+Inf"': 4,
      'b="x",le="2.5"': 2,
      'le="1"': 1,
    },
    d_seconds_sum: { 'b="x"': 42.5, "": 0.5 },
    d_seconds_count: { 'b="x"': 4, "": 1 },
  }
  expect(expose([duration], samples).split("\n").slice(2, -1)).toEqual([
    'd_seconds_bucket{le="1"} 1',
    'd_seconds_bucket{le="+Inf"} 1',
    "d_seconds_sum 0.5",
    "d_seconds_count 1",
    'd_seconds_bucket{b="x",le="2.5"} 2',
    'd_seconds_bucket{b="x",le="10"} 3',
    'd_seconds_bucket{b="x",le="+Inf"} 4',
    'd_seconds_sum{b="x"} 42.5',
    'd_seconds_count{b="x"} 4',
  ])
})

test("a label holds any value on one line", () => {
  expect(label("backend", 'a"b\\c\nd')).toBe('backend="a\\"b\\\\c\\nd"')
})

/** A sample of every family, with the labels that a worker might give. */
function everything(): Samples {
  const labels = `${label("backend", 'odd"\\\nname:80')},${label("code", "200")}`
  const samples: Samples = {}
  for (const { name, kind } of families) {
    if (kind !== "histogram") samples[name] = { [labels]: 1 }
    else {
      samples[`${name}_bucket`] = { [`${labels},le="0.5"`]: 1, [`${labels},le="+Inf"`]: 2 }
      samples[`${name}_sum`] = { [labels]: 1.5 }
      samples[`${name}_count`] = { [labels]: 2 }
    }
  }
  return samples
}

const promtool = Bun.which("promtool")
const unjudged = isLeftOut(
  "the judgement of the text format",
  promtool !== null,
  "promtool is not installed (Debian: prometheus)",
)

test.skipIf(unjudged)("promtool finds nothing wrong with any family", async () => {
  const text = expose(families, everything())
  const judge = Bun.spawn([promtool ?? "", "check", "metrics"], {
    stdin: new TextEncoder().encode(text),
    stdout: "pipe",
    stderr: "pipe",
  })
  expect(await judge.stdout.text()).toBe("")
  expect(await judge.stderr.text()).toBe("")
  expect(await judge.exited).toBe(0)
})
