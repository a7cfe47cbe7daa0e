/** How a worker ended, and what the log says of it. */
import type { BunlbError } from "../../core/errors.ts"
import type { WorkerReport } from "../../observe/snapshot.ts"
import type { Ending } from "./link.ts"

export type DeathReason = "exited" | "killed" | "hung" | "failed"

export interface Death {
  readonly reason: DeathReason
  /** `was killed by SIGKILL`, for the log. */
  readonly story: string
  readonly pid: number
  readonly livedMs: number
  readonly cpuSeconds: number
  /** True when the fleet had asked for it, or when `start` tells of it. */
  readonly expected: boolean
  /** What it last said of itself, or null when it never served. */
  readonly report: WorkerReport | null
  /** Milliseconds until the next one starts; null when none will. */
  readonly restartInMs: number | null
}

/** `failure`: what the worker said when it could not start. `silentMs`: the limit of silence that it has broken. */
export function explainDeath(
  ending: Ending,
  failure: BunlbError | null,
  silentMs: number | null,
): { reason: DeathReason; story: string } {
  if (failure !== null) return { reason: "failed", story: `failed (${failure.message})` }
  if (silentMs !== null) {
    const silence = `${silentMs / 1000} s`
    return { reason: "hung", story: `hung, silent for ${silence}, and was killed` }
  }
  if (ending.signal !== null) return { reason: "killed", story: `was killed by ${ending.signal}` }
  return { reason: "exited", story: `exited with code ${ending.code}` }
}

/** How the line on a death ends. */
export function restartStory(restartInMs: number | null): string {
  if (restartInMs === null) return ""
  return restartInMs === 0 ? "; starting it again" : `; starting it again in ${restartInMs} ms`
}
