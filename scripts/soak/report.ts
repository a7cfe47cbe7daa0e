/** The end of a soak: what was done, what failed and why, and whether bunlb is as it was before. */
import type { Faults } from "./faults.ts"
import type { Reading } from "./processes.ts"
import type { Failure, Tally } from "./tally.ts"

export interface Findings {
  readonly seed: number
  readonly minutes: number
  readonly tally: Tally
  readonly faults: Faults
  readonly readings: readonly Reading[]
  /** POSTs that reached backends more than once. */
  readonly twice: number
  /** What is not back at zero, or nothing. */
  readonly left: readonly string[]
}

/** Growth of the last third's median over the first third's that is still noise. */
const GROWTH_MIB = 32
const SHOWN = 20

/** Prints the report; true when nothing is unexplained. */
export function report(findings: Findings): boolean {
  const { tally, faults, readings, twice, left } = findings
  const causes = tally.failures.map((failure) => ({ failure, cause: faults.explain(failure) }))
  const unexplained = causes.filter(({ cause }) => cause === null).map(({ failure }) => failure)
  const growth = growthOf(readings)
  const perSecond = tally.requests / (findings.minutes * 60)
  const [p50 = 0, p99 = 0, p999 = 0] = tally.percentiles(0.5, 0.99, 0.999)
  const lines = [
    `seed ${findings.seed}, ${findings.minutes.toFixed(1)} minutes`,
    `exchanges    ${tally.requests} (${perSecond.toFixed(0)}/s)`,
    `  ${counted(tally.byKind)}`,
    `faults       ${faults.list.length}`,
    `  ${counted(countBy(faults.list, ({ name }) => name))}`,
    `errors       ${tally.failures.length}, ${unexplained.length} unexplained`,
    ...[...countBy(causes, ({ failure, cause }) => `${cause?.name ?? "NO CAUSE"}: ${failure.what}`)]
      .toSorted()
      .map(([name, count]) => `  ${String(count).padStart(6)}  ${name}`),
    `POST twice   ${twice}`,
    `latency      p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, p999 ${p999.toFixed(2)} ms`,
    `RSS          ${series(readings, ({ rssMiB }) => rssMiB)} MiB, growth ${growth.toFixed(1)} MiB`,
    `descriptors  ${series(readings, ({ descriptors }) => descriptors)}`,
    `left over    ${left.length === 0 ? "nothing" : left.join(", ")}`,
    ...unexplained.slice(0, SHOWN).map((failure) => `UNEXPLAINED  ${described(failure)}`),
  ]
  console.log(lines.join("\n"))
  return unexplained.length === 0 && twice === 0 && left.length === 0 && growth <= GROWTH_MIB
}

function countBy<T>(items: readonly T[], name: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(name(item), (counts.get(name(item)) ?? 0) + 1)
  return counts
}

function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(", ")
}

function described({ kind, what, from, to }: Failure): string {
  return `${kind}: ${what}, from ${from.toFixed(0)} to ${to.toFixed(0)} ms`
}

/** At most some twenty values, evenly spread. */
function series(readings: readonly Reading[], value: (reading: Reading) => number): string {
  const step = Math.max(1, Math.ceil(readings.length / SHOWN))
  return readings
    .filter((_, index) => index % step === 0 || index === readings.length - 1)
    .map((reading) => value(reading).toFixed(0))
    .join(" ")
}

function growthOf(readings: readonly Reading[]): number {
  const third = Math.floor(readings.length / 3)
  if (third === 0) return 0
  return median(readings.slice(-third)) - median(readings.slice(third, 2 * third))
}

function median(readings: readonly Reading[]): number {
  const sorted = readings.map(({ rssMiB }) => rssMiB).toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}
