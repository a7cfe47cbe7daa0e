/**
 * What the fleet remembers of its dead: their counters, so that no published counter ever falls when a worker
 * dies, and how they died. A worker killed between two reports takes at most one heartbeat's counts with it. What was
 * counted for backends is in backend-table.ts.
 */
import { label } from "../../observe/prometheus.ts"
import type { Samples } from "../../observe/snapshot.ts"
import { addRetired } from "./merge.ts"
import type { Death, DeathReason } from "../supervise/death.ts"

const reasons: readonly DeathReason[] = ["exited", "killed", "hung", "failed"]

export class RetiredCounters {
  readonly #samples: Samples = {}
  readonly #restarts = new Map<DeathReason, number>(reasons.map((reason) => [reason, 0]))
  readonly #cpuSeconds = new Map<number, number>()
  readonly #reloads = { ok: 0, failed: 0 }

  addDeath(index: number, death: Death): void {
    this.#cpuSeconds.set(index, this.cpuSeconds(index) + death.cpuSeconds)
    if (death.restartInMs !== null) {
      this.#restarts.set(death.reason, (this.#restarts.get(death.reason) ?? 0) + 1)
    }
    if (death.report === null) return
    addRetired(this.#samples, death.report)
  }

  /** A fresh copy, to which the living add theirs. */
  samples(): Samples {
    return structuredClone(this.#samples)
  }

  /** CPU time of all who sat in this slot before. */
  cpuSeconds(index: number): number {
    return this.#cpuSeconds.get(index) ?? 0
  }

  /** Label set -> count, every reason, so that each series exists from the start. */
  restarts(): Record<string, number> {
    const series: Record<string, number> = {}
    for (const [reason, count] of this.#restarts) series[label("reason", reason)] = count
    return series
  }

  countReload(result: "ok" | "failed"): void {
    this.#reloads[result]++
  }

  reloads(): Record<string, number> {
    const series: Record<string, number> = {}
    for (const [result, count] of Object.entries(this.#reloads)) {
      series[label("result", result)] = count
    }
    return series
  }
}
