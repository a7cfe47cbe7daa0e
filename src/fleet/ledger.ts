/**
 * What the fleet remembers of its dead: their counters, so that no published counter ever falls when a worker
 * dies, and how they died. A worker killed between two reports takes at most one heartbeat's counts with it.
 */
import type { Settings } from "../config/settings.ts"
import { isCounted } from "../observe/families.ts"
import { label } from "../observe/prometheus.ts"
import type { Samples } from "../observe/snapshot.ts"
import { addRetired } from "./merge.ts"
import type { Death, DeathReason } from "./slot.ts"
import type { BackendPast } from "./status.ts"

const reasons: readonly DeathReason[] = ["exited", "killed", "hung", "failed"]

/** Backends that have left, of which dead workers had counted something. */
const MOST_GONE = 64

export class Ledger {
  readonly #samples: Samples = {}
  readonly #backends = new Map<string, { requests: number; failures: number }>()
  /** Backends that have left, the latest last. */
  readonly #gone = new Set<string>()
  readonly #restarts = new Map<DeathReason, number>(reasons.map((reason) => [reason, 0]))
  readonly #cpuSeconds = new Map<number, number>()
  readonly #reloads = { ok: 0, failed: 0 }

  bury(index: number, death: Death): void {
    this.#cpuSeconds.set(index, this.cpuSeconds(index) + death.cpuSeconds)
    if (death.restartInMs !== null) {
      this.#restarts.set(death.reason, (this.#restarts.get(death.reason) ?? 0) + 1)
    }
    if (death.report === null) return
    addRetired(this.#samples, death.report)
    for (const { name, requests, failures } of death.report.backends) {
      const past = this.#backends.get(name) ?? { requests: 0, failures: 0 }
      past.requests += requests
      past.failures += failures
      this.#backends.set(name, past)
    }
  }

  /**
   * The backends that there are. What was counted for others stays, but for those that left longest ago when there are
   * too many of them; what they held is gone.
   */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#backends.keys()) {
      if (names.has(name)) this.#gone.delete(name)
      else this.#gone.add(name)
    }
    for (const name of [...this.#gone].slice(0, -MOST_GONE)) {
      this.#gone.delete(name)
      this.#backends.delete(name)
    }
    const kept = labelsOf([...names, ...this.#gone, ""])
    const there = labelsOf([...names, ""])
    for (const [name, series] of Object.entries(this.#samples)) {
      const sound = isCounted(name) ? kept : there
      for (const labels of Object.keys(series)) {
        const backend = /^backend="[^"]*"/.exec(labels)?.[0]
        if (backend !== undefined && !sound.has(backend)) delete series[labels]
      }
    }
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

  past(backend: Settings["backends"][number]): BackendPast {
    const { name, tls, weight, backup, duty, member } = backend
    const { requests, failures } = this.#backends.get(name) ?? { requests: 0, failures: 0 }
    const of = member === undefined ? {} : { of: member.of }
    const past = { name, tls, weight, backup, requests, failures, ...of }
    return duty === undefined ? past : { ...past, duty }
  }
}

function labelsOf(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => label("backend", name)))
}
