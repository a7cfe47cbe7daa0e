/** A quarter of an hour of a fleet that never was: three backends, one in trouble, for pages to show. */
import type { AdminSource } from "../../src/admin/server.ts"
import type { JournalEntry } from "../../src/master/figures/journal.ts"
import type { Moment } from "../../src/master/figures/live.ts"
import type { Rates } from "../../src/master/figures/rates.ts"
import { isUsable } from "../../src/master/figures/status.ts"
import type { BackendStatus, FleetStatus, PoolStatus } from "../../src/master/figures/status.ts"
import { rng } from "../support/until.ts"

const SECONDS = 900
const MINUTE = 60_000

export function backend(name: string, more: Partial<BackendStatus> = {}): BackendStatus {
  return {
    ...{ name, tls: false, weight: 1, backup: false, state: "up", healthyWorkers: 4, workers: 4 },
    ...{ since: Date.now() - 94 * MINUTE, reason: "2 successes", active: 14, idle: 57 },
    ...{ requests: 1_204_113, failures: 0, addresses: ["10.0.0.1"], ...more },
  }
}

export function rates(requests: number, more: Partial<Rates> = {}): Rates {
  return {
    ...{ requests, classes: [0, requests * 0.97, requests * 0.01, requests * 0.02, 0] },
    ...{
      p50: 1.8,
      p99: 14.2,
      reuse: 0.994,
      failures: 0,
      received: 310_000,
      sent: 8_400_000,
      cut: 0,
      ...more,
    },
  }
}

/** Some are well, some are not. */
export function evening(): Picture {
  const now = Date.now()
  const late = { state: "degraded", healthyWorkers: 3, since: now - 42_000, failures: 12 } as const
  const down = { state: "down", healthyWorkers: 0, since: now - 301_000, failures: 318 } as const
  const nothing = { p50: null, p99: null, reuse: null, classes: [0, 0, 0, 0, 0] }
  const rows: Picture["backends"] = [
    [backend("10.0.0.11:8080"), rates(1_204)],
    [
      backend("10.0.0.12:8080", { ...late, reason: "3 failures, last: response head late" }),
      rates(431, { p99: 210, classes: [0, 400, 2, 12, 17] }),
    ],
    [
      backend("10.0.0.13:8080", { ...down, reason: "3 failures, last: connect refused" }),
      rates(0, nothing),
    ],
    [backend("api.example.com:443", { tls: true, weight: 3 }), rates(1_206, { p50: 3.2 })],
    [backend("spare.example.com:443", { tls: true, backup: true }), rates(0, nothing)],
  ]
  return {
    backends: rows,
    journal: [
      { id: 1, at: now - 5_640_000, kind: "note", text: "bunlb 1.2.3 serves" },
      { id: 2, at: now - 301_000, kind: "bad", text: "backend 10.0.0.13:8080 is unhealthy" },
      { id: 3, at: now - 82_000, kind: "good", text: "backend 10.0.0.11:8080 is healthy again" },
    ],
  }
}

type Shares = Pick<Picture, "errorShare" | "cutShare">

/** May be changed while it is shown. */
export interface Picture {
  /** Of all answers, those that are 5xx; some of a thousand when it is left out. */
  errorShare?: number
  /** Likewise, those that are cut short; none when it is left out. */
  cutShare?: number
  /** Nothing is sent while it hangs. */
  hangs?: boolean
  backends: readonly (readonly [BackendStatus, Rates])[]
  journal: readonly JournalEntry[]
}

/** What the admin listener asks the fleet, answered with `picture`. */
export function sourceOf(picture: Picture): AdminSource {
  const moments = pastOf(Date.now(), picture)
  const status = (): FleetStatus => ({
    ...{ version: "1.2.3", mode: "mp", port: 8080, uptime: 94 * MINUTE, draining: false },
    backends: picture.backends.map(([each]) => each),
    pools: poolsOf(picture),
    workers: [0, 1, 2, 3].map((index) => ({
      ...{ index, pid: 41_200 + index, state: "serving", uptime: (94 - index * 7) * MINUTE },
      ...{ clients: 61 + index * 3, inFlight: 9 + index, restarts: index === 2 ? 1 : 0 },
    })),
  })
  return {
    health: () => ({ ok: true, reason: "ok" }),
    ready: () => ({ ok: true, reason: "ok" }),
    pulse: async () => ({ ok: true, reason: "ok" }),
    metrics: async () => [],
    status: async () => status(),
    live: async () => ({
      at: await now(picture),
      status: status(),
      whole: rates(2_841, { classes: [0, 2_720, 61, 48, (picture.errorShare ?? 0.0042) * 2_841] }),
      backends: picture.backends.map(([, each]) => each),
      moment: momentAt(Date.now(), 0.5, 0, picture),
    }),
    past: () => ({ moments, journal: picture.journal }),
  }
}

/** Each pool of the picture's backends, with a listener of its own. */
function poolsOf({ backends }: Picture): PoolStatus[] {
  const pools = Map.groupBy(backends, ([{ pool = "default" }]) => pool)
  return [...pools].map(([name, members]) => ({
    ...{ name, strategy: "round_robin", listeners: [name], backends: members.length },
    usable: members.filter(([{ state }]) => isUsable(state)).length,
  }))
}

/** With an evening's swell, and a minute in which a backend was lost. */
function pastOf(now: number, shares: Shares): Moment[] {
  const { next } = rng(7)
  return Array.from({ length: SECONDS }, (_, i) =>
    momentAt(
      ...([now - (SECONDS - i) * 1000, next(), i > 560 && i < 640 ? 1 : 0] as const),
      i > SECONDS - 60 ? shares : {},
    ),
  )
}

async function now(picture: Picture): Promise<number> {
  while (picture.hangs === true) await Bun.sleep(20)
  return Date.now()
}

function momentAt(at: number, chance: number, trouble: number, shares: Shares): Moment {
  const swell = 2_300 + 500 * Math.sin(at / 170_000) + 240 * chance
  const p50 = 1.6 + 0.4 * chance + trouble
  const p99 = 12 + 5 * chance + trouble * 38
  const share = shares.errorShare ?? (trouble * 170 * chance + 4) / swell
  const answers = [swell * (0.96 - share), swell * 0.02, swell * 0.02, swell * share] as const
  return [at, ...answers, p50, p99, 248, 42, swell * (shares.cutShare ?? 0)]
}
