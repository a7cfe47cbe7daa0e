/** A pool's membership among everything that acts on it, and the slow and obvious model that it is held against. */
import { expect } from "bun:test"
import { createStrategy } from "../../src/balance/create.ts"
import { Roster } from "../../src/balance/roster.ts"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import type { BackendSettings, PoolSettings } from "../../src/config/schema/settings.ts"
import { HealthBoard } from "../../src/health/board.ts"
import { NOT_CONNECTED } from "../../src/health/request-breaker.ts"
import type { SentRequest } from "../../src/health/suspects.ts"
import { type ProbeDone, Prober } from "../../src/health/prober.ts"
import { Deadlines } from "../../src/core/deadlines.ts"
import { Resolver } from "../../src/net/names/resolver.ts"
import { EventClock } from "../../src/core/clock.ts"
import { unbroken } from "../../src/core/slices.ts"
import { Figures } from "../../src/observe/figures.ts"
import type { BackendConnection } from "../../src/proxy/backend/backend-connection.ts"
import { Pool } from "../../src/proxy/backend/pool.ts"
import { Gateway } from "../../src/proxy/core/gateway.ts"
import { Upstream } from "../../src/proxy/backend/upstream.ts"
import { Membership } from "../../src/worker/membership.ts"
import { testBackend, testSettings } from "../master/settings.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"

const log = { error() {}, warn() {}, info() {}, debug() {}, debugging: false }
const NAMES = Array.from({ length: 9 }, (_, i) => `h${i}.test:80`)
export const settings = testSettings({ strategy: "round_robin" })

/** Something under way at a backend: an exchange, and its connection unless it is between two. */
interface Work {
  readonly upstream: Upstream
  readonly connection: BackendConnection | null
  readonly request: SentRequest
}

interface Probe {
  readonly upstream: Upstream
  readonly done: ProbeDone
  aborted: boolean
}

/** What was counted for each name, in all its lives. */
class Tally {
  readonly requests = new Map<string, number>()
  readonly failures = new Map<string, number>()
  readonly probes = new Map<string, number>()

  static add(counts: Map<string, number>, name: string, more = 1): void {
    counts.set(name, (counts.get(name) ?? 0) + more)
  }
}

export class World {
  readonly random: ReturnType<typeof rng>
  readonly board: HealthBoard
  readonly roster: Roster
  readonly pool: Pool
  readonly gateway: Gateway
  readonly prober: Prober
  readonly resolver: Resolver
  readonly membership: Membership
  /** As the model counts, and what those that have left were buried with. */
  readonly expected = new Tally()
  readonly past = new Tally()
  readonly work: Work[] = []
  readonly probes: Probe[] = []
  wanted: readonly BackendSettings[] = []
  rules = present(settings.pools[0])
  /** The backends are being changed, a piece at a time. */
  changing = false
  /** Before that change there were some. */
  served = false
  now = 0

  readonly #busy: boolean

  /** `busy`: while a change rests others act. */
  constructor(seed: number, busy = true) {
    this.random = rng(seed)
    const strategy = createStrategy("round_robin", () => 0)
    const health = { ...settings.health, failures: 3, successes: 1, interval: 50 }
    const wallClock = { now: () => this.now }
    this.roster = new Roster([], strategy, "try")
    this.board = new HealthBoard(0, health, wallClock, wallClock, {
      changed: (index, healthy) =>
        this.roster.setHealthy(index, healthy, this.board.serving.has(index)),
      avoidance: () => {},
      suspected: () => {},
    })
    this.prober = new Prober(0, health, { probe: (...args) => this.#probe(...args) }, this.board)
    const { roster, board, prober } = this
    this.pool = new Pool(present(settings.pools[0]), { roster, board, prober })
    this.gateway = new Gateway({
      settings,
      clock: new EventClock(),
      log,
      figures: new Figures([]),
      deadlines: new Deadlines(),
    })
    this.#busy = busy
    this.resolver = new Resolver([], (host) => this.#lookup(host), wallClock, log)
    this.membership = new Membership(
      {
        gateway: this.gateway,
        pool: this.pool,
        resolver: this.resolver,
        keepHosts: () => this.resolver.keep(new Set(this.membership.hosts)),
        random: () => 0,
        onRenewed: () => {},
        onDone: (upstream) => this.#bury(upstream),
      },
      strategy,
    )
    this.prober.start(0)
  }

  async apply(next: PoolSettings, adopt: (backendsOnly: boolean) => void): Promise<void> {
    const pauses = this.#busy ? this.#pauses() : unbroken
    const change = await this.membership.plan(next, false, pauses)
    await this.resolver.add(change.hosts)
    await pauses.rest()
    adopt(change.backendsOnly)
    this.pool.settings = next
    await this.membership.change(change, pauses)
  }

  /** A change rests here and there, and others act meanwhile. */
  #pauses() {
    const { random } = this
    return {
      get isOver() {
        return random.next() < 0.4
      },
      rest: async () => {
        await settled()
        for (let i = random.between(0, 12); i > 0; i--) this.act()
      },
    }
  }

  /** Takes a few turns of the event loop, in which others may act. */
  async #lookup(host: string) {
    for (let turn = this.random.between(0, 4); turn > 0; turn--) await settled()
    return [{ address: `10.0.0.${host.slice(1, 2)}`, family: 4 as const, ttl: 30 }]
  }

  #probe(index: number, done: ProbeDone) {
    const upstream = present(this.pool.upstreams[index])
    const probe: Probe = { upstream, done, aborted: false }
    this.probes.push(probe)
    return { connected: false, abort: () => void (probe.aborted = true) }
  }

  #bury(upstream: Upstream): void {
    const { name } = upstream.settings
    Tally.add(this.past.requests, name, upstream.figures.requests)
    Tally.add(this.past.failures, name, this.#failuresAt(upstream))
    Tally.add(this.past.probes, name, this.#probesAt(upstream))
  }

  #failuresAt({ candidate }: Upstream): number {
    return [...this.board.failures(candidate.index).values()].reduce((sum, each) => sum + each, 0)
  }

  #probesAt({ candidate: { index } }: Upstream): number {
    return (this.prober.ok[index] ?? 0) + (this.prober.failed[index] ?? 0)
  }

  /** One thing happens. */
  act(): void {
    const { random, membership } = this
    const dice = random.between(0, 9)
    if (dice <= 2) this.#begin()
    else if (dice <= 5) this.#finish()
    else if (dice <= 7) this.#answerProbe()
    else if (dice === 8) this.prober.tick((this.now += random.between(0, 60)))
    else membership.sweep()
    this.check()
  }

  #begin(): void {
    const candidate = this.roster.pick(NO_TOKEN)
    if (candidate === null) return
    const upstream = present(this.pool.upstreams[candidate.index])
    expect(upstream.gone).toBe(false)
    const connection = this.random.next() < 0.6 ? ({} as BackendConnection) : null
    upstream.beginExchange()
    if (connection !== null) upstream.connections.add(connection)
    const ticket = this.board.ticket(candidate.index)
    const request = { client: this.work.length, path: this.work.length, ticket, sentAt: this.now }
    this.work.push({ upstream, connection, request })
  }

  #finish(): void {
    const [work] = this.work.splice(this.random.between(0, this.work.length), 1)
    if (work === undefined) return
    const { upstream, connection, request } = work
    const { name } = upstream.settings
    // However late it is, what it says is said of its own backend.
    expect(this.pool.upstreams[upstream.candidate.index]).toBe(upstream)
    if (this.random.next() < 0.6) {
      upstream.figures.answered(200, 1)
      this.board.answered(upstream.candidate.index, request)
      Tally.add(this.expected.requests, name)
    } else {
      this.board.failed(upstream.candidate.index, NOT_CONNECTED, "connect refused", request)
      Tally.add(this.expected.failures, name)
    }
    if (connection !== null) upstream.connections.delete(connection)
    upstream.endExchange()
  }

  /** Sometimes one that was aborted answers all the same, and counts for nobody. */
  #answerProbe(): void {
    const [probe] = this.probes.splice(this.random.between(0, this.probes.length), 1)
    if (probe === undefined) return
    const ok = this.random.next() < 0.7
    if (!probe.aborted) {
      Tally.add(this.expected.probes, probe.upstream.settings.name)
      if (!ok) Tally.add(this.expected.failures, probe.upstream.settings.name)
    }
    probe.done(ok, "status 500", "response")
  }

  /** Other backends, while all else goes on. */
  async change(): Promise<void> {
    const { random } = this
    this.served = this.wanted.some(serves)
    const chosen = NAMES.filter(() => random.next() < 0.5)
    const before = new Map(this.wanted.map((backend) => [backend.name, backend]))
    // Most that stay are the very same, as in a change that names others.
    this.wanted = chosen.map((name) => {
      const same = random.next() < 0.7 ? before.get(name) : undefined
      const part = {
        tls: random.next() < 0.3,
        weight: random.between(1, 3),
        ...(random.next() < 0.2 && { duty: "drain" as const }),
      }
      return same ?? testBackend(name, part)
    })
    // Now and then a rule for all of them changes as well.
    if (random.next() < 0.3)
      this.rules = { ...this.rules, connections: { ...this.rules.connections } }
    const next = { ...this.rules, backends: this.wanted }
    const applied = this.apply(next, () => {
      this.changing = true
    })
    for (let i = random.between(0, 12); i > 0 && !this.changing; i--) {
      this.act()
      if (random.next() < 0.5) await settled()
    }
    await applied
    this.changing = false
    this.#checkPresent()
    this.check()
  }

  #checkPresent(): void {
    const present = this.membership.all.filter(({ gone }) => !gone)
    const names = present.map((upstream) => upstream.settings.name).toSorted()
    expect(names).toEqual(this.wanted.map(({ name }) => name).toSorted())
    for (const { settings: each } of present) {
      expect([each.host, this.resolver.addresses(each.host).length]).toEqual([each.host, 1])
    }
  }

  check(): void {
    const { membership, pool, roster } = this
    const all = membership.all
    expect(new Set(all.map(({ candidate }) => candidate.index)).size).toBe(all.length)
    for (const upstream of all) {
      expect(pool.upstreams[upstream.candidate.index]).toBe(upstream)
    }
    for (const { upstream } of this.work) expect(all).toContain(upstream)
    const present = all.filter(({ gone }) => !gone)
    const serving = present.filter(({ candidate }) => roster.isEligible(candidate.index))
    if (this.changing) this.#checkInBetween(serving)
    else this.#checkRotation(present, serving)
    this.#checkCounters()
  }

  /** Those from before serve until those of now do: never nobody, and never two of a name. */
  #checkInBetween(serving: readonly Upstream[]): void {
    const names = serving.map(({ settings: { name } }) => name)
    expect(new Set(names).size).toBe(names.length)
    if (this.served && this.wanted.some(serves)) expect(names).not.toEqual([])
    for (let i = serving.length; i > 0; i--) {
      expect(serving.map(({ candidate }) => candidate.index)).toContain(
        this.roster.pick(NO_TOKEN)?.index ?? -1,
      )
    }
  }

  #checkRotation(present: readonly Upstream[], serving: readonly Upstream[]): void {
    const { roster } = this
    const able = present.filter((upstream) => serves(upstream.settings))
    expect(serving.length > 0).toBe(able.length > 0)
    const healthy = able.filter(({ candidate }) => this.board.healthy.has(candidate.index))
    if (healthy.length > 0) expect(serving).toEqual(healthy)
    const picked = serving.map(() => roster.pick(NO_TOKEN)?.name ?? "nobody")
    expect(picked.toSorted()).toEqual(serving.map(({ candidate }) => candidate.name).toSorted())
  }

  #checkCounters(): void {
    const first = new Map<string, Upstream>()
    for (const upstream of this.membership.all) {
      if (!first.has(upstream.settings.name)) first.set(upstream.settings.name, upstream)
    }
    for (const name of NAMES) {
      const upstream = first.get(name)
      const { requests, failures, probes } = this.past
      const now = {
        requests: (requests.get(name) ?? 0) + (upstream?.figures.requests ?? 0),
        failures: (failures.get(name) ?? 0) + (upstream ? this.#failuresAt(upstream) : 0),
        probes: (probes.get(name) ?? 0) + (upstream ? this.#probesAt(upstream) : 0),
      }
      const { expected } = this
      expect([name, now]).toEqual([
        name,
        {
          requests: expected.requests.get(name) ?? 0,
          failures: expected.failures.get(name) ?? 0,
          probes: expected.probes.get(name) ?? 0,
        },
      ])
    }
  }
}

/** It does not drain. */
function serves({ duty }: BackendSettings): boolean {
  return duty === undefined
}

/** Lets every promise that is ready run its continuations. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
