/**
 * Faults at random: one at a time, with quiet in between, each written down with its time and with the errors that
 * it may cause. An error that no fault explains is a fault of bunlb's.
 */
import type { Rng } from "../../test/support/until.ts"
import type { BackendProcess } from "./backend-process.ts"
import type { Failure } from "./tally.ts"

export interface Fault {
  readonly name: string
  readonly from: number
  /** Exchanges that began later are none of its business. */
  to: number
  /** Kind and error: "GET: reset". */
  readonly explains: RegExp
}

interface Target {
  readonly backends: readonly BackendProcess[]
  workerPids(): Promise<number[]>
  /** Has bunlb take over a configuration with these backends; null leaves one out. */
  reload(weights: readonly (number | null)[]): void
}

type Disturbance = () => Promise<void>

/** For what was under way when a process died. */
const DEATH_MS = 300
/** A body that lasts until the connection closes cannot tell a death from its end (RFC 9112 section 6.3). */
const cutByDeath = /: (status 502|reset)$|^tunnel: end$|^until close: a wrong body/
/** A worker is killed in every so-manieth fault: more often would be a crash loop, which bunlb slows down. */
const WORKER_EVERY = 6

export class Faults {
  readonly list: Fault[] = []
  readonly #target: Target
  readonly #random: Rng
  /** The longest that bunlb waits for a frozen backend. */
  readonly #patienceMs: number
  readonly #ended: Promise<void>
  #stopped = false

  constructor(target: Target, random: Rng, patienceMs: number) {
    this.#target = target
    this.#random = random
    this.#patienceMs = patienceMs
    this.#ended = this.#run()
  }

  /** Resolves when all is whole again. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#ended
  }

  /** The fault that explains an error, or null. */
  explain(failure: Failure): Fault | null {
    const isCause = ({ from, to, explains }: Fault): boolean =>
      from <= failure.to && failure.from <= to && explains.test(`${failure.kind}: ${failure.what}`)
    return this.list.find(isCause) ?? null
  }

  async #run(): Promise<void> {
    for (let count = 1; ; count++) {
      const until = performance.now() + this.#random.between(4_000, 12_000)
      while (!this.#stopped && performance.now() < until) await Bun.sleep(100)
      if (this.#stopped) return
      if (count % WORKER_EVERY === 0) await this.#killWorker()
      else await this.#random.pick(this.#others)()
    }
  }

  readonly #others: readonly [Disturbance, ...Disturbance[]] = [
    () => this.#killBackend(),
    () => this.#freezeBackend(),
    () => this.#reload(),
  ]

  async #killWorker(): Promise<void> {
    const pids = await this.#target.workerPids()
    const pid = pids[this.#random.between(0, pids.length - 1)]
    if (pid === undefined) return
    const fault = this.#begin("worker killed", /: (reset|end)$/)
    process.kill(pid, "SIGKILL")
    fault.to = performance.now() + DEATH_MS
  }

  async #killBackend(): Promise<void> {
    const backend = this.#backend()
    const fault = this.#begin("backend killed", cutByDeath)
    await backend.kill()
    fault.to = performance.now() + DEATH_MS
    await Bun.sleep(this.#random.between(500, 4_000))
    await backend.start()
  }

  async #freezeBackend(): Promise<void> {
    const backend = this.#backend()
    const fault = this.#begin("backend frozen", /: (status 50[24]|reset)$|^tunnel: end$/)
    backend.freeze()
    await Bun.sleep(this.#random.between(200, 4_000))
    backend.thaw()
    fault.to = performance.now() + this.#patienceMs
  }

  /** Not a fault, and no excuse for anything: weights change, one backend goes and comes back. */
  async #reload(): Promise<void> {
    const { backends } = this.#target
    const fault = this.#begin("backend removed and added", /(?!)/)
    const leaves = this.#random.between(0, backends.length - 1)
    const weights = backends.map((_, at) => (at === leaves ? null : this.#random.between(1, 5)))
    this.#target.reload(weights)
    await Bun.sleep(this.#random.between(500, 3_000))
    this.#target.reload(backends.map(() => 1))
    fault.to = performance.now()
  }

  #backend(): BackendProcess {
    const { backends } = this.#target
    const backend = backends[this.#random.between(0, backends.length - 1)]
    if (backend === undefined) throw new Error("there is no backend")
    return backend
  }

  #begin(name: string, explains: RegExp): Fault {
    const fault = { name, from: performance.now(), to: Infinity, explains }
    this.list.push(fault)
    return fault
  }
}
