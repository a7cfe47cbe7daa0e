/**
 * Adds, changes and removes the backends of one pool in one worker while it serves. Each backend has an index for as
 * long as anything refers to it: exchanges in flight, the board, the prober and the roster all use the index.
 *
 * A backend of the same name, the same TLS and the same CA is the same backend: it keeps its connections, its health,
 * its figures and its TLS sessions. A removed backend gets no new request. What is under way ends in its own time, and
 * only then is its index given to another backend.
 *
 * A change is made in pieces, between which the backends from before serve requests. New backends are made first; then
 * the rotation changes to the new list in one short step; then the removed backends close their connections.
 *
 * Cost: a backend that has not changed costs one comparison; a change of rules for all backends configures each of
 * them, at most about a quarter of a millisecond at a time. Nothing per request.
 */
import { createCandidate, createStrategy } from "../balance/create.ts"
import type { Random } from "../balance/random.ts"
import type { Candidate, Strategy } from "../balance/strategy.ts"
import { haveSameRules } from "../config/settings-change.ts"
import { backendLabel } from "../config/schema/pools.ts"
import type { BackendSettings, PoolSettings, StrategyName } from "../config/schema/settings.ts"
import type { Resolver } from "../net/names/resolver.ts"
import { authoritiesOf } from "../net/tls/authorities.ts"
import { TlsClient } from "../net/tls/tls-client.ts"
import { processClock } from "../core/clock.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import type { Pool } from "../proxy/backend/pool.ts"
import { Upstream, nameOf } from "../proxy/backend/upstream.ts"
import { type IndexLease, IndexAllocator } from "./index-allocator.ts"
import type { Pauses } from "../core/slices.ts"
import { traceTls } from "./tls-trace.ts"

export interface MembershipParts {
  readonly gateway: Gateway
  readonly pool: Pool
  readonly resolver: Resolver
  /** Called when some hosts may no longer be used by any backend, in this pool or in another. */
  readonly keepHosts: () => void
  /** Chooses where rotations begin. */
  readonly random: Random
  /** Called when a backend starts again under its old name, with a clean record. `before` may be the same backend. */
  readonly onRenewed: (upstream: Upstream, before: Upstream) => void
  /** Called when a removed backend is done, while its figures are still available. */
  readonly onDone: (upstream: Upstream) => void
}

/** A prepared change: making it cannot fail. */
export interface PlannedChange {
  readonly settings: PoolSettings
  /** Nothing but backends has changed since the last settings. */
  readonly backendsOnly: boolean
  /** Hosts of the backends that are new or have changed; resolve them before `change`. */
  readonly hosts: readonly string[]
  readonly plans: readonly (Plan | Upstream)[]
  readonly tlsTrace: boolean
}

/** The most backends that one sweep frees; the others wait for the next sweep. */
const MOST_SWEPT = 64

/** A backend of the settings that is new or may have changed, with its TLS client. */
interface Plan {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
}

/** The next rotation. */
interface Rotation {
  /** By ascending index. */
  readonly present: readonly Upstream[]
  /** Backends that are not in it any more. */
  readonly dismissed: readonly Upstream[]
  readonly candidates: readonly Candidate[]
  readonly draining: ReadonlySet<number>
  readonly lingering: ReadonlySet<number>
}

/** The key of the sticky cookies, and whether it differs from the one before. */
interface StickyKey {
  readonly value: string
  readonly changed: boolean
}

export class Membership {
  readonly #parts: MembershipParts
  /** The backends that serve, by ascending index. */
  #present: readonly Upstream[] = []
  readonly #presentByName = new Map<string, Upstream>()
  /** New backends of the change under way. They serve when it is ready. */
  #arriving: Upstream[] = []
  /** Removed backends that are not done yet, the latest first. */
  #leaving: readonly Upstream[] = []
  readonly #indexes = new IndexAllocator()
  /** Of all backends that are present or leaving. */
  readonly #leaseOf = new Map<Upstream, IndexLease>()
  /** Hosts of the planned change: their names are being resolved. */
  #coming: readonly string[] = []
  #strategy: Strategy
  #strategyName: StrategyName
  /** The settings in effect; null before the first ones, and while others are being applied. */
  #applied: PoolSettings | null = null
  #tlsTrace = false
  /** From the settings applied last. */
  #stickyKey: StickyKey = { value: "", changed: false }

  /** Starts without backends, and with the strategy of the pool's roster. */
  constructor(parts: MembershipParts, strategy: Strategy) {
    this.#parts = parts
    this.#strategy = strategy
    this.#strategyName = parts.pool.settings.strategy
  }

  /** The configured backends, then those that are leaving; of one name the latest comes first. */
  get all(): readonly Upstream[] {
    if (this.#arriving.length === 0 && this.#leaving.length === 0) return this.#present
    return [...this.#arriving, ...this.#present, ...this.#leaving]
  }

  /** Hosts whose addresses are needed. */
  get hosts(): readonly string[] {
    return [...this.all.map((upstream) => upstream.settings.host), ...this.#coming]
  }

  /** Number of backends that serve. */
  get size(): number {
    return this.#present.length
  }

  /**
   * Prepares a change to `settings`. Throws `BunlbError`, with nothing changed, when a CA file cannot be read. `change`
   * or `abandon` follows; there is one change at a time.
   */
  async plan(settings: PoolSettings, tlsTrace: boolean, pauses: Pauses): Promise<PlannedChange> {
    const backendsOnly =
      this.#applied !== null &&
      this.#tlsTrace === tlsTrace &&
      haveSameRules(this.#applied, settings)
    const plans: (Plan | Upstream)[] = []
    for (const backend of settings.backends) {
      const known = backendsOnly ? this.#presentByName.get(backend.name) : undefined
      const same = known?.settings === backend && hasSameAuthorities(known)
      plans.push(same ? known : this.#plan(backend, settings, tlsTrace))
      if (pauses.isOver) await pauses.rest()
    }
    const hosts = plans.flatMap((plan) => (plan instanceof Upstream ? [] : [plan.settings.host]))
    this.#coming = hosts
    return { settings, backendsOnly, hosts, plans, tlsTrace }
  }

  /** Drops the planned change. */
  abandon(): void {
    this.#coming = []
  }

  /** Makes the planned change. The pool has the new settings already. */
  async change({ settings, plans, tlsTrace }: PlannedChange, pauses: Pauses): Promise<void> {
    this.#applied = null
    const value = settings.sticky.key ?? ""
    this.#stickyKey = { value, changed: value !== this.#stickyKey.value }
    await pauses.rest()
    const members = await this.#prepare(plans, pauses)
    await pauses.rest()
    const rotation = this.#rotate(members)
    const touched = [...this.#arriving, ...rotation.dismissed]
    await pauses.rest()
    this.#change(rotation, settings)
    for (const upstream of rotation.dismissed) {
      if (pauses.isOver) await pauses.rest()
      this.#dismiss(upstream)
    }
    this.#applied = settings
    this.#tlsTrace = tlsTrace
    await pauses.rest()
    this.#assertOwners(touched)
    while (this.sweep() === MOST_SWEPT) await pauses.rest()
  }

  /** Gives the backends of `plans`; new ones do not serve yet. */
  async #prepare(plans: readonly (Plan | Upstream)[], pauses: Pauses): Promise<Upstream[]> {
    this.sweep()
    // Not before the wait: backends that were leaving then may be freed by now, and their indexes taken again.
    const leaving = byName(this.#leaving)
    const members: Upstream[] = []
    for (const plan of plans) {
      if (pauses.isOver) await pauses.rest()
      members.push(plan instanceof Upstream ? plan : this.#settle(plan, this.#known(plan, leaving)))
    }
    return members
  }

  /** The backends of the plan's name, the latest first. */
  #known({ settings: { name } }: Plan, leaving: ReadonlyMap<string, readonly Upstream[]>) {
    const present = this.#presentByName.get(name)
    // Some that were leaving may have been swept since.
    const left = (leaving.get(name) ?? []).filter((upstream) => this.#leaseOf.has(upstream))
    return present === undefined ? left : [present, ...left]
  }

  #rotate(members: Upstream[]): Rotation {
    const stays = this.#arriving.length === 0 && members.length === this.#present.length
    const staying = stays ? null : new Set(members)
    const held = members.filter(({ settings }) => settings.duty !== undefined)
    const lingering = held.filter(({ settings }) => settings.duty === "linger")
    const present = stays
      ? this.#present
      : members.sort((a, b) => a.candidate.index - b.candidate.index)
    return {
      present,
      dismissed: staying === null ? [] : this.#present.filter((each) => !staying.has(each)),
      candidates: present.map(({ candidate }) => candidate),
      draining: new Set(held.map(({ candidate }) => candidate.index)),
      lingering: new Set(lingering.map(({ candidate }) => candidate.index)),
    }
  }

  /** From now on the backends of the rotation serve, and no others. */
  #change(rotation: Rotation, { strategy, whenAllUnhealthy }: PoolSettings): void {
    const { present, dismissed, candidates, draining, lingering } = rotation
    for (const upstream of dismissed) {
      upstream.gone = true
      this.#presentByName.delete(upstream.settings.name)
    }
    for (const upstream of this.#arriving) {
      this.#presentByName.set(upstream.settings.name, upstream)
    }
    this.#present = present
    this.#arriving = []
    if (dismissed.length > 0) this.#leaving = [...dismissed, ...this.#leaving]
    this.#coming = []
    if (strategy !== this.#strategyName) {
      this.#strategy = createStrategy(strategy, this.#parts.random)
    }
    this.#strategyName = strategy
    this.#parts.pool.roster.change({
      ...{ candidates, strategy: this.#strategy, whenAllUnhealthy, draining, lingering },
    })
  }

  /**
   * Frees the indexes of removed backends that no connection and no exchange refers to any more. Returns how many these
   * were.
   */
  sweep(): number {
    if (this.#leaving.length === 0) return 0
    const done = new Set(this.#done())
    if (done.size === 0) return 0
    this.#leaving = this.#leaving.filter((upstream) => !done.has(upstream))
    const there = new Set(this.all.map((upstream) => upstream.settings.name))
    for (const upstream of done) {
      const { name } = upstream.settings
      // A backend that started again under this name continues the figures.
      if (!there.has(name)) this.#parts.onDone(upstream)
      there.add(name)
      this.#free(upstream)
    }
    this.#parts.keepHosts()
    return done.size
  }

  /** Not too many at once. Of one name the latest waits for the earlier ones, because it has the figures of all. */
  #done(): readonly Upstream[] {
    const busy = new Set<string>()
    const done: Upstream[] = []
    for (const upstream of this.#leaving.toReversed()) {
      const { name } = upstream.settings
      if (!upstream.isDone) busy.add(name)
      else if (!busy.has(name) && done.length < MOST_SWEPT) done.push(upstream)
    }
    return done.reverse()
  }

  #free(upstream: Upstream): void {
    const lease = this.#leaseOf.get(upstream)
    if (lease === undefined) throw new Error(`${upstream.settings.name} has no index`)
    // It may be swept before the change has dismissed it.
    this.#parts.pool.prober.release(lease.index)
    this.#leaseOf.delete(upstream)
    this.#indexes.free(lease)
    this.#parts.pool.board.release(lease.index)
  }

  /** Asserts that each of them is found at its index. */
  #assertOwners(touched: readonly Upstream[]): void {
    const { upstreams } = this.#parts.pool
    for (const upstream of touched) {
      const lease = this.#leaseOf.get(upstream)
      if (lease === undefined && upstream.gone) continue
      const { index } = upstream.candidate
      if (lease?.index !== index || upstreams[index] !== upstream) {
        throw new Error(`index ${index} does not belong to ${upstream.settings.name}`)
      }
      this.#indexes.assertCurrent(lease)
    }
  }

  #plan(settings: BackendSettings, pool: PoolSettings, tlsTrace: boolean): Plan {
    const { log } = this.#parts.gateway
    const watch = tlsTrace ? traceTls(log, backendLabel(pool.name, settings.name)) : null
    const tls = settings.tls ? new TlsClient(nameOf(settings), settings.ca, pool, watch) : null
    return { settings, tls }
  }

  /** `known`: the backends of the plan's name, the latest first. One of them is used again if its TLS is the same. */
  #settle({ settings, tls }: Plan, known: readonly Upstream[]): Upstream {
    const { gateway, pool, resolver } = this.#parts
    const { prober } = pool
    const now = processClock.now()
    const kept = known.find((upstream) => isSameTls(upstream.tls, tls)) ?? null
    if (kept !== null && !kept.gone) {
      const { index } = kept.candidate
      kept.configure(sameOrNew(kept, settings, this.#stickyKey), settings)
      prober.watch(index, settings.duty !== "off", now)
      return kept
    }
    const before = known[0] ?? null
    // Its successor continues the counts of its probes.
    if (before !== null) prober.release(before.candidate.index)
    const lease = this.#keptLease(kept) ?? this.#indexes.take()
    const { index } = lease
    const candidate = createCandidate(settings, index, this.#stickyKey.value)
    const upstream = kept ?? new Upstream(gateway, pool, candidate, settings, resolver, tls, before)
    this.#leaseOf.set(upstream, lease)
    this.#leaving = this.#leaving.filter((each) => each !== kept)
    this.#arriving.push(upstream)
    const predecessor = before?.candidate.index ?? -1
    upstream.configure(candidate, settings)
    pool.upstreams[index] = upstream
    pool.board.admit(index, predecessor)
    pool.roster.admit(index)
    prober.admit(index, now, predecessor)
    if (settings.duty === "off") prober.release(index)
    if (before !== null) this.#parts.onRenewed(upstream, before)
    return upstream
  }

  #keptLease(kept: Upstream | null): IndexLease | null {
    return kept === null ? null : (this.#leaseOf.get(kept) ?? null)
  }

  #dismiss(upstream: Upstream): void {
    this.#parts.pool.prober.release(upstream.candidate.index)
    upstream.leave()
  }
}

/** The backends by name, in their order. */
function byName(upstreams: readonly Upstream[]): ReadonlyMap<string, readonly Upstream[]> {
  return Map.groupBy(upstreams, ({ settings }) => settings.name)
}

/** False when the content of its CA file has changed. */
function hasSameAuthorities({ tls, settings }: Upstream): boolean {
  return tls === null || tls.insecure || tls.options.ca === authoritiesOf(settings.ca)
}

/** The same candidate if nothing about it has changed, so that no strategy starts over without need. */
function sameOrNew({ candidate }: Upstream, settings: BackendSettings, key: StickyKey) {
  const { weight, backup } = candidate
  const same = !key.changed && weight === settings.weight && backup === settings.backup
  return same ? candidate : createCandidate(settings, candidate.index, key.value)
}

/** Whether connections and sessions of one can be used by the other. */
function isSameTls(some: TlsClient | null, other: TlsClient | null): boolean {
  if (some === null || other === null) return some === other
  const { insecure, weak, options, watched, host } = some
  if (host !== other.host || insecure !== other.insecure || weak !== other.weak) return false
  return options.ca === other.options.ca && watched === other.watched
}
