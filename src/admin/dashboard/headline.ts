/**
 * The headline: one line that says how things are. What clients feel now comes first, then what they may feel soon.
 * Pure.
 */
import type { Moment } from "../../master/figures/live.ts"
import type {
  BackendState,
  BackendStatus,
  FleetStatus,
  PoolStatus,
} from "../../master/figures/status.ts"
import { finePercent } from "./numbers.ts"

/** Errors are counted over this time. */
const WINDOW_MS = 10_000
/** The share of failed answers from which it is a warning. */
const FEW_ERRORS = 0.01
/** The same for an alarm. */
const MANY_ERRORS = 0.05

export type Tone = "good" | "warn" | "bad"

export interface Headline {
  readonly tone: Tone
  readonly text: string
}

type Facts = Pick<FleetStatus, "draining"> & {
  readonly backends: readonly Pick<BackendStatus, "state">[]
  readonly pools?: readonly Pick<PoolStatus, "name" | "usable" | "listeners">[]
  readonly workers: readonly { readonly state: string }[]
}

export function headline(status: Facts, moments: readonly Moment[], now: number): Headline {
  const { share, kind } = latestErrors(moments, now)
  const errors = `${finePercent(share)} of answers ${kind}`
  return (
    outage(status) ??
    poolOutage(status) ??
    (share >= MANY_ERRORS ? { tone: "bad", text: errors } : null) ??
    shortage(status) ??
    (share >= FEW_ERRORS ? { tone: "warn", text: errors } : null) ??
    warning(status) ?? { tone: "good", text: allUp(status.backends.length) }
  )
}

/** Why no request is answered by a backend, or null. */
function outage({ draining, backends, workers }: Facts): Headline | null {
  if (draining) return { tone: "warn", text: "draining" }
  const bad = (text: string): Headline => ({ tone: "bad", text })
  if (!workers.some(({ state }) => state === "serving")) return bad("no worker serves")
  if (backends.length === 0) return bad("no backend is known")
  const { usable, down, held } = countStates(backends)
  if (usable > 0) return null
  if (down === 0) return bad("no usable backend: all are out by hand")
  return bad(`no usable backend: ${held === 0 ? "all are down" : "some are out by hand"}`)
}

/** The clients of some pools have no backend, while others have. A pool without a listener has no clients. */
function poolOutage({ pools = [] }: Facts): Headline | null {
  const out = pools.filter(({ usable, listeners }) => usable === 0 && listeners.length > 0)
  const [first] = out
  if (first === undefined) return null
  const text =
    out.length === 1
      ? `pool ${first.name} has no usable backend`
      : `${out.length} pools have no usable backend`
  return { tone: "bad", text }
}

/** Less than half of the backends are usable. */
function shortage({ backends }: Facts): Headline | null {
  const { usable } = countStates(backends)
  if (usable * 2 >= backends.length) return null
  return { tone: "bad", text: `only ${usable} of ${backends.length} backends usable` }
}

function warning({ backends }: Facts): Headline | null {
  const { down, degraded, held } = countStates(backends)
  const warn = (number: number, what: string): Headline => ({
    tone: "warn",
    text: `${number} of ${backends.length} backends ${what}`,
  })
  if (down > 0) return warn(down, "down")
  if (degraded > 0) return warn(degraded, "degraded")
  if (held > 0) return warn(held, "out by hand")
  return null
}

function allUp(backends: number): string {
  return backends === 1 ? "backend up" : `all ${backends} backends up`
}

function countStates(backends: Facts["backends"]) {
  const number = (...states: readonly BackendState[]): number =>
    backends.filter(({ state }) => states.includes(state)).length
  return {
    usable: number("up", "degraded"),
    degraded: number("degraded"),
    down: number("down"),
    held: number("draining", "disabled"),
  }
}

/** Of the latest answers: the share that failed for clients, and how they failed. */
function latestErrors(moments: readonly Moment[], now: number): { share: number; kind: string } {
  let answers = 0
  let failed = 0
  let incomplete = 0
  for (const moment of moments) {
    const [at, success, redirect, client, server] = moment
    if (at <= now - WINDOW_MS) continue
    answers += success + redirect + client + server
    failed += server
    incomplete += moment[9] ?? 0
  }
  const share = answers === 0 ? 0 : Math.min(1, (failed + incomplete) / answers)
  if (incomplete === 0) return { share, kind: "are 5xx" }
  return { share, kind: failed > 0 ? "are 5xx or cut short" : "are cut short" }
}
