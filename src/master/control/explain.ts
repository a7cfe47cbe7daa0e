/**
 * Which backend a request would get now, and of every other one why not. Told from the fleet's view: workers take
 * turns each for itself, so unless a cookie names a backend there is a share and not a name.
 *
 * Who comes from a balancer with routes asks by host and path. They are judged for their form and change nothing,
 * which the answer says.
 */
import { formatToken, tokenOf } from "../../balance/token.ts"
import { readHostPort } from "../../config/schema/address.ts"
import type { ValueType } from "../../config/schema/setting.ts"
import type { Settings } from "../../config/schema/settings.ts"
import { optional, shown, text } from "../../config/schema/value-types.ts"
import type { BackendStatus, FleetStatus } from "../figures/status.ts"

export interface Verdict {
  readonly backend: string
  /** Of such requests, from 0 to 1. */
  readonly share: number
  /** `its turn comes with 1 of 2 requests`, or why it gets none. */
  readonly why: string
}

export interface Explanation {
  readonly strategy: string
  /** What the question takes for granted, and is not so. */
  readonly note?: string
  readonly verdicts: readonly Verdict[]
}

/** What is known of the request. */
export interface Question {
  /** The value of its sticky cookie. */
  readonly cookie: string | null
  readonly host: string | null
  readonly path: string | null
}

const hostForm = "a host such as shop.example or [::1]:8080"

/** What each part of a question must look like, wherever it is asked. */
export const questionTypes: { readonly [Key in keyof Question]: ValueType<string | null> } = {
  cookie: optional(text(/^[\x21-\x7e]{1,200}$/, "the value of a cookie", "VALUE"), "none"),
  host: optional({ ...text(/./, hostForm, "HOST"), read: readAskedHost }, "any"),
  path: optional(
    text(/^\/[\x21\x22\x24-\x7e]{0,2000}$/, "a path such as /shop?page=2", "PATH"),
    "any",
  ),
}

function readAskedHost(input: unknown, refuse: (message: string) => undefined) {
  const judged = readHostPort(String(input), 1)
  if (!("fault" in judged)) return String(input)
  return refuse(`expected ${hostForm}, got ${shown(input)}, which ${judged.fault}`)
}

const SAME_FOR_ALL = "bunlb routes by neither host nor path, so the answer is the same for all"

export function explain(
  settings: Settings,
  { backends }: FleetStatus,
  { cookie, host, path }: Question,
): Explanation {
  const { strategy } = settings
  const rows = settings.backends.flatMap(
    ({ name }) => backends.find((row) => row.name === name) ?? [],
  )
  const panics = settings.whenAllUnhealthy === "try" && !rows.some(isAble)
  const able = panics ? tried(rows.filter(isOnDuty)) : rows.filter(isAble)
  const primaries = able.filter(({ backup }) => !backup)
  const eligible = primaries.length > 0 ? primaries : able
  const named = strategy === "sticky" ? rows.find(isNamedBy(cookie, settings)) : undefined
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
  return { strategy, ...((host ?? path) !== null && { note: SAME_FOR_ALL }), verdicts }
}

function isOnDuty({ state }: BackendStatus): boolean {
  return state !== "draining" && state !== "disabled"
}

/** Of backends that are all unhealthy: those that only probes are against, if there are any. */
function tried(rows: readonly BackendStatus[]): readonly BackendStatus[] {
  const serviceable = rows.filter(({ against }) => against !== undefined && against !== "requests")
  return serviceable.length > 0 ? serviceable : rows
}

function isAble(row: BackendStatus): boolean {
  return isOnDuty(row) && row.healthyWorkers > 0
}

function isNamedBy(cookie: string | null, { sticky }: Settings): (row: BackendStatus) => boolean {
  const key = sticky.key ?? ""
  return ({ name }) => formatToken(tokenOf(name, key)) === cookie
}

function dutyOf({ backends }: Settings, name: string): string | undefined {
  return backends.find((backend) => backend.name === name)?.duty
}

function weightOf({ weight }: BackendStatus, strategy: Settings["strategy"]): number {
  return strategy === "weighted" || strategy === "sticky" ? weight : 1
}

function whyServing(row: BackendStatus, strategy: string, panics: boolean): string {
  if (panics && row.against !== undefined && row.against !== "requests") {
    return `no backend is healthy, and only probes are against this one: ${row.reason}`
  }
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
