/**
 * Without probes (`health.type: none`) an unhealthy backend gets a clean record after `health.successes` intervals
 * and is tried again with real requests, as nginx does after `fail_timeout`.
 */
import type { HealthBoard } from "../health/board.ts"
import type { ProbeHandle, ProbeTransport, Verdicts } from "../health/prober.ts"

const handle: ProbeHandle = { connected: false, abort: () => {} }

/** Each interval counts as a success of an unhealthy backend, and as nothing for a healthy one. */
export function readmissions(board: HealthBoard): Verdicts {
  return {
    probeFailed: () => {},
    probeSucceeded: (index) => board.elapsed(index),
  }
}

/** Sends no probes. */
export const noProbes: ProbeTransport = {
  probe: (_index, done) => {
    done(true, "not probed", "nothing")
    return handle
  },
}
