/**
 * The backends of one worker, as they come, change and go while it serves. Each has one place, its index, for as
 * long as anything refers to it: exchanges in flight, the board, the prober and the roster all know it by that.
 *
 * A backend of the same name, the same TLS and the same CA is the same backend: it keeps its connections, its health,
 * its figures and its TLS sessions. One that has left gets no new request; what is under way ends in its own time,
 * and only then is its place given to another.
 *
 * Cost: linear in the number of backends for each change; nothing per request.
 */
import { createCandidate, createStrategy } from "../balance/create.ts"
import type { Random } from "../balance/random.ts"
import type { Strategy } from "../balance/strategy.ts"
import type { BackendSettings, Settings, StrategyName } from "../config/settings.ts"
import type { Prober } from "../health/prober.ts"
import type { Resolver } from "../net/resolver.ts"
import { TlsClient } from "../net/tls-client.ts"
import { processClock } from "../observe/clock.ts"
import type { Gateway } from "../proxy/gateway.ts"
import { Upstream, nameOf } from "../proxy/upstream.ts"
import { type Place, Places } from "./places.ts"
import { traceTls } from "./tls-trace.ts"

export interface MembershipParts {
  readonly gateway: Gateway
  readonly resolver: Resolver
  readonly prober: Prober
  /** Chooses where rotations begin. */
  readonly random: Random
  /** Hears of a backend that began anew under its old name, with a clean record. */
  readonly onRenewed: (upstream: Upstream) => void
  /** Hears of a backend that has left and is done, while its figures are still there. */
  readonly onDone: (upstream: Upstream) => void
}

/** One backend of the settings, with its TLS, which may not be there to be had. */
interface Plan {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
}

export class Membership {
  readonly #parts: MembershipParts
  /** Those of the configuration, by ascending index. */
  #present: readonly Upstream[] = []
  /** Those that have left and are not done yet, the latest first. */
  #leaving: readonly Upstream[] = []
  readonly #places = new Places()
  /** Of all that are present or leaving. */
  readonly #placeOf = new Map<Upstream, Place>()
  /** Hosts of backends that are about to come: their names are being resolved. */
  #coming: readonly string[] = []
  #strategy: Strategy
  #strategyName: StrategyName
  /** Of the settings that `apply` was last given. */
  #stickyKey = ""

  /** Begins with nobody, and with the strategy that the gateway's roster has. */
  constructor(parts: MembershipParts, strategy: Strategy) {
    this.#parts = parts
    this.#strategy = strategy
    this.#strategyName = parts.gateway.settings.strategy
  }

  /** Those of the configuration and then those that are leaving. */
  get all(): readonly Upstream[] {
    return this.#leaving.length === 0 ? this.#present : [...this.#present, ...this.#leaving]
  }

  /**
   * Makes the backends those of `settings`, as soon as the names of new ones have resolved, or 3 s later. Throws
   * `BunlbError`, with nothing changed, when a CA file cannot be read. `adopt` is called right before the change.
   */
  async apply(settings: Settings, adopt: () => void): Promise<void> {
    const plans = settings.backends.map((backend) => this.#plan(backend, settings))
    this.#coming = settings.backends.map(({ host }) => host)
    try {
      await this.#parts.resolver.add(this.#coming)
      adopt()
    } catch (error) {
      this.#coming = []
      throw error
    }
    this.#stickyKey = settings.sticky.key ?? ""
    this.sweep()
    // Only now: who was there before the wait may have left meanwhile, and its place may be another's.
    const before = this.#byName()
    const keeps = plans.map((plan) => keptOf(plan, before))
    const kept = new Set(keeps)
    for (const upstream of this.#present) if (!kept.has(upstream)) this.#dismiss(upstream)
    const present = plans.map((plan, at) => {
      return this.#settle(plan, keeps[at], before.get(plan.settings.name)?.[0] ?? null)
    })
    this.#present = present.sort((a, b) => a.candidate.index - b.candidate.index)
    const members = new Set(present)
    this.#leaving = this.#leaving.filter((upstream) => !members.has(upstream))
    this.#coming = []
    this.#inform(settings)
    this.sweep()
    this.#assertOwners()
  }

  has(name: string): boolean {
    return this.all.some((upstream) => upstream.settings.name === name)
  }

  /** Frees the places of those who have left and are done: no connection and no exchange knows them any more. */
  sweep(): void {
    if (this.#leaving.length === 0) return
    const done = this.#done()
    if (done.length === 0) return
    this.#leaving = this.#leaving.filter((upstream) => !done.includes(upstream))
    const there = new Set(this.all.map((upstream) => upstream.settings.name))
    for (const upstream of done) {
      const { name } = upstream.settings
      // One that began anew under its name has the figures of both.
      if (!there.has(name)) this.#parts.onDone(upstream)
      there.add(name)
      this.#free(upstream)
    }
    const hosts = this.all.map((upstream) => upstream.settings.host)
    this.#parts.resolver.keep(new Set([...hosts, ...this.#coming]))
  }

  /** Of one name the latest waits for the earlier ones, for its figures are those of all of them. */
  #done(): readonly Upstream[] {
    const busy = new Set<string>()
    const done: Upstream[] = []
    for (const upstream of this.#leaving.toReversed()) {
      const { name } = upstream.settings
      if (!upstream.isDone) busy.add(name)
      else if (!busy.has(name)) done.unshift(upstream)
    }
    return done
  }

  #free(upstream: Upstream): void {
    const place = this.#placeOf.get(upstream)
    if (place === undefined) throw new Error(`${upstream.settings.name} has no place`)
    this.#placeOf.delete(upstream)
    this.#places.free(place)
    this.#parts.gateway.board.release(place.index)
  }

  /** Each backend that is present or leaving is the one that is found at its index. */
  #assertOwners(): void {
    const { upstreams } = this.#parts.gateway
    for (const upstream of this.all) {
      const place = this.#placeOf.get(upstream)
      const { index } = upstream.candidate
      if (place?.index !== index || upstreams[index] !== upstream) {
        throw new Error(`index ${index} does not belong to ${upstream.settings.name}`)
      }
      this.#places.assertCurrent(place)
    }
  }

  /** Those of each name, the latest first. */
  #byName(): Map<string, Upstream[]> {
    const named = new Map<string, Upstream[]>()
    for (const upstream of this.all) {
      const others = named.get(upstream.settings.name)
      if (others === undefined) named.set(upstream.settings.name, [upstream])
      else others.push(upstream)
    }
    return named
  }

  #plan(settings: BackendSettings, all: Settings): Plan {
    const { log } = this.#parts.gateway
    const watch = all.tlsTrace ? traceTls(log, settings.name) : null
    const tls = settings.tls ? new TlsClient(nameOf(settings), settings.ca, all, watch) : null
    return { settings, tls }
  }

  /** `kept`: the one that the plan goes on as. `before`: the latest of its name. */
  #settle({ settings, tls }: Plan, kept: Upstream | null, before: Upstream | null): Upstream {
    const { gateway, resolver, prober } = this.#parts
    const now = processClock.now()
    if (kept !== null && !kept.gone) {
      const { index } = kept.candidate
      kept.configure(sameOrNew(kept, settings, this.#stickyKey), settings)
      prober.watch(index, settings.duty !== "off", now)
      return kept
    }
    const place = this.#keptPlace(kept) ?? this.#places.take()
    const { index } = place
    const candidate = createCandidate(settings, index, this.#stickyKey)
    const upstream = kept ?? new Upstream(gateway, candidate, settings, resolver, tls, before)
    this.#placeOf.set(upstream, place)
    const heirOf = before?.candidate.index ?? -1
    upstream.configure(candidate, settings)
    gateway.upstreams[index] = upstream
    gateway.board.admit(index, heirOf)
    gateway.roster.admit(index)
    prober.admit(index, now, heirOf)
    if (settings.duty === "off") prober.release(index)
    if (before !== null) this.#parts.onRenewed(upstream)
    return upstream
  }

  #keptPlace(kept: Upstream | null): Place | null {
    return kept === null ? null : (this.#placeOf.get(kept) ?? null)
  }

  #dismiss(upstream: Upstream): void {
    this.#leaving = [upstream, ...this.#leaving]
    this.#parts.prober.release(upstream.candidate.index)
    upstream.leave()
  }

  #inform({ strategy, whenAllUnhealthy }: Settings): void {
    if (strategy !== this.#strategyName) {
      this.#strategy = createStrategy(strategy, this.#parts.random)
    }
    this.#strategyName = strategy
    const held = this.#present.filter(({ settings }) => settings.duty !== undefined)
    const lingering = held.filter(({ settings }) => settings.duty === "linger")
    this.#parts.gateway.roster.change({
      candidates: this.#present.map(({ candidate }) => candidate),
      strategy: this.#strategy,
      whenAllUnhealthy,
      draining: new Set(held.map(({ candidate }) => candidate.index)),
      lingering: new Set(lingering.map(({ candidate }) => candidate.index)),
    })
  }
}

/** The candidate itself when nothing about it has changed, so that no strategy starts over for nothing. */
function sameOrNew({ candidate }: Upstream, settings: BackendSettings, stickyKey: string) {
  const fresh = createCandidate(settings, candidate.index, stickyKey)
  const { weight, backup, token } = candidate
  const same = weight === fresh.weight && backup === fresh.backup && token === fresh.token
  return same ? candidate : fresh
}

/** The one of the same name whose connections and sessions the plan can use. */
function keptOf({ settings, tls }: Plan, before: ReadonlyMap<string, Upstream[]>): Upstream | null {
  const named = before.get(settings.name) ?? []
  return named.find((upstream) => isSameTls(upstream.tls, tls)) ?? null
}

/** Connections and sessions made by one are good for the other. */
function isSameTls(some: TlsClient | null, other: TlsClient | null): boolean {
  if (some === null || other === null) return some === other
  const { insecure, weak, options, watched, host } = some
  if (host !== other.host || insecure !== other.insecure || weak !== other.weak) return false
  return options.ca === other.options.ca && watched === other.watched
}
