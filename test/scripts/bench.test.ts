import { describe, expect, test } from "bun:test"
import { barChart, lineChart, niceCeiling } from "../../scripts/bench/chart.ts"
import type { Figures, Measured } from "../../scripts/bench/measure.ts"
import { medianOf } from "../../scripts/bench/median.ts"
import { describePeer, peerNames } from "../../scripts/bench/peers.ts"
import { errorsOf, rowsOf } from "../../scripts/bench/result.ts"
import { asMarkdown, asText, latencyTable, ratioTable, time } from "../../scripts/bench/tables.ts"

const figures: Figures = {
  perSecond: 1000,
  p50Us: 1,
  p99Us: 2,
  userUs: 4,
  systemUs: 6,
  cpuUs: 10,
  errors: 0,
  rssMiB: 1,
  biggestMiB: 1,
}

function measured(peer: Measured["peer"], cpuUs: number, errors = 0): Measured {
  const saturated = { ...figures, cpuUs, errors }
  return { peer, saturated, paced: null, syscalls: null, idleKiB: null }
}

describe("a result", () => {
  const all = [measured("bunlb", 9), measured("nginx", 12), measured("haproxy", 10, 3)]

  test("compares with each peer, and with the better of nginx and HAProxy", () => {
    const [own] = rowsOf("small", [...all, measured("relay", 6)])
    expect(own?.ratios).toEqual({ nginx: 0.75, haproxy: 0.9, relay: 1.5 })
    expect(own?.ratio).toBe(0.9)
    expect(rowsOf("small", [measured("bunlb", 9), measured("relay", 6)])[0]?.ratio).toBeNull()
  })

  test("forgets no error", () => {
    expect(errorsOf(rowsOf("small", all))).toBe(3)
  })
})

describe("tables", () => {
  const rows = rowsOf("small", [measured("bunlb", 9), measured("nginx", 12)])

  test("put bunlb beside the peers that were there", () => {
    expect(ratioTable({ rows })).toEqual([
      ["scenario", "bunlb us", "/ nginx", "/ the better", "aim"],
      ["small", "9.0", "0.75", "0.75", "1.00"],
    ])
    expect(latencyTable({ rows })).toHaveLength(1)
  })

  test("are text and Markdown, numbers to the right", () => {
    const table = [
      ["peer", "us"],
      ["bunlb", "9.0"],
    ]
    expect(asText(table)).toBe("peer    us\nbunlb  9.0\n")
    expect(asMarkdown(table)).toBe("| peer | us |\n| --- | ---: |\n| **bunlb** | 9.0 |\n")
  })

  test("tell time in the unit that fits", () => {
    expect([time(9999), time(12_345), time(123_456), time(null)]).toEqual([
      "9999 us",
      "12.3 ms",
      "123 ms",
      "-",
    ])
  })
})

describe("charts", () => {
  test("draw a bar for each value there is, in proportion, and escape names", () => {
    const svg = barChart({
      title: "a < b",
      unit: "",
      series: ["one", "two"],
      groups: [
        { name: "group", values: [2, 1] },
        { name: "other", values: [null, 8] },
      ],
      format: String,
      limit: 4,
    })
    const widths = [...svg.matchAll(/<rect x="110" y="[\d.]+" width="([\d.]+)"/g)].map(
      ([, width]) => Number(width),
    )
    expect(widths).toEqual([330, 165, 660])
    expect(svg).toContain("8 &gt;")
    expect(svg).toContain("a &lt; b")
  })

  test("draw a point for each reading, left to right by its logarithm", () => {
    const points = [1, 10, 100].map((x) => ({ x, y: 5, name: String(x) }))
    const svg = lineChart({ title: "t", xTitle: "x", yTitle: "y", points })
    const places = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x))
    expect(places).toEqual([110, 465, 820])
  })

  test("end their axis at 1, 2 or 5 times a power of ten", () => {
    expect([0, 0.03, 1, 1.1, 4, 51, 1000].map(niceCeiling)).toEqual([1, 0.05, 1, 2, 5, 100, 1000])
  })
})

test("the median is one of the values", () => {
  expect([medianOf([3, 1, 2]), medianOf([1, 2]), medianOf([])]).toEqual([2, 2, 0])
})

test("configurations as they are shown name no place of this machine", () => {
  for (const tls of [false, true]) {
    for (const peer of peerNames) {
      const origin = { plain: 8000, tls: 8443 }
      const said = describePeer(peer, { tls, workers: 1, origin, executable: "bunlb" })
      expect(said).not.toContain(import.meta.dir.slice(0, import.meta.dir.indexOf("/", 1)))
      expect(said).toContain(tls ? "8443" : "8000")
    }
  }
})
