/**
 * Many workers' figures as one, by the rule that each family states. What a dead worker counted stays counted;
 * what it held (gauges) is gone, but its series stays, at 0, so that a graph shows a fall and not a gap.
 */
import { families } from "../../observe/families.ts"
import type { Family } from "../../observe/families.ts"
import { label } from "../../observe/prometheus.ts"
import type { Samples, WorkerReport } from "../../observe/snapshot.ts"

const familyOfSample = new Map<string, Family>()
for (const family of families) {
  if (family.kind !== "histogram") familyOfSample.set(family.name, family)
  else
    for (const part of ["bucket", "sum", "count"])
      familyOfSample.set(`${family.name}_${part}`, family)
}

/** Adds what a living worker reports to `total`. */
export function addLive(total: Samples, worker: Pick<WorkerReport, "index" | "samples">): void {
  add(total, worker, (_, value) => value)
}

/** Adds the last report of a dead worker to `total`. */
export function addRetired(total: Samples, worker: Pick<WorkerReport, "index" | "samples">): void {
  add(total, worker, (family, value) => (family.kind === "gauge" ? 0 : value))
}

/** Samples of a family that is not published, or that only the fleet sets, are ignored. */
function add(
  total: Samples,
  worker: Pick<WorkerReport, "index" | "samples">,
  worth: (family: Family, value: number) => number,
): void {
  for (const [name, series] of Object.entries(worker.samples)) {
    const family = familyOfSample.get(name)
    if (family === undefined || family.merge === "fleet") continue
    const sums = (total[name] ??= {})
    for (const [labels, value] of Object.entries(series)) {
      const key = family.merge === "worker" ? withWorker(labels, worker.index) : labels
      const before = sums[key] ?? 0
      const own = worth(family, value)
      sums[key] = family.merge === "max" ? Math.max(before, own) : before + own
    }
  }
}

function withWorker(labels: string, index: number): string {
  const own = label("worker", String(index))
  return labels === "" ? own : `${labels},${own}`
}
