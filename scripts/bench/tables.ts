/** The figures as rows of cells, and rows as text or as Markdown. */
import { peerNames } from "./peers.ts"
import type { PeerName } from "./peers.ts"
import type { Result, Row } from "./result.ts"
import { scenarios } from "./scenarios.ts"

export type Table = readonly (readonly string[])[]

export const titles: Readonly<Record<PeerName, string>> = {
  bunlb: "bunlb",
  nginx: "nginx",
  haproxy: "HAProxy",
  caddy: "Caddy",
  relay: "bare relay",
}

const number = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined || !Number.isFinite(value) ? "-" : value.toFixed(digits)

/** Microseconds as people read them. */
export function time(us: number | null | undefined): string {
  if (us === null || us === undefined) return "-"
  return us < 10_000 ? `${us.toFixed(0)} us` : `${(us / 1000).toFixed(us < 100_000 ? 1 : 0)} ms`
}

/** bunlb's CPU for a request beside that of each peer, one line a scenario. */
export function ratioTable({ rows }: Pick<Result, "rows">): Table {
  const peers = peerNames.filter(
    (name) => name !== "bunlb" && rows.some(({ peer }) => peer === name),
  )
  const own = rows.filter(({ peer }) => peer === "bunlb")
  return [
    ["scenario", "bunlb us", ...peers.map((peer) => `/ ${titles[peer]}`), "/ the better", "aim"],
    ...own.map(({ scenario, saturated, ratios, ratio }) => {
      const { aim } = scenarios[scenario]
      const each = peers.map((peer) => number(ratios[peer], 2))
      return [scenario, number(saturated.cpuUs, 1), ...each, number(ratio, 2), number(aim, 2)]
    }),
  ]
}

/** CPU and speed at saturation, every peer and scenario. */
export function saturationTable({ rows }: Pick<Result, "rows">): Table {
  const line = ({ scenario, peer, saturated, syscalls, ratio }: Row): string[] => [
    scenario,
    titles[peer],
    number(saturated.cpuUs, 1),
    number(saturated.userUs, 1),
    number(saturated.systemUs, 1),
    number(ratio, 2),
    number(syscalls, 2),
    number(saturated.perSecond, 0),
    time(saturated.p50Us),
    time(saturated.p99Us),
    number(saturated.rssMiB, 0),
    number(saturated.biggestMiB, 0),
    String(saturated.errors),
  ]
  const names = ["CPU us", "user", "system", "ratio", "syscalls", "req/s", "p50", "p99"]
  const heading = ["scenario", "peer", ...names, "RSS MiB", "biggest", "errors"]
  return [heading, ...rows.map(line)]
}

/** Latency at half load. */
export function latencyTable({ rows }: Pick<Result, "rows">): Table {
  const lines = rows.flatMap(({ scenario, peer, paced }) => {
    if (paced === null) return []
    const { perSecond, p50Us, p99Us, p999Us, maxUs, errors } = paced
    const times = [p50Us, p99Us, p999Us, maxUs].map(time)
    return [[scenario, titles[peer], number(perSecond, 0), ...times, String(errors)]]
  })
  return [["scenario", "peer", "req/s", "p50", "p99", "p99.9", "worst", "errors"], ...lines]
}

/** The worst that a request met in a time of steady work. */
export function stallTable({ stalls }: Pick<Result, "stalls">): Table {
  const lines = stalls.map(({ peer, load }) => [
    titles[peer],
    number(load.perSecond, 0),
    ...[load.p50Us, load.p99Us, load.p999Us, load.maxUs].map(time),
    String(load.errors),
  ])
  return [["peer", "req/s", "p50", "p99", "p99.9", "longest stall", "errors"], ...lines]
}

export function startTable({ starts }: Pick<Result, "starts">): Table {
  const heading = ["starts", "fastest", "median", "slowest"]
  if (starts === null) return [heading]
  const { count, least, median, most } = starts
  return [heading, [String(count), ...[least, median, most].map((ms) => `${ms.toFixed(0)} ms`)]]
}

export function memoryTable({ rows }: Pick<Result, "rows">): Table {
  const idle = rows.filter(({ idleKiB }) => idleKiB !== null)
  const lines = idle.map(({ peer, idleKiB, saturated }) => [
    titles[peer],
    number(idleKiB, 2),
    number(saturated.rssMiB, 0),
  ])
  return [["peer", "KiB for an idle client", "RSS MiB with them"], ...lines]
}

const isNumeric = (cell: string): boolean => /^-?[\d.]/.test(cell) || cell === "-"

export function asText(table: Table): string {
  const [heading = []] = table
  const widths = heading.map((_, column) =>
    Math.max(...table.map((line) => (line[column] ?? "").length)),
  )
  const cell = (text: string, column: number, line: number): string => {
    const shown = line === 0 ? (table[1]?.[column] ?? "") : text
    const width = widths[column] ?? 0
    return column > 0 && isNumeric(shown) ? text.padStart(width) : text.padEnd(width)
  }
  const lines = table.map((cells, line) => cells.map((text, at) => cell(text, at, line)).join("  "))
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`
}

/** Numbers stand right; `bunlb` stands out. The formatter does the rest. */
export function asMarkdown(table: Table): string {
  const [heading = [], first = []] = table
  const rule = heading.map((_, column) => (isNumeric(first[column] ?? "") ? "---:" : "---"))
  const line = (cells: readonly string[]): string => {
    const loud = cells.includes("bunlb") && !cells.includes("bunlb us")
    return `| ${cells.map((cell) => (loud && cell === "bunlb" ? "**bunlb**" : cell)).join(" | ")} |`
  }
  return `${[heading, rule, ...table.slice(1)].map(line).join("\n")}\n`
}
