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

/** One backend of the settings, with the one it goes on as, if there is one. */
interface Plan {
  readonly settings: BackendSettings
  readonly tls: TlsClient | null
  readonly kept: Upstream | null
  readonly before: Upstream | null
}

export class Membership {
  readonly #parts: MembershipParts
  /** Those of the configuration, by ascending index. */
  #present: readonly Upstream[] = []
  /** Those that have left and are not done yet. */
  #leaving: readonly Upstream[] = []
  readonly #free: number[] = []
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
    await this.#parts.resolver.add(settings.backends.map(({ host }) => host))
    adopt()
    this.#stickyKey = settings.sticky.key ?? ""
    this.sweep()
    const kept = new Set(plans.map(({ kept }) => kept))
    for (const upstream of this.#present) if (!kept.has(upstream)) this.#dismiss(upstream)
    const present = plans.map((plan) => this.#settle(plan))
    this.#present = present.sort((a, b) => a.candidate.index - b.candidate.index)
    const members = new Set(present)
    this.#leaving = this.#leaving.filter((upstream) => !members.has(upstream))
    this.#inform(settings)
    this.sweep()
  }

  has(name: string): boolean {
    return this.all.some((upstream) => upstream.settings.name === name)
  }

  /** Frees the places of those who have left and are done. */
  sweep(): void {
    if (this.#leaving.length === 0) return
    const done = this.#leaving.filter(({ connections }) => connections.size === 0)
    if (done.length === 0) return
    this.#leaving = this.#leaving.filter((upstream) => !done.includes(upstream))
    for (const upstream of done) {
      const { index, name } = upstream.candidate
      // One that began anew under its name has the figures of both.
      if (!this.has(name)) this.#parts.onDone(upstream)
      this.#free.push(index)
    }
    this.#parts.resolver.keep(new Set(this.all.map((upstream) => upstream.settings.host)))
  }

  #plan(settings: BackendSettings, all: Settings): Plan {
    const { log } = this.#parts.gateway
    const watch = all.tlsTrace ? traceTls(log, settings.name) : null
    const tls = settings.tls ? new TlsClient(nameOf(settings), settings.ca, all, watch) : null
    const named = this.all.filter((upstream) => upstream.settings.name === settings.name)
    const kept = named.find((upstream) => isSameTls(upstream.tls, tls)) ?? null
    return { settings, tls, kept, before: named[0] ?? null }
  }

  #settle({ settings, tls, kept, before }: Plan): Upstream {
    const { gateway, resolver, prober } = this.#parts
    const now = processClock.now()
    if (kept !== null && !kept.gone) {
      const { index } = kept.candidate
      kept.configure(sameOrNew(kept, settings, this.#stickyKey), settings)
      prober.watch(index, settings.duty !== "off", now)
      return kept
    }
    const index = kept?.candidate.index ?? this.#free.pop() ?? gateway.upstreams.length
    const candidate = createCandidate(settings, index, this.#stickyKey)
    const upstream = kept ?? new Upstream(gateway, candidate, settings, resolver, tls, before)
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

  #dismiss(upstream: Upstream): void {
    this.#leaving = [...this.#leaving, upstream]
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

/** Connections and sessions made by one are good for the other. */
function isSameTls(some: TlsClient | null, other: TlsClient | null): boolean {
  if (some === null || other === null) return some === other
  const { insecure, weak, options, watched, host } = some
  if (host !== other.host || insecure !== other.insecure || weak !== other.weak) return false
  return options.ca === other.options.ca && watched === other.watched
}
