/**
 * What the fleet says of itself: its figures for Prometheus, its status, and how it moves. Everything that grows with
 * the number of backends is made in slices, so that the master is never away from its workers for long.
 */
import { allBackends } from "../../config/schema/pools.ts"
import type { BackendSettings, Settings } from "../../config/schema/settings.ts"
import type { SeriesChunk } from "../../observe/backend-series.ts"
import { processClock } from "../../core/clock.ts"
import type { Samples, WorkerReport } from "../../observe/snapshot.ts"
import { BackendTable } from "./backend-table.ts"
import { reportsOf, type WorkerSet } from "../supervise/worker-set.ts"
import type { Discovered } from "./discovered.ts"
import { exposeFleet } from "./exposition.ts"
import { addProcesses, backendMoments, fleetSamples } from "./figures.ts"
import { RetiredCounters } from "./retired-counters.ts"
import { Recorder, type Live, type Past } from "./live.ts"
import { Slices } from "../../core/slices.ts"
import type { Death } from "../supervise/death.ts"
import { portOf } from "../supervise/listening.ts"
import type { Slot } from "../supervise/slot.ts"
import {
  backendRows,
  listenerRow,
  planOf,
  poolRows,
  socketsInUse,
  takesOrders,
  workerRow,
} from "./status.ts"
import type { FleetStatus } from "./status.ts"
import { version } from "../../core/version.ts"

/** What is shown, as it is now. */
export interface Shown {
  readonly settings: Settings
  readonly workers: WorkerSet
  readonly draining: boolean
  readonly discovered: readonly Discovered[]
  readonly byHand: readonly string[]
  isHeldByHand(backend: BackendSettings, pool: string): boolean
}

export class Overview {
  readonly retired = new RetiredCounters()
  readonly recorder: Recorder
  readonly #shown: () => Shown
  readonly #table = new BackendTable()
  readonly #startedAt = processClock.now()

  constructor(shown: () => Shown, past: Past | undefined) {
    this.#shown = shown
    this.recorder = new Recorder(past)
  }

  /** The backends are those of `settings`. */
  keep(settings: Settings): void {
    this.#table.keep(new Set(allBackends(settings).map(({ label }) => label)))
  }

  /** A piece of what a worker tells of its backends. */
  series(slot: Slot, chunk: SeriesChunk): void {
    this.#table.apply(slot.id, chunk)
  }

  /** A worker has told all of that. */
  reported(slot: Slot): void {
    this.#table.settle(slot.id)
  }

  died(slot: Slot, death: Death): void {
    this.retired.addDeath(slot.index, death)
    this.#table.retire(slot.id)
  }

  /** Call it about once a second. */
  record(): void {
    // By a number that no other has, so that rates are of one and the same worker.
    const reports: WorkerReport[] = []
    for (const { id, lastReport } of this.#shown().workers.all) {
      if (lastReport !== null) reports.push({ ...lastReport, index: id })
    }
    this.recorder.record(reports, this.#table, Date.now())
  }

  /** The figures of now in Prometheus text form, in pieces. */
  async metrics(): Promise<Uint8Array<ArrayBuffer>[]> {
    const { workers, settings, discovered } = this.#shown()
    await refresh(workers)
    const { slots, leaving } = workers
    const processes = [...leaving, ...slots].map((slot) => ({
      name: `worker${slot.index}`,
      pid: slot.pid === process.pid ? null : slot.pid,
      pastCpuSeconds: slots.includes(slot) ? this.retired.cpuSeconds(slot.index) : 0,
    }))
    const samples: Samples = fleetSamples({
      retired: this.retired,
      reports: reportsOf([...slots, ...leaving]),
      serving: workers.serving.length,
      discovered,
    })
    const slices = slicesFor(settings)
    const master = { name: "master", pid: process.pid, pastCpuSeconds: 0 }
    await addProcesses(samples, [master, ...processes], slices)
    const backends = await backendMoments(samples, settings, this.#table, idsOf(slots), slices)
    return await exposeFleet(samples, backends, slices)
  }

  async status(): Promise<FleetStatus> {
    await refresh(this.#shown().workers)
    return await this.#statusNow(slicesFor(this.#shown().settings))
  }

  /** As of the last heartbeats: asks no worker. */
  async live(): Promise<Live> {
    const slices = slicesFor(this.#shown().settings)
    const status = await this.#statusNow(slices)
    return await this.recorder.live(status, this.#table, Date.now(), slices)
  }

  async #statusNow(slices: Slices): Promise<FleetStatus> {
    const { settings, workers, draining, discovered, byHand, isHeldByHand } = this.#shown()
    const { slots, leaving } = workers
    const plans = allBackends(settings).map((each) => {
      return planOf(each, isHeldByHand(each.backend, each.pool))
    })
    const backends = await backendRows(plans, this.#table, idsOf(slots), slices)
    return {
      ...(discovered.length === 0 ? {} : { discovered }),
      ...(byHand.length === 0 ? {} : { byHand }),
      control: takesOrders(settings),
      version,
      pid: process.pid,
      mode: settings.mode,
      sockets: socketsInUse(settings),
      port: portOf(workers.listeners),
      listeners: workers.listeners.map((each) => listenerRow(each, reportsOf(workers.all))),
      uptime: Math.round(processClock.now() - this.#startedAt),
      draining,
      workers: [...slots, ...leaving].map(workerRow),
      pools: poolRows(settings, backends),
      backends,
    }
  }
}

function slicesFor({ mode }: Settings): Slices {
  return new Slices(mode === "sp")
}

function idsOf(slots: readonly Slot[]): ReadonlySet<number> {
  return new Set(slots.map(({ id }) => id))
}

/** Read when all have answered, so that one who dies meanwhile is counted among the dead alone. */
async function refresh(workers: WorkerSet): Promise<void> {
  await Promise.all(workers.all.map((slot) => slot.refresh()))
}
