/**
 * Without probes (`health.type: none`) an unhealthy backend gets a clean record after `health.successes` intervals
 * and is tried again with real requests, as nginx does after `fail_timeout`.
 */
import type { HealthBoard } from "../health/board.ts"
import type { ProbeHandle, Verdicts } from "../health/prober.ts"
import { Prober } from "../health/prober.ts"
import type { HealthSettings } from "../config/settings.ts"

const handle: ProbeHandle = { abort: () => {} }

/** A prober that asks nobody: a turn counts as a success of an unhealthy backend, and as nothing otherwise. */
export function readmission(size: number, health: HealthSettings, board: HealthBoard): Prober {
  const verdicts: Verdicts = {
    fail: () => {},
    succeed: (index) => {
      if (!board.healthy.has(index)) board.succeed(index)
    },
  }
  const transport = {
    probe: (_index: number, done: (ok: boolean, reason: string) => void): ProbeHandle => {
      done(true, "not probed")
      return handle
    },
  }
  return new Prober(size, health, transport, verdicts)
}
