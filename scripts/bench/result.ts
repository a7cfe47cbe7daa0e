/** What a run of the bench has found, and what follows from it. Also the form of `--json`. */
import type { Stall, Starts } from "./extras.ts"
import type { Machine } from "./machine.ts"
import type { Effort, Measured } from "./measure.ts"
import type { PeerName } from "./peers.ts"
import type { ScenarioName } from "./scenarios.ts"

export interface Result {
  /** YYYY-MM-DD. */
  readonly date: string
  readonly command: string
  readonly machine: Machine
  readonly effort: Effort
  /** Load average before the run: the machine's other work. */
  readonly loadBefore: number
  readonly rows: readonly Row[]
  readonly stalls: readonly Stall[]
  readonly starts: Starts | null
}

export interface Row extends Measured {
  readonly scenario: ScenarioName
  /** Its CPU for a request as a ratio to each other peer's. */
  readonly ratios: Readonly<Partial<Record<PeerName, number>>>
  /** The same to the better of nginx and HAProxy; null when neither was there. */
  readonly ratio: number | null
}

export function rowsOf(scenario: ScenarioName, measured: readonly Measured[]): Row[] {
  return measured.map((own) => {
    const others = measured.filter(({ peer }) => peer !== own.peer)
    const ratios = Object.fromEntries(
      others.map(({ peer, saturated }) => [peer, own.saturated.cpuUs / saturated.cpuUs]),
    )
    const rivals = measured.filter(({ peer }) => peer === "nginx" || peer === "haproxy")
    const best = Math.min(...rivals.map(({ saturated }) => saturated.cpuUs))
    const ratio = rivals.length === 0 ? null : own.saturated.cpuUs / best
    return { scenario, ...own, ratios, ratio }
  })
}

export function errorsOf(rows: readonly Row[]): number {
  return rows.reduce((sum, row) => sum + row.saturated.errors + (row.paced?.errors ?? 0), 0)
}
