/**
 * The backends of one pool in one worker, as they come, change and go while it serves. Each has one place, its index,
 * for as long as anything refers to it: exchanges in flight, the board, the prober and the roster all know it by that.
 *
 * A backend of the same name, the same TLS and the same CA is the same backend: it keeps its connections, its health,
 * its figures and its TLS sessions. One that has left gets no new request; what is under way ends in its own time,
 * and only then is its place given to another.
 *
 * A change is made in pieces, between which requests are served by the backends from before. Those that come are made
 * first; then, in one short step, the rotation changes from the old ones to the new ones; then the old ones close what
 * they have.
 *
 * Cost: a backend that has not changed is looked at and left alone; only a change of rules for all of them works
 * through each, at most about a quarter of a millisecond at a time. Nothing per request.
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
  /** Called when hosts may be forgotten: those of no backend, in this pool or in another. */
  readonly keepHosts: () => void
  /** Chooses where rotations begin. */
  readonly random: Random
  /** Hears of a backend that began anew under its old name, with a clean record. `before` may be the same one. */
  readonly onRenewed: (upstream: Upstream, before: Upstream) => void
  /** Hears of a backend that has left and is done, while its figures are still there. */
  readonly onDone: (upstream: Upstream) => void
}

/** A change that has been prepared so far that nothing can fail any more. */
export interface PlannedChange {
  readonly settings: PoolSettings
  /** Nothing but backends has changed since the last settings. */
  readonly backendsOnly: boolean
  /** Hosts of the backends that are new or have changed; they are to be resolved before `change`. */
  readonly hosts: readonly string[]
  readonly plans: readonly (Plan | Upstream)[]
  readonly tlsTrace: boolean
}

/** Backends that one sweep frees: the others wait for the next one. */
const MOST_SWEPT = 64

/** One backend of the settings that is new or may have changed, with its TLS, which may not be there to be had. */
interface Plan {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
}

/** The rotation that is about to begin. */
interface Rotation {
  /** By ascending index. */
  readonly present: readonly Upstream[]
  /** Those that leave by it. */
  readonly dismissed: readonly Upstream[]
  readonly candidates: readonly Candidate[]
  readonly draining: ReadonlySet<number>
  readonly lingering: ReadonlySet<number>
}

/** What the tokens of sticky cookies are made with, and whether it is another one than before. */
interface StickyKey {
  readonly value: string
  readonly changed: boolean
}

export class Membership {
  readonly #parts: MembershipParts
  /** Those that serve, by ascending index. */
  #present: readonly Upstream[] = []
  readonly #presentByName = new Map<string, Upstream>()
  /** Those that will serve as soon as the change under way is ready. */
  #arriving: Upstream[] = []
  /** Those that have left and are not done yet, the latest first. */
  #leaving: readonly Upstream[] = []
  readonly #places = new IndexAllocator()
  /** Of all that are present or leaving. */
  readonly #placeOf = new Map<Upstream, IndexLease>()
  /** Hosts of backends that are about to come: their names are being resolved. */
  #coming: readonly string[] = []
  #strategy: Strategy
  #strategyName: StrategyName
  /** What the backends obey; null before the first settings, and while others are being applied. */
  #applied: PoolSettings | null = null
  #tlsTrace = false
  /** Of the settings that were applied last. */
  #stickyKey: StickyKey = { value: "", changed: false }

  /** Begins with nobody, and with the strategy that the pool's roster has. */
  constructor(parts: MembershipParts, strategy: Strategy) {
    this.#parts = parts
    this.#strategy = strategy
    this.#strategyName = parts.pool.settings.strategy
  }

  /** Those of the configuration and then those that are leaving; of one name the latest comes first. */
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

  /** The planned change is not made. */
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

  /** The backends of `plans`, of which new ones do not serve yet. */
  async #prepare(plans: readonly (Plan | Upstream)[], pauses: Pauses): Promise<Upstream[]> {
    this.sweep()
    // Only now: who was leaving before the wait may be gone meanwhile, and its place may be another's.
    const leaving = byName(this.#leaving)
    const members: Upstream[] = []
    for (const plan of plans) {
      if (pauses.isOver) await pauses.rest()
      members.push(plan instanceof Upstream ? plan : this.#settle(plan, this.#known(plan, leaving)))
    }
    return members
  }

  /** Those of the plan's name, the latest first. */
  #known({ settings: { name } }: Plan, leaving: ReadonlyMap<string, readonly Upstream[]>) {
    const present = this.#presentByName.get(name)
    // Some of those that leave may have been swept since.
    const left = (leaving.get(name) ?? []).filter((upstream) => this.#placeOf.has(upstream))
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

  /** From now on those of the rotation serve and nobody else. */
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
   * Frees the places of those who have left and are done: no connection and no exchange knows them any more. Gives how
   * many these were.
   */
  sweep(): number {
    if (this.#leaving.length === 0) return 0
    const done = new Set(this.#done())
    if (done.size === 0) return 0
    this.#leaving = this.#leaving.filter((upstream) => !done.has(upstream))
    const there = new Set(this.all.map((upstream) => upstream.settings.name))
    for (const upstream of done) {
      const { name } = upstream.settings
      // One that began anew under its name has the figures of both.
      if (!there.has(name)) this.#parts.onDone(upstream)
      there.add(name)
      this.#free(upstream)
    }
    this.#parts.keepHosts()
    return done.size
  }

  /** Not too many at once. Of one name the latest waits for the earlier ones: its figures are those of all of them. */
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
    const place = this.#placeOf.get(upstream)
    if (place === undefined) throw new Error(`${upstream.settings.name} has no place`)
    // It may be swept before its change has come to it.
    this.#parts.pool.prober.release(place.index)
    this.#placeOf.delete(upstream)
    this.#places.free(place)
    this.#parts.pool.board.release(place.index)
  }

  /** Each of them is the one that is found at its index. */
  #assertOwners(touched: readonly Upstream[]): void {
    const { upstreams } = this.#parts.pool
    for (const upstream of touched) {
      const place = this.#placeOf.get(upstream)
      if (place === undefined && upstream.gone) continue
      const { index } = upstream.candidate
      if (place?.index !== index || upstreams[index] !== upstream) {
        throw new Error(`index ${index} does not belong to ${upstream.settings.name}`)
      }
      this.#places.assertCurrent(place)
    }
  }

  #plan(settings: BackendSettings, pool: PoolSettings, tlsTrace: boolean): Plan {
    const { log } = this.#parts.gateway
    const watch = tlsTrace ? traceTls(log, backendLabel(pool.name, settings.name)) : null
    const tls = settings.tls ? new TlsClient(nameOf(settings), settings.ca, pool, watch) : null
    return { settings, tls }
  }

  /** `known`: those of the name of the plan, the latest first. The plan goes on as one of them, if it can. */
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
    // Its heir goes on with what its probes have found so far.
    if (before !== null) prober.release(before.candidate.index)
    const place = this.#keptPlace(kept) ?? this.#places.take()
    const { index } = place
    const candidate = createCandidate(settings, index, this.#stickyKey.value)
    const upstream = kept ?? new Upstream(gateway, pool, candidate, settings, resolver, tls, before)
    this.#placeOf.set(upstream, place)
    this.#leaving = this.#leaving.filter((each) => each !== kept)
    this.#arriving.push(upstream)
    const heirOf = before?.candidate.index ?? -1
    upstream.configure(candidate, settings)
    pool.upstreams[index] = upstream
    pool.board.admit(index, heirOf)
    pool.roster.admit(index)
    prober.admit(index, now, heirOf)
    if (settings.duty === "off") prober.release(index)
    if (before !== null) this.#parts.onRenewed(upstream, before)
    return upstream
  }

  #keptPlace(kept: Upstream | null): IndexLease | null {
    return kept === null ? null : (this.#placeOf.get(kept) ?? null)
  }

  #dismiss(upstream: Upstream): void {
    this.#parts.pool.prober.release(upstream.candidate.index)
    upstream.leave()
  }
}

/** Those of each name, in their order. */
function byName(upstreams: readonly Upstream[]): ReadonlyMap<string, readonly Upstream[]> {
  return Map.groupBy(upstreams, ({ settings }) => settings.name)
}

/** A CA file may have been replaced by another one of its name. */
function hasSameAuthorities({ tls, settings }: Upstream): boolean {
  return tls === null || tls.insecure || tls.options.ca === authoritiesOf(settings.ca)
}

/** The candidate itself when nothing about it has changed, so that no strategy starts over for nothing. */
function sameOrNew({ candidate }: Upstream, settings: BackendSettings, key: StickyKey) {
  const { weight, backup } = candidate
  const same = !key.changed && weight === settings.weight && backup === settings.backup
  return same ? candidate : createCandidate(settings, candidate.index, key.value)
}

/** Connections and sessions made by one are good for the other. */
function isSameTls(some: TlsClient | null, other: TlsClient | null): boolean {
  if (some === null || other === null) return some === other
  const { insecure, weak, options, watched, host } = some
  if (host !== other.host || insecure !== other.insecure || weak !== other.weak) return false
  return options.ca === other.options.ca && watched === other.watched
}
