/** The figures of the fleet: the workers' merged, and those that only the master knows. */
import { allBackends } from "../../config/schema/pools.ts"
import type { Settings } from "../../config/schema/settings.ts"
import { label } from "../../observe/prometheus.ts"
import type { Samples, WorkerReport } from "../../observe/snapshot.ts"
import type { BackendMoment } from "./backend-families.ts"
import type { BackendTable } from "./backend-table.ts"
import type { Discovered } from "./discovered.ts"
import type { RetiredCounters } from "./retired-counters.ts"
import { addLive } from "./merge.ts"
import { readProcess } from "./process-figures.ts"
import type { Slices } from "../../core/slices.ts"
import { againstOf, countHealthy, isUsable, stateOf, viewsOf } from "./status.ts"
import { version } from "../../core/version.ts"

interface ProcessName {
  /** `master` or `worker0`. */
  readonly name: string
  readonly pid: number | null
  /** CPU time of those who had the name before. */
  readonly pastCpuSeconds: number
}

export interface FleetFacts {
  readonly retired: RetiredCounters
  readonly reports: readonly WorkerReport[]
  /** Workers that accept connections. */
  readonly serving: number
  readonly discovered: readonly Discovered[]
}

/** All but the figures of backends and of processes. */
export function fleetSamples(facts: FleetFacts): Samples {
  const { retired, reports, serving } = facts
  const samples = retired.samples()
  for (const report of reports) addLive(samples, report)
  samples["bunlb_workers"] = { "": serving }
  samples["bunlb_worker_restarts_total"] = retired.restarts()
  samples["bunlb_config_reloads_total"] = retired.reloads()
  samples["bunlb_build_info"] = { [`${label("version", version)},${label("bun", Bun.version)}`]: 1 }
  for (const each of facts.discovered) addDiscovered(samples, each)
  return samples
}

/**
 * What an operator needs to know of each backend before clients feel it: whether it may be used, and why not. Adds to
 * `samples` how many there are. `workers`: those whose opinion counts.
 */
export async function backendMoments(
  samples: Samples,
  settings: Pick<Settings, "pools">,
  table: BackendTable,
  workers: ReadonlySet<number>,
  slices: Slices,
): Promise<BackendMoment[]> {
  const byName = new Map(allBackends(settings).map(({ label: name, backend }) => [name, backend]))
  const backends = [...byName.values()]
  const moments: BackendMoment[] = []
  const usable = new Map(settings.pools.map(({ name }) => [name, 0]))
  for (const totals of table.all) {
    const own = byName.get(totals.name)
    const views = viewsOf(totals, workers)
    const healthy = countHealthy(views)
    const state = own === undefined ? null : stateOf(own, views, healthy)
    if (state !== null && isUsable(state)) {
      usable.set(totals.pool, (usable.get(totals.pool) ?? 0) + 1)
    }
    const facts = { state, weight: own?.weight ?? 0, healthy: healthy > 0 }
    moments.push({ totals, ...facts, ...(state === null ? {} : againstOf(views)) })
    if (slices.isOver) await slices.rest()
  }
  samples["bunlb_backends"] = { "": backends.length }
  samples["bunlb_backends_usable"] = { "": [...usable.values()].reduce((a, b) => a + b, 0) }
  samples["bunlb_pool_backends"] = byPool(settings.pools, ({ backends: own }) => own.length)
  samples["bunlb_pool_backends_usable"] = byPool(
    settings.pools,
    ({ name }) => usable.get(name) ?? 0,
  )
  return moments
}

function byPool(
  pools: Settings["pools"],
  value: (pool: Settings["pools"][number]) => number,
): Record<string, number> {
  return Object.fromEntries(pools.map((pool) => [label("pool", pool.name), value(pool)]))
}

function addDiscovered(samples: Samples, { name, members, stale, lookups }: Discovered): void {
  const own = label("name", name)
  const set = (family: string, labels: string, value: number): void => {
    ;(samples[`bunlb_discovery_${family}`] ??= {})[labels] = value
  }
  set("members", own, members.length)
  set("stale", own, stale === "" ? 0 : 1)
  for (const [result, count] of Object.entries(lookups)) {
    set("lookups_total", `${own},${label("result", result)}`, count)
  }
  for (const member of members) set("member_info", `${own},${label("backend", member)}`, 1)
}

/** The kernel counts a process's descriptors one by one: that of each takes up to a millisecond. */
export async function addProcesses(
  samples: Samples,
  processes: readonly ProcessName[],
  slices: Slices,
): Promise<void> {
  for (const each of processes) {
    addProcess(samples, each)
    if (slices.isOver) await slices.rest()
  }
}

function addProcess(samples: Samples, { name, pid, pastCpuSeconds }: ProcessName): void {
  const labels = label("process", name)
  const series = (family: string) => (samples[`bunlb_process_${family}`] ??= {})
  /** Of two that have the name, because one follows the other, both count. */
  const add = (family: string, value: number): void => {
    series(family)[labels] = (series(family)[labels] ?? 0) + value
  }
  const figures = pid === null ? null : readProcess(pid)
  if (figures === null && pastCpuSeconds === 0) return
  add("cpu_seconds_total", pastCpuSeconds + (figures?.cpuSeconds ?? 0))
  if (figures === null) return
  add("resident_memory_bytes", figures.residentBytes)
  add("open_fds", figures.openFds)
  series("start_time_seconds")[labels] = figures.startTime
}
