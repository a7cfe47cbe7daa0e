/**
 * The states of one backend of a pool in a worker, and what each event makes of each. A state names every life of the
 * backend that is still there, the latest first:
 *
 *   serving    in the rotation, nothing is under way
 *   busy       in the rotation, an exchange is under way
 *   draining   it has left the rotation, an exchange is under way
 *   over       it has left the rotation and waits to be swept
 *
 * What is told is behind the state: `renewed` (it begins with a clean record, under its name and with its figures) and
 * `ended` (its last figures have been told, its row is free).
 */
import { describe, expect, test } from "bun:test"
import type { BackendSettings } from "../../src/config/schema/settings.ts"
import { EventClock } from "../../src/core/clock.ts"
import { Deadlines } from "../../src/core/deadlines.ts"
import { unbroken } from "../../src/core/slices.ts"
import { Resolver } from "../../src/net/names/resolver.ts"
import { Figures } from "../../src/observe/figures.ts"
import type { Pool } from "../../src/proxy/backend/pool.ts"
import type { Upstream } from "../../src/proxy/backend/upstream.ts"
import { Gateway } from "../../src/proxy/core/gateway.ts"
import { WorkerPools } from "../../src/worker/worker-pools.ts"
import { testBackend, testSettings } from "../master/settings.ts"
import { present } from "../support/present.ts"

const log = { error() {}, warn() {}, info() {}, debug() {}, debugging: false }
const settings = testSettings({ strategy: "round_robin" })
const template = present(settings.pools[0])
const rules = { ...template, health: { ...template.health, interval: 1e9, timeout: 1e9 } }
const other = testBackend("other.test:80")
const plain = testBackend("x.test:80")
const secure = { ...plain, tls: true }
const LABEL = "a/x.test:80"

class Stage {
  readonly pools: WorkerPools
  readonly told: string[] = []
  #used: Pool | null = null
  #busy: Upstream | null = null
  #now = 0

  constructor() {
    const gateway = new Gateway({
      ...{ settings, clock: new EventClock(), log, figures: new Figures([]) },
      deadlines: new Deadlines(),
    })
    const lookup = async () => [{ address: "10.0.0.1", family: 4 as const, ttl: 30 }]
    const tell = (word: string, { label }: Upstream): void => {
      if (label === LABEL) this.told.push(word)
    }
    this.pools = new WorkerPools([{ ...rules, name: "a", backends: [] }], {
      gateway,
      resolver: new Resolver([], lookup, { now: () => 0 }, log),
      random: () => 0,
      events: {
        health: () => {},
        renewed: (upstream) => tell("renewed", upstream),
        done: (upstream) => tell("ended", upstream),
      },
      probes: () => ({ probe: () => ({ connected: false, abort() {} }) }),
      isUsed: (pool) => pool === this.#used,
      pauses: () => unbroken,
    })
    this.pools.start(0)
  }

  get lives(): readonly Upstream[] {
    return this.pools.upstreams.filter(({ label }) => label === LABEL)
  }

  get state(): string {
    const words = this.lives.map((life) => {
      if (life.gone) return life === this.#busy ? "draining" : "over"
      return life === this.#busy ? "busy" : "serving"
    })
    return [words.join("+") || "absent", ...this.told].join(" ")
  }

  begin(): void {
    this.#busy = present(this.lives[0])
    this.#busy.beginExchange()
    this.#busy.figures.answered(200, 1)
  }

  end(): void {
    this.#busy?.endExchange()
    this.#busy = null
  }

  sweep(): void {
    this.pools.tick((this.#now += 1))
  }

  async apply(...backends: readonly BackendSettings[]): Promise<void> {
    await this.#apply({ ...rules, name: "a", backends: [other, ...backends] })
  }

  /** `used`: a listener that leaves still sends its clients to the pool. */
  async remove(used: boolean): Promise<void> {
    this.#used = used ? this.pools.of("a") : null
    await this.#apply({ ...rules, name: "b", backends: [other] })
  }

  async #apply(pool: typeof rules): Promise<void> {
    await this.pools.apply({ ...settings, pools: [pool] }, { adopt() {}, turn() {} })
  }
}

const states: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  absent: (stage) => stage.apply(),
  serving: (stage) => stage.apply(plain),
  busy: async (stage) => {
    await stage.apply(plain)
    stage.begin()
  },
  draining: async (stage) => {
    await present(states.busy)(stage)
    await stage.apply()
  },
  over: async (stage) => {
    await present(states.draining)(stage)
    stage.end()
  },
  "serving+draining": async (stage) => {
    await present(states.busy)(stage)
    await stage.apply(secure)
  },
}

const events: Readonly<Record<string, (stage: Stage) => Promise<void> | void>> = {
  named: (stage) => stage.apply(plain),
  weighed: (stage) => stage.apply({ ...plain, weight: 5 }),
  "with TLS": (stage) => stage.apply(secure),
  "not named": (stage) => stage.apply(),
  "exchange ends": (stage) => stage.end(),
  swept: (stage) => stage.sweep(),
  "pool removed": (stage) => stage.remove(false),
  "pool removed, in use": (stage) => stage.remove(true),
}

/** State, event, what follows. */
const table: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  absent: {
    named: "serving",
    weighed: "serving",
    "with TLS": "serving",
    "not named": "absent",
    "exchange ends": "absent",
    swept: "absent",
    "pool removed": "absent",
    "pool removed, in use": "absent",
  },
  serving: {
    named: "serving",
    weighed: "serving",
    "with TLS": "serving renewed",
    "not named": "absent ended",
    "exchange ends": "serving",
    swept: "serving",
    "pool removed": "absent ended",
    "pool removed, in use": "serving",
  },
  busy: {
    named: "busy",
    weighed: "busy",
    "with TLS": "serving+draining renewed",
    "not named": "draining",
    "exchange ends": "serving",
    swept: "busy",
    "pool removed": "draining",
    "pool removed, in use": "busy",
  },
  draining: {
    named: "busy renewed",
    weighed: "busy renewed",
    "with TLS": "serving+draining renewed",
    "not named": "draining",
    "exchange ends": "over",
    swept: "draining",
    "pool removed": "draining",
    "pool removed, in use": "draining",
  },
  over: {
    named: "serving ended",
    weighed: "serving ended",
    "with TLS": "serving ended",
    "not named": "absent ended",
    "exchange ends": "over",
    swept: "absent ended",
    "pool removed": "absent ended",
    "pool removed, in use": "over",
  },
  "serving+draining": {
    named: "busy renewed",
    weighed: "busy renewed",
    "with TLS": "serving+draining",
    "not named": "over+draining",
    "exchange ends": "serving+over",
    swept: "serving+draining",
    "pool removed": "over+draining",
    "pool removed, in use": "serving+draining",
  },
}

describe.each(Object.keys(states))("a backend that is %s", (state) => {
  test.each(Object.keys(events))("and is then %s", async (event) => {
    const stage = new Stage()
    await present(states[state])(stage)
    stage.told.length = 0
    expect(stage.state).toBe(state)
    await present(events[event])(stage)
    expect(stage.state).toBe(present(present(table[state])[event]))
    for (const { pool, candidate } of stage.pools.upstreams) {
      expect(present(pool.upstreams[candidate.index]).candidate).toBe(candidate)
    }
    // Whatever it was, nothing stays of it when nothing is under way and nobody names it.
    stage.end()
    await stage.remove(false)
    for (let turn = 0; turn < 3; turn++) stage.sweep()
    expect(stage.state).toStartWith("absent")
    expect(stage.pools.all.map(({ pool }) => pool.name)).toEqual(["b"])
  })
})
