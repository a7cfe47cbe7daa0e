/**
 * Which backend a request would get now, and of every other one why not. Told from the fleet's view: workers take
 * turns each for itself, so unless a cookie names a backend there is a share and not a name.
 *
 * Who comes from a balancer with routes asks by host and path. They are judged for their form and change nothing,
 * which the answer says. The listener chooses the pool, so the answer is for one of them.
 */
import { formatToken, tokenOf } from "../../balance/token.ts"
import { readHostPort } from "../../config/schema/address.ts"
import type { ValueType } from "../../config/schema/setting.ts"
import { DEFAULT_NAME, backendLabel, splitLabel, usedPools } from "../../config/schema/pools.ts"
import type { PoolSettings, Settings } from "../../config/schema/settings.ts"
import { didYouMean } from "../../config/schema/spelling.ts"
import { optional, shown, text } from "../../config/schema/value-types.ts"
import type { BackendStatus, FleetStatus } from "../figures/status.ts"
import { requirePool } from "./meant-backends.ts"
import { Refused } from "./refused.ts"

export interface Verdict {
  readonly backend: string
  /** Of such requests, from 0 to 1. */
  readonly share: number
  /** `its turn comes with 1 of 2 requests`, or why it gets none. */
  readonly why: string
}

export interface Explanation {
  /** The pool that the answer is for; older versions have one and do not say it. */
  readonly pool?: string
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
  /** The listener that it comes to, or its pool: one of the two at most. */
  readonly listener?: string | null
  readonly pool?: string | null
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/
const hostForm = "a host such as shop.example or [::1]:8080"

/** What each part of a question must look like, wherever it is asked. */
export const questionTypes: Readonly<Record<keyof Question, ValueType<string | null>>> = {
  cookie: optional(text(/^[\x21-\x7e]{1,200}$/, "the value of a cookie", "VALUE"), "none"),
  host: optional({ ...text(/./, hostForm, "HOST"), read: readAskedHost }, "any"),
  path: optional(
    text(/^\/[\x21\x22\x24-\x7e]{0,2000}$/, "a path such as /shop?page=2", "PATH"),
    "any",
  ),
  listener: optional(text(NAME, "the name of a listener", "NAME"), "default"),
  pool: optional(text(NAME, "the name of a pool", "NAME"), "that of the listener"),
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
  question: Question,
): Explanation {
  const { cookie, host, path } = question
  const pool = poolFor(settings, question)
  const { strategy } = pool
  const byName = new Map(backends.map((row) => [row.name, row]))
  const rows = pool.backends.flatMap(({ name }) => byName.get(backendLabel(pool.name, name)) ?? [])
  const panics = pool.whenAllUnhealthy === "try" && !rows.some(isAble)
  const able = panics ? tried(rows.filter(isOnDuty)) : rows.filter(isAble)
  const primaries = able.filter(({ backup }) => !backup)
  const eligible = primaries.length > 0 ? primaries : able
  const named = strategy === "sticky" ? rows.find(isNamedBy(cookie, pool)) : undefined
  const lingers = named?.state === "draining" && dutyOf(pool, named.name) === "linger"
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
  const notes = [
    ...((host ?? path) === null ? [] : [SAME_FOR_ALL]),
    ...otherPools(settings, question, pool.name),
  ]
  const note = notes.length === 0 ? {} : { note: notes.join("; ") }
  return { pool: pool.name, strategy, ...note, verdicts }
}

/** Where neither listener nor pool is asked for: that of the listener `default`, or of the first one. */
function poolFor({ listeners, pools }: Settings, { listener = null, pool = null }: Question) {
  if (listener !== null && pool !== null) {
    throw new Refused("bad_value", "listener and pool exclude each other")
  }
  const names = listeners.map(({ name }) => name)
  if (listener !== null && !names.includes(listener)) {
    const advice = didYouMean(listener, names) || `; there are ${names.join(", ")}`
    throw new Refused("unknown_listener", `there is no listener ${listener}${advice}`)
  }
  const usual = names.includes(DEFAULT_NAME) ? DEFAULT_NAME : names[0]
  const entrance = listeners.find(({ name }) => name === (listener ?? usual))
  const wanted = pool ?? entrance?.pool ?? DEFAULT_NAME
  requirePool(
    wanted,
    pools.map(({ name }) => name),
  )
  const found = pools.find(({ name }) => name === wanted)
  if (found === undefined) throw new Refused("unknown_pool", `there is no pool ${wanted}`)
  return found
}

/** Nobody has said which pool, and there are others. */
function otherPools(settings: Settings, { listener, pool }: Question, told: string): string[] {
  const others = usedPools(settings).filter(({ name }) => name !== told)
  if ((listener ?? pool ?? null) !== null || others.length === 0) return []
  const names = others.map(({ name }) => name).join(", ")
  return [`this is for pool ${told}; name another with pool, or a listener: ${names}`]
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

function isNamedBy(
  cookie: string | null,
  { sticky }: PoolSettings,
): (row: BackendStatus) => boolean {
  const key = sticky.key ?? ""
  // A cookie holds the name within the pool.
  return ({ name }) => formatToken(tokenOf(splitLabel(name).name, key)) === cookie
}

function dutyOf({ name: pool, backends }: PoolSettings, label: string): string | undefined {
  return backends.find(({ name }) => backendLabel(pool, name) === label)?.duty
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
