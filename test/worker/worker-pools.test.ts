/**
 * The pools of a worker against a slow and obvious model, under long random sequences: pools come, change, are removed
 * while they are busy and come back, share addresses, and fail to change; listeners turn from one to another, and some
 * keep the pool that they had until their last client has gone. After each step every listener has somebody to ask,
 * every index has one owner, and what was counted adds up for each backend of each pool.
 */
import { expect, test } from "bun:test"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import { backendLabel } from "../../src/config/schema/pools.ts"
import type { BackendSettings, PoolSettings } from "../../src/config/schema/settings.ts"
import { EventClock } from "../../src/core/clock.ts"
import { Deadlines } from "../../src/core/deadlines.ts"
import { NOT_CONNECTED } from "../../src/health/request-breaker.ts"
import type { SentRequest } from "../../src/health/suspects.ts"
import { Resolver } from "../../src/net/names/resolver.ts"
import { Figures } from "../../src/observe/figures.ts"
import type { BackendConnection } from "../../src/proxy/backend/backend-connection.ts"
import type { Pool } from "../../src/proxy/backend/pool.ts"
import type { Upstream } from "../../src/proxy/backend/upstream.ts"
import { Gateway } from "../../src/proxy/core/gateway.ts"
import { WorkerPools } from "../../src/worker/worker-pools.ts"
import { testBackend, testSettings } from "../master/settings.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"

const log = { error() {}, warn() {}, info() {}, debug() {}, debugging: false }
const POOLS = ["default", "a", "b", "c"]
/** All pools draw from these, so that most addresses are in several. */
const BACKENDS = Array.from({ length: 5 }, (_, i) => `h${i}.test:80`)
const settings = testSettings({ strategy: "round_robin" })
const template = present(settings.pools[0])
const rules = {
  ...template,
  health: { ...template.health, failures: 3, interval: 1e9, timeout: 1e9 },
}

interface Work {
  readonly pool: Pool
  readonly upstream: Upstream
  readonly request: SentRequest
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

class World {
  readonly random: ReturnType<typeof rng>
  readonly gateway: Gateway
  readonly resolver: Resolver
  readonly pools: WorkerPools
  readonly work: Work[] = []
  /** Pools of listeners that accept, by the name of the listener, and of those that are leaving. */
  readonly listeners = new Map<string, Pool>()
  readonly leaving: Pool[] = []
  wanted: readonly PoolSettings[] = []
  changing = false
  /** A pool that no settings have had so far. */
  empty: Pool | null = null
  /** Answered and failed requests by label: as the model counts, and of backends that are gone. */
  readonly expected = new Map<string, number>()
  readonly past = new Map<string, number>()
  now = 0

  constructor(seed: number) {
    this.random = rng(seed)
    const clock = new EventClock()
    this.gateway = new Gateway({
      ...{ settings, clock, log, figures: new Figures([]), deadlines: new Deadlines() },
    })
    const lookup = async () => {
      for (let turn = this.random.between(0, 3); turn > 0; turn--) await settled()
      return [{ address: "10.0.0.1", family: 4 as const, ttl: 30 }]
    }
    this.resolver = new Resolver([], lookup, { now: () => this.now }, log)
    this.wanted = [{ ...rules, name: "a", backends: [testBackend("h0.test:80")] }]
    this.pools = new WorkerPools(this.wanted, {
      gateway: this.gateway,
      resolver: this.resolver,
      random: () => 0,
      events: {
        health: ({ gone }) => expect(gone).toBeFalse(),
        renewed: (upstream, before) => expect(upstream.label).toBe(before.label),
        done: (upstream) => this.#bury(upstream),
      },
      probes: () => ({ probe: () => ({ connected: false, abort() {} }) }),
      isUsed: (pool) => this.#used.includes(pool),
      pauses: () => this.#pauses(),
    })
    this.pools.start(0)
  }

  get #used(): readonly Pool[] {
    return [...this.listeners.values(), ...this.leaving]
  }

  #pauses() {
    const { random } = this
    return {
      get isOver() {
        return random.next() < 0.4
      },
      rest: async () => {
        await settled()
        for (let i = random.between(0, 8); i > 0; i--) this.act()
      },
    }
  }

  #bury(upstream: Upstream): void {
    add(this.past, upstream.label, countOf(upstream))
  }

  act(): void {
    const { random } = this
    const dice = random.between(0, 9)
    if (dice <= 3) this.#begin()
    else if (dice <= 6) this.#finish()
    else if (dice === 7) this.leaving.splice(random.between(0, this.leaving.length), 1)
    else this.pools.tick((this.now += 20))
    this.check()
  }

  #begin(): void {
    const pool = this.#used[this.random.between(0, this.#used.length - 1)]
    const candidate = pool?.roster.pick(NO_TOKEN) ?? null
    if (pool === undefined || candidate === null) return
    const upstream = present(pool.upstreams[candidate.index])
    expect([upstream.gone, upstream.pool === pool]).toEqual([false, true])
    upstream.beginExchange()
    const ticket = pool.board.ticket(candidate.index)
    const request = { client: this.work.length, path: 0, ticket, sentAt: this.now }
    this.work.push({ pool, upstream, request })
  }

  #finish(): void {
    const [work] = this.work.splice(this.random.between(0, this.work.length), 1)
    if (work === undefined) return
    const { pool, upstream, request } = work
    const { index } = upstream.candidate
    // However late it is, what it says is said of its own backend.
    expect(pool.upstreams[index]).toBe(upstream)
    if (this.random.next() < 0.7) {
      upstream.figures.answered(200, 1)
      pool.board.answered(index, request)
    } else pool.board.failed(index, NOT_CONNECTED, "connect refused", request)
    add(this.expected, upstream.label, 1)
    upstream.endExchange()
  }

  /** Other pools and other backends of them; sometimes it fails. */
  async change(): Promise<void> {
    const { random } = this
    const names = POOLS.filter(() => random.next() < 0.6)
    if (names.length === 0) names.push("a")
    const next = names.map((name) => this.#poolOf(name))
    const fails = random.next() < 0.15
    const bad = { ...testBackend("bad.test:80"), tls: true, ca: "/nowhere.pem" }
    const last = present(next.at(-1))
    const asked = fails ? [...next.slice(0, -1), { ...last, backends: [bad] }] : next
    const applied = this.pools.apply(
      { ...settings, pools: asked },
      {
        adopt: () => void (this.changing = true),
        turn: () => this.#turn(names),
      },
    )
    if (fails) await expect(applied).rejects.toThrow("/nowhere.pem")
    else {
      await applied
      this.wanted = next
      this.changing = false
      this.#checkPresent()
    }
    this.check()
  }

  #poolOf(name: string): PoolSettings {
    const { random } = this
    const before = this.wanted.find((pool) => pool.name === name)
    if (before !== undefined && random.next() < 0.4) return before
    const backends = BACKENDS.filter(() => random.next() < 0.5).map((each): BackendSettings => {
      const known = before?.backends.find((backend) => backend.name === each)
      return known && random.next() < 0.7
        ? known
        : testBackend(each, { tls: random.next() < 0.3, weight: random.between(1, 3) })
    })
    if (backends.length === 0) backends.push(testBackend("h0.test:80"))
    const same = before !== undefined && random.next() < 0.5
    return {
      ...(same ? before : { ...rules, connections: { ...rules.connections } }),
      name,
      backends,
    }
  }

  /** Listeners turn to the pools of now; one that is removed keeps its pool until its clients have gone. */
  #turn(names: readonly string[]): void {
    for (const [listener, pool] of this.listeners) {
      if (this.random.next() < 0.8) continue
      this.leaving.push(pool)
      this.listeners.delete(listener)
    }
    for (const listener of ["x", "y", "z"]) {
      const name = present(names[this.random.between(0, names.length - 1)])
      this.listeners.set(listener, this.pools.of(name))
    }
    this.wanted = []
  }

  #checkPresent(): void {
    for (const { name, backends } of this.wanted) {
      const { upstreams } = this.pools.of(name)
      const all = this.pools.upstreams.filter(({ pool, gone }) => pool.name === name && !gone)
      const labels = backends.map((backend) => backendLabel(name, backend.name))
      expect(all.map(({ label }) => label).toSorted()).toEqual(labels.toSorted())
      for (const upstream of all) {
        expect(upstreams[upstream.candidate.index]).toBe(upstream)
        expect(this.resolver.addresses(upstream.settings.host)).toHaveLength(1)
      }
    }
  }

  check(): void {
    const all = this.pools.upstreams
    const places = all.map(({ pool, candidate }) => `${pool.name} ${candidate.index}`)
    expect(new Set(places).size).toBe(all.length)
    for (const { pool, candidate, label } of all) {
      expect(present(pool.upstreams[candidate.index]).label).toBe(label)
      expect(this.pools.all.some((managed) => managed.pool === pool)).toBeTrue()
    }
    for (const { upstream } of this.work) expect(all).toContain(upstream)
    // Whoever is accepted finds a backend, in a pool that is being removed too.
    for (const pool of this.#used) {
      if (pool !== this.empty) expect(pool.roster.pick(NO_TOKEN)).not.toBeNull()
    }
    this.#checkCounters(all)
  }

  #checkCounters(all: readonly Upstream[]): void {
    const counted = new Map(this.past)
    const seen = new Set<string>()
    // Of one label the latest has the figures of all of them, and its board the failures of all of them.
    for (const upstream of all) {
      if (!seen.has(upstream.label)) add(counted, upstream.label, countOf(upstream))
      seen.add(upstream.label)
    }
    for (const [label, count] of this.expected)
      expect([label, counted.get(label)]).toEqual([label, count])
  }

  /** No work and no leaving listener is left. */
  async rest(): Promise<void> {
    while (this.work.length > 0) this.#finish()
    this.leaving.length = 0
    for (let turn = 0; turn < 20; turn++) {
      this.pools.tick((this.now += 20))
      await settled()
    }
  }
}

function countOf({ figures, pool, candidate }: Upstream): number {
  const failures = [...pool.board.failures(candidate.index).values()]
  return figures.requests + failures.reduce((sum, each) => sum + each, 0)
}

function add(counts: Map<string, number>, label: string, more: number): void {
  counts.set(label, (counts.get(label) ?? 0) + more)
}

test.each([1, 2, 3, 4, 5, 6])("whatever happens in whatever order, seed %d", async (seed) => {
  const world = new World(seed)
  for (let round = 0; round < 80; round++) {
    await world.change()
    for (let i = world.random.between(0, 10); i > 0; i--) world.act()
    if (round % 10 < 9) continue
    await world.rest()
    const names = world.pools.all.map(({ pool }) => pool.name)
    expect(names.toSorted()).toEqual(world.wanted.map(({ name }) => name).toSorted())
    expect(new Set(names).size).toBe(names.length)
  }
})

test("a listener that names a pool before the settings do finds it as soon as they have come", async () => {
  const world = new World(7)
  await world.change()
  const early = world.pools.of("early")
  world.listeners.set("early", early)
  world.empty = early
  expect(early.roster.pick(NO_TOKEN)).toBeNull()
  const pool = { ...rules, name: "early", backends: [testBackend("h1.test:80")] }
  const steps = { adopt() {}, turn() {} }
  await world.pools.apply({ ...settings, pools: [...world.wanted, pool] }, steps)
  expect(world.pools.of("early")).toBe(early)
  expect(early.roster.pick(NO_TOKEN)?.name).toBe("h1.test:80")
})

test("when connections run out, the backend with most idle ones closes its oldest, whatever its pool", async () => {
  const world = new World(8)
  const backends = [testBackend("h0.test:80")]
  const pools = ["a", "b"].map((name) => ({ ...rules, name, backends }))
  await world.pools.apply({ ...settings, pools }, { adopt() {}, turn() {} })
  const closed: string[] = []
  for (const { label, idle } of world.pools.upstreams) {
    const count = label === "a/h0.test:80" ? 1 : 2
    idle.configure(10, 1e9)
    for (let i = 0; i < count; i++) {
      const retire = (): void => void closed.push(`${label} ${i}`)
      idle.put({ retire, pooled: false, above: null, below: null } as unknown as BackendConnection)
    }
  }
  const budget = world.gateway.backends
  budget.limit = 3
  budget.open = 2
  budget.makeRoom()
  expect(closed).toEqual([])
  budget.open = 3
  budget.makeRoom()
  expect(closed).toEqual(["b/h0.test:80 0"])
})
