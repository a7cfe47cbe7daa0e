/**
 * One pool of a worker, put together: what the data path sees of it (`Pool`), its members, its probes, and what follows
 * from a change of a backend's health.
 */
import { createStrategy } from "../balance/create.ts"
import type { Random } from "../balance/random.ts"
import { Roster } from "../balance/roster.ts"
import { SlowStart } from "../balance/slow-start.ts"
import type { PoolSettings } from "../config/schema/settings.ts"
import { processClock } from "../core/clock.ts"
import type { Pauses } from "../core/slices.ts"
import { HealthBoard } from "../health/board.ts"
import { type ProbeTransport, Prober } from "../health/prober.ts"
import type { Resolver } from "../net/names/resolver.ts"
import type { KnownUnhealthy } from "../observe/snapshot.ts"
import { Pool } from "../proxy/backend/pool.ts"
import { type Upstream, hostOf } from "../proxy/backend/upstream.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import { Membership, type PlannedChange } from "./membership.ts"
import { Probes } from "./probe.ts"
import { noProbes, readmissions } from "./readmission.ts"
import { VanishedBackends } from "./vanished-backends.ts"

/** Receives what happens to the backends of all pools. */
export interface PoolEvents {
  /** The health of a backend that is in the configuration has changed. */
  health(upstream: Upstream, healthy: boolean, reason: string): void
  /** A backend began anew under its old name. `before` may be the same one. */
  renewed(upstream: Upstream, before: Upstream): void
  /** A backend has left and is done; its figures are still there. */
  done(upstream: Upstream): void
}

export interface ManagedPoolParts {
  readonly gateway: Gateway
  readonly resolver: Resolver
  /** Chooses where rotations begin. */
  readonly random: Random
  readonly events: PoolEvents
  /** Called when hosts may be forgotten. */
  readonly keepHosts: () => void
  /** Sends the probes of a pool in the place of real ones. */
  readonly probes?: (pool: Pool) => ProbeTransport
}

const wallClock = { now: () => Date.now() }

export class ManagedPool {
  readonly pool: Pool
  readonly membership: Membership
  readonly #parts: ManagedPoolParts
  readonly #slowStart: SlowStart
  readonly #vanished: VanishedBackends
  #started = false

  /** Begins without backends: `change` brings them. */
  constructor(settings: PoolSettings, parts: ManagedPoolParts) {
    const { gateway, random, events } = parts
    const { health, whenAllUnhealthy } = settings
    this.#parts = parts
    this.#slowStart = new SlowStart(gateway.clock, Math.random)
    const strategy = createStrategy(settings.strategy, random)
    const roster = new Roster([], strategy, whenAllUnhealthy, this.#slowStart, random)
    const board = new HealthBoard(0, health, gateway.clock, wallClock, {
      changed: (index, healthy, reason) => this.#healthChanged(index, healthy, reason),
      avoidance: (index, avoids, cause, reason) => this.#avoids(index, avoids, cause, reason),
      suspected: (index) => this.#suspected(index),
    })
    const prober = new Prober(0, health, noProbes, board)
    this.pool = new Pool(settings, { roster, board, prober })
    this.#vanished = new VanishedBackends(this.pool.upstreams, health.failures)
    this.membership = new Membership(
      {
        ...parts,
        pool: this.pool,
        onRenewed: (upstream, before) => {
          events.renewed(upstream, before)
          events.health(upstream, true, "configured anew")
        },
        onDone: (upstream) => events.done(upstream),
      },
      strategy,
    )
  }

  /** Makes a change that its membership has planned. */
  async change(change: PlannedChange, pauses: Pauses): Promise<void> {
    if (change.backendsOnly) this.pool.settings = change.settings
    else this.#configure(change.settings)
    await this.membership.change(change, pauses)
    this.#expectReturn()
  }

  #configure(settings: PoolSettings): void {
    const { health } = settings
    const { pool } = this
    pool.configure(settings)
    this.#slowStart.configure(health.slowStart)
    this.#vanished.configure(health.failures)
    const probed = health.type !== "none"
    const transport = probed ? this.#createProbes() : noProbes
    const verdicts = probed ? pool.board : readmissions(pool.board)
    pool.prober.configure(health, transport, verdicts, processClock.now())
  }

  #createProbes(): ProbeTransport {
    const { gateway, probes } = this.#parts
    const { pool } = this
    const { health, timeouts, hostHeader } = pool.settings
    if (probes !== undefined) return probes(pool)
    return new Probes({
      onEnd: (index, reached) => this.#vanished.note(index, reached),
      target: (index) => {
        const { settings, tls, addresses } = pool.at(index)
        return { settings, tls, addresses, host: hostHeader ?? hostOf(settings) }
      },
      health,
      timeouts,
      acceptsBareLf: () => gateway.settings.http.bareLf === "accept",
      deadlines: gateway.deadlines,
      direct: gateway.direct,
      clock: processClock,
    })
  }

  /** A backend that is known to be unhealthy begins as unhealthy. */
  recall(known: readonly KnownUnhealthy[], recalled: (known: KnownUnhealthy) => void): void {
    const { board, roster } = this.pool
    for (const { label, candidate } of this.membership.all) {
      const found = known.find(({ backend }) => backend === label)
      if (found === undefined) continue
      const { since, reason, against = "requests" } = found
      board.recall(candidate.index, since, reason, against ?? "requests")
      roster.setHealthy(candidate.index, false, against !== "requests")
      recalled(found)
    }
    this.#expectReturn()
  }

  /** Sends the first probes; does nothing when it has been called before. */
  start(now: number): void {
    if (!this.#started) this.pool.prober.start(now)
    this.#started = true
  }

  tick(now: number): void {
    this.pool.prober.tick(now)
    this.#vanished.sweep()
    this.membership.sweep()
  }

  /** Closes idle connections to addresses that `host` no longer stands for. */
  addressesGone(host: string, gone: ReadonlySet<string>): void {
    for (const upstream of this.membership.all) {
      if (upstream.settings.host === host) {
        upstream.idle.retireWhere(({ target }) => gone.has(target.ip))
      }
    }
  }

  stop(): void {
    this.pool.prober.stop()
    for (const upstream of this.membership.all) {
      for (const connection of upstream.connections) connection.abort()
    }
  }

  #expectReturn(): void {
    const { board, roster } = this.pool
    if (roster.allUnhealthy) board.expectReturn(roster.anyEligible)
  }

  #healthChanged(index: number, healthy: boolean, reason: string): void {
    const { board, roster } = this.pool
    const upstream = this.pool.at(index)
    if (healthy !== roster.isHealthy(index)) {
      upstream.transitions[healthy ? "healthy" : "unhealthy"]++
      if (!healthy) upstream.idle.retireWhere(() => true)
    }
    roster.setHealthy(index, healthy, board.serving.has(index))
    if (!healthy) this.#expectReturn()
    if (!upstream.gone) this.#parts.events.health(upstream, healthy, reason)
  }

  /** Without probes there is no way to find out more. */
  #suspected(index: number): void {
    const { settings, prober } = this.pool
    if (settings.health.type !== "none") prober.hurry(index, processClock.now())
  }

  #avoids(index: number, avoids: boolean, cause: string, reason: string): void {
    const { label } = this.pool.at(index)
    const { log } = this.#parts.gateway
    if (avoids) log.warn(`backend ${label}: requests of ${cause} go to other backends: ${reason}`)
    else log.info(`backend ${label}: gets all requests again`)
  }
}
