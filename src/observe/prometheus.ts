/**
 * The Prometheus text format, version 0.0.4, from families and merged samples. Each family is announced once, its
 * series in a fixed order, so that two scrapes can be compared line by line. A family without a sample is left
 * out. Cost: linear in the number of series, paid at a scrape only.
 *
 * Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".
 */
import type { Family } from "./families.ts"
import type { Samples } from "./snapshot.ts"

export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

export function expose(families: readonly Family[], samples: Samples): string {
  const lines: string[] = []
  for (const family of families) {
    const series = seriesOf(family, samples)
    if (series.length > 0) lines.push(...headOf(family), ...series)
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`
}

/** The two lines that announce a family. */
export function headOf({ name, kind, help }: Family): readonly string[] {
  return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`]
}

/** The lines of a family's samples, in order. */
export function seriesOf({ name, kind }: Family, samples: Samples): string[] {
  return kind === "histogram" ? histogram(name, samples) : plain(name, samples)
}

/** `name="value"` as a label set has it; whatever the value holds, it stays one label on one line. */
export function label(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
  return `${name}="${escaped}"`
}

function plain(name: string, samples: Samples): string[] {
  return Object.entries(samples[name] ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([labels, value]) => seriesLine(name, labels, value))
}

/** The buckets of one label set, counted up to each bound. */
interface Buckets {
  readonly bounds: { readonly le: string; readonly value: number }[]
}

function histogram(name: string, samples: Samples): string[] {
  const groups = new Map<string, Buckets>()
  for (const [labels, value] of Object.entries(samples[`${name}_bucket`] ?? {})) {
    const [, rest = "", le = ""] = /^(?:(.*),)?le="([^"]*)"$/s.exec(labels) ?? []
    const group = groups.get(rest) ?? { bounds: [] }
    groups.set(rest, group)
    group.bounds.push({ le, value })
  }
  const lines: string[] = []
  for (const rest of [...groups.keys()].sort()) {
    const bounds = groups.get(rest)?.bounds ?? []
    lines.push(...oneHistogram(name, rest, bounds, samples))
  }
  return lines
}

/** The bucket of +Inf and the count are the same number by definition, so that is how they are written. */
function oneHistogram(
  name: string,
  labels: string,
  bounds: Buckets["bounds"],
  samples: Samples,
): string[] {
  const finite = bounds
    .filter(({ le }) => le !== "+Inf")
    .sort((a, b) => Number(a.le) - Number(b.le))
  const largest = finite.at(-1)?.value ?? 0
  const count =
    bounds.find(({ le }) => le === "+Inf")?.value ?? samples[`${name}_count`]?.[labels] ?? largest
  const comma = labels === "" ? "" : ","
  return [
    ...finite.map(({ le, value }) =>
      seriesLine(`${name}_bucket`, `${labels}${comma}le="${le}"`, value),
    ),
    seriesLine(`${name}_bucket`, `${labels}${comma}le="+Inf"`, count),
    seriesLine(`${name}_sum`, labels, samples[`${name}_sum`]?.[labels] ?? 0),
    seriesLine(`${name}_count`, labels, count),
  ]
}

export function seriesLine(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${number(value)}` : `${name}{${labels}} ${number(value)}`
}

function number(value: number): string {
  if (value === Infinity) return "+Inf"
  if (value === -Infinity) return "-Inf"
  return String(value)
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
}
