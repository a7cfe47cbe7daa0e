/**
 * The pools of one worker, by name, as they come, change and go while it serves. What a change of the settings does not
 * touch goes on as it was: health, figures, connections, exchanges and tunnels. A pool that is removed serves the last
 * clients of the listeners that named it; then its backends leave, each when its work is done.
 *
 * A change is planned for all pools before any of them is changed, so that one that fails changes none.
 */
import type { PoolSettings, Settings } from "../config/schema/settings.ts"
import { processClock } from "../core/clock.ts"
import type { Pauses } from "../core/slices.ts"
import type { Resolver } from "../net/names/resolver.ts"
import type { Pool } from "../proxy/backend/pool.ts"
import type { Upstream } from "../proxy/backend/upstream.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import { ManagedPool, type ManagedPoolParts } from "./managed-pool.ts"
import type { PlannedChange } from "./membership.ts"

export interface WorkerPoolsParts extends Omit<ManagedPoolParts, "keepHosts"> {
  readonly gateway: Gateway
  readonly resolver: Resolver
  /** Whether a listener with clients sends its requests to this pool. */
  readonly isUsed: (pool: Pool) => boolean
  /** When a change of so many backends rests, so that requests are served meanwhile. */
  readonly pauses: (backends: number) => Pauses
}

type Changes = readonly (readonly [ManagedPool, PlannedChange])[]

/** What else the worker does when it applies settings. */
export interface ApplySteps {
  /** Called right before the first pool changes. It may throw: then nothing has changed. */
  adopt(): void
  /** Called when all pools of the settings are ready, and none has been removed: listeners may turn to them. */
  turn(): void
}

export class WorkerPools {
  readonly #parts: WorkerPoolsParts
  readonly #byName = new Map<string, ManagedPool>()
  /** Those of the settings; all others are being removed. */
  #wanted: ReadonlySet<string> = new Set()
  #started = false
  #applying = false
  /** The backends of removed pools are being told to leave. */
  #removal: Promise<void> | null = null

  /** Begins with the pools of these settings; their backends come with `apply`. */
  constructor(settings: readonly PoolSettings[], parts: WorkerPoolsParts) {
    this.#parts = parts
    parts.gateway.backends.retireIdle = () => this.#retireIdle()
    for (const pool of settings) this.#create(pool)
    this.#wanted = new Set(settings.map(({ name }) => name))
  }

  get all(): readonly ManagedPool[] {
    return [...this.#byName.values()]
  }

  /** The backends of all pools; of those with one label the latest comes first. */
  get upstreams(): readonly Upstream[] {
    return this.all.flatMap(({ membership }) => membership.all)
  }

  /**
   * The pool of this name. For a name that no settings have had so far it is one without backends, which they come to
   * with `apply`.
   */
  of(name: string): Pool {
    const known = this.#byName.get(name)
    if (known !== undefined) return known.pool
    const [other] = this.all
    if (other === undefined) throw new Error("a worker has a pool")
    return this.#create({ ...other.pool.settings, name, backends: [] }).pool
  }

  /**
   * Makes the pools those of `settings`, as soon as the names of new backends have resolved, or 3 s later. Throws
   * `BunlbError`, with nothing changed, when a CA file cannot be read. Call it again only when it has resolved.
   */
  async apply(settings: Settings, steps: ApplySteps): Promise<void> {
    this.#applying = true
    try {
      await this.#removal
      await this.#change(settings, steps)
    } finally {
      this.#applying = false
    }
    await this.#remove()
  }

  async #change(settings: Settings, steps: ApplySteps): Promise<void> {
    const pauses = this.#pausesFor(settings.pools)
    const changes = await this.#plan(settings, steps, pauses)
    this.#wanted = new Set(settings.pools.map(({ name }) => name))
    for (const [managed, change] of changes) await managed.change(change, pauses)
    if (this.#started) this.start()
    steps.turn()
  }

  async #plan({ pools, tlsTrace }: Settings, steps: ApplySteps, pauses: Pauses): Promise<Changes> {
    try {
      const changes: [ManagedPool, PlannedChange][] = []
      for (const pool of pools) {
        const managed = this.#byName.get(pool.name) ?? this.#create(pool)
        changes.push([managed, await managed.membership.plan(pool, tlsTrace, pauses)])
      }
      await this.#parts.resolver.add(changes.flatMap(([, { hosts }]) => hosts))
      await pauses.rest()
      steps.adopt()
      return changes
    } catch (error) {
      for (const { membership } of this.all) membership.abandon()
      throw error
    }
  }

  /** Closes an idle connection to the backend that has most of them. */
  #retireIdle(): void {
    let richest: Upstream | null = null
    for (const { pool } of this.all) {
      for (const upstream of pool.upstreams) {
        if (richest === null || upstream.idle.size > richest.idle.size) richest = upstream
      }
    }
    richest?.idle.retireOldest()
  }

  #pausesFor(pools: readonly PoolSettings[]): Pauses {
    const coming = pools.reduce((sum, { backends }) => sum + backends.length, 0)
    const present = this.all.reduce((sum, { membership }) => sum + membership.size, 0)
    return this.#parts.pauses(coming + present)
  }

  #create(settings: PoolSettings): ManagedPool {
    const keepHosts = (): void => this.#keepHosts()
    const managed = new ManagedPool(settings, { ...this.#parts, keepHosts })
    this.#byName.set(settings.name, managed)
    return managed
  }

  /** Sends the first probes of pools that have sent none. */
  start(now = processClock.now()): void {
    this.#started = true
    for (const managed of this.all) managed.start(now)
  }

  tick(now: number): void {
    for (const managed of this.all) managed.tick(now)
    if (this.#applying || this.#removal !== null) return
    for (const { pool, membership } of this.all) {
      if (!this.#isUnused(pool)) continue
      if (membership.all.length === 0) this.#forget(pool)
      else if (membership.size > 0) void this.#remove()
    }
  }

  stop(): void {
    for (const managed of this.all) managed.stop()
  }

  #isUnused(pool: Pool): boolean {
    return !this.#wanted.has(pool.name) && !this.#parts.isUsed(pool)
  }

  /** The backends of removed pools leave, as soon as no listener names the pool any more. */
  #remove(): Promise<void> {
    return (this.#removal ??= this.#removeUnused().finally(() => {
      this.#removal = null
    }))
  }

  async #removeUnused(): Promise<void> {
    for (const managed of this.all) {
      const { pool, membership } = managed
      if (!this.#isUnused(pool) || membership.size === 0) continue
      const pauses = this.#parts.pauses(membership.size)
      const change = await membership.plan({ ...pool.settings, backends: [] }, false, pauses)
      await managed.change(change, pauses)
    }
  }

  #forget(pool: Pool): void {
    pool.prober.stop()
    this.#byName.delete(pool.name)
  }

  /** Forgets the addresses of hosts that no backend has any more. */
  #keepHosts(): void {
    this.#parts.resolver.keep(new Set(this.all.flatMap(({ membership }) => membership.hosts)))
  }
}
