/**
 * Which backend a request would get now, and of every other one why not. Told from the fleet's view: workers take
 * turns each for itself, so unless a cookie names a backend there is a share and not a name.
 */
import { formatToken, tokenOf } from "../balance/token.ts"
import type { Settings } from "../config/settings.ts"
import type { BackendStatus, FleetStatus } from "./status.ts"

export interface Verdict {
  readonly backend: string
  /** Of such requests, from 0 to 1. */
  readonly share: number
  /** `its turn comes with 1 of 2 requests`, or why it gets none. */
  readonly why: string
}

export interface Explanation {
  readonly strategy: string
  readonly verdicts: readonly Verdict[]
}

/** `cookie`: the value of the sticky cookie that the request brings, or null. */
export function explain(
  settings: Settings,
  { backends }: FleetStatus,
  cookie: string | null,
): Explanation {
  const { strategy } = settings
  const rows = settings.backends.flatMap(
    ({ name }) => backends.find((row) => row.name === name) ?? [],
  )
  const panics = settings.whenAllUnhealthy === "try" && !rows.some(isAble)
  const able = rows.filter(panics ? isOnDuty : isAble)
  const primaries = able.filter(({ backup }) => !backup)
  const eligible = primaries.length > 0 ? primaries : able
  const named = strategy === "sticky" ? rows.find(isNamedBy(cookie)) : undefined
  const lingers = named?.state === "draining" && dutyOf(settings, named.name) === "linger"
  const chosen = named && (eligible.includes(named) || lingers) ? named : undefined
  const total = eligible.reduce((sum, row) => sum + weightOf(row, strategy), 0)
  const verdicts = rows.map((row): Verdict => {
    const { name: backend } = row
    if (chosen === row) return { backend, share: 1, why: "the cookie names it" }
    if (chosen !== undefined) return { backend, share: 0, why: `the cookie names ${chosen.name}` }
    if (!eligible.includes(row)) return { backend, share: 0, why: whyNot(row) }
    const share = weightOf(row, strategy) / total
    return { backend, share, why: whyServing(row, strategy, panics) }
  })
  return { strategy, verdicts }
}

function isOnDuty({ state }: BackendStatus): boolean {
  return state !== "draining" && state !== "disabled"
}

function isAble(row: BackendStatus): boolean {
  return isOnDuty(row) && row.healthyWorkers > 0
}

function isNamedBy(cookie: string | null): (row: BackendStatus) => boolean {
  return ({ name }) => formatToken(tokenOf(name)) === cookie
}

function dutyOf({ backends }: Settings, name: string): string | undefined {
  return backends.find((backend) => backend.name === name)?.duty
}

function weightOf({ weight }: BackendStatus, strategy: Settings["strategy"]): number {
  return strategy === "weighted" || strategy === "sticky" ? weight : 1
}

function whyServing(row: BackendStatus, strategy: string, panics: boolean): string {
  if (panics) return `no backend is healthy, so all are tried: ${row.reason}`
  const backup = row.backup ? "a backup, and no primary can serve" : "healthy"
  const state =
    row.state === "degraded"
      ? `healthy for ${row.healthyWorkers} of ${row.workers} workers`
      : backup
  return strategy === "weighted" || strategy === "sticky" ? `${state}, weight ${row.weight}` : state
}

function whyNot(row: BackendStatus): string {
  if (row.state === "disabled") return `disabled ${row.reason}`
  if (row.state === "draining") return `draining ${row.reason}`
  if (row.healthyWorkers === 0) {
    const since = row.since === null ? "" : ` since ${new Date(row.since).toISOString()}`
    return `unhealthy${since}: ${row.reason}`
  }
  return "a backup, and a primary can serve"
}
