/**
 * How a running fleet is steered: its configuration read again, its backends drained, weighed, added and removed by
 * hand. One thing after the other; each is judged whole before anything changes, so that what cannot be applied
 * changes nothing and says why. Resolves when every worker obeys.
 */
import { backend as backendType } from "../config/backend.ts"
import { MAX_BACKENDS } from "../config/backend.ts"
import { differenceOf, withoutRestart } from "../config/difference.ts"
import type { BackendSettings, Duty, Milliseconds, Settings } from "../config/settings.ts"
import { nameService } from "../net/name-service.ts"
import { TlsClient, forgetCas } from "../net/tls-client.ts"
import { processClock } from "../observe/clock.ts"
import { BunlbError } from "../observe/errors.ts"
import type { Log } from "../observe/log.ts"
import { type ByHand, Control } from "./control.ts"
import { type Discovered, Discovery } from "./discovery.ts"
import { type Explanation, explain } from "./explain.ts"
import type { Fleet } from "./fleet.ts"

/** What was done, or what would be. */
export interface Outcome {
  readonly changes: readonly string[]
  /** Lines that name a setting which waits for a restart. */
  readonly restart: readonly string[]
  /** All that is changed by hand and in no file. */
  readonly byHand: readonly string[]
}

/** DNS is asked this soon after a TTL has run out. */
const LOOK_MS = 100

/** Reads the configuration again, as at the start. Throws `BunlbError` with every fault. */
export type LoadSettings = () => Promise<Settings>

/** Has another take over by these settings; see succession.ts. */
export type Upgrade = (configured: Settings) => Promise<Outcome>

export interface SteeringParts {
  readonly load: LoadSettings
  readonly log: Log
  readonly upgrade: Upgrade
}

/** How long clients with its cookie may still come to a backend that drains. */
interface Grace {
  readonly timer: Timer
  readonly endsAt: Milliseconds
}

/** Why something that was asked cannot be done; `code` is for programs. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export class Steering {
  readonly #fleet: Fleet
  readonly #log: Log
  readonly #load: LoadSettings
  readonly #control = new Control()
  /** What file, environment and flags say. */
  #configured: Settings
  #turn: Promise<unknown> = Promise.resolve()
  readonly #graces = new Map<string, Grace>()
  readonly #upgrade: Upgrade
  #upgrading = false
  readonly #discovery: Discovery
  #lookups: Timer | null = null
  /** The names of those that were discovered. */
  #members: ReadonlySet<string> = new Set()

  constructor(fleet: Fleet, configured: Settings, { load, log, upgrade }: SteeringParts) {
    this.#fleet = fleet
    this.#configured = configured
    this.#load = load
    this.#log = log
    this.#upgrade = upgrade
    this.#discovery = new Discovery(
      {
        names: nameService(configured.dns.servers),
        clock: processClock,
        log,
        onChange: (line) => this.#membersChanged(line),
      },
      configured.dns,
    )
  }

  /** Finds the backends that DNS knows, as far as it answers in time. Before any worker starts. */
  async begin(): Promise<void> {
    await this.#inTurn(() => this.#apply())
  }

  /** Has the program now on disk take over. While it starts, all else that is asked for waits. */
  async upgrade(): Promise<Outcome> {
    if (this.#upgrading) throw new Refused("upgrading", "an upgrade is under way already")
    this.#upgrading = true
    return await this.#inTurn(() => this.#upgrade(this.#configured)).finally(() => {
      this.#upgrading = false
    })
  }

  /** `dry`: only says what it would do. */
  reload(dry: boolean): Promise<Outcome> {
    return this.#inTurn(async () => {
      try {
        const asked = await this.#load()
        const outcome = await this.#take(asked, dry)
        if (!dry) this.#fleet.countReload("ok")
        return outcome
      } catch (error) {
        if (!dry) this.#fleet.countReload("failed")
        if (!dry) this.#tellFailure(error)
        throw error
      }
    })
  }

  /** Drains: no new requests, except, for `graceMs`, from clients whose sticky cookie names it. */
  drain(name: string, graceMs: Milliseconds): Promise<Outcome> {
    const lingers = graceMs > 0 && this.#configured.strategy === "sticky"
    return this.#inTurn(() => {
      this.#find(name)
      this.#setDuty(name, lingers ? "linger" : "drain")
      if (lingers) this.#allow(name, graceMs)
      return this.#applyByHand(`backend ${name}: draining`)
    })
  }

  /** Takes it out at once and probes it no more; what is in flight ends. */
  disable(name: string): Promise<Outcome> {
    return this.#inTurn(() => {
      this.#find(name)
      this.#setDuty(name, "off")
      return this.#applyByHand(`backend ${name}: disabled`)
    })
  }

  /** Back to work after `drain` or `disable`. */
  enable(name: string): Promise<Outcome> {
    return this.#inTurn(() => {
      this.#find(name)
      this.#setDuty(name, undefined)
      return this.#applyByHand(`backend ${name}: enabled`)
    })
  }

  setWeight(name: string, weight: number): Promise<Outcome> {
    return this.#inTurn(() => {
      this.#find(name)
      this.#control.setWeight(name, weight)
      return this.#applyByHand(`backend ${name}: weight ${weight}`)
    })
  }

  /** `line` is as `--backend` takes it. */
  add(line: string): Promise<Outcome> {
    return this.#inTurn(() => {
      const faults: string[] = []
      const backend = backendType.read(line, (fault) => void faults.push(fault))
      if (backend === undefined) throw new Refused("bad_backend", faults.join("; "))
      const { backends } = this.effective
      if (this.#isThere(backend.name)) {
        throw new Refused("exists", `backend ${backend.name} is there already`)
      }
      if (backends.length >= MAX_BACKENDS) {
        throw new Refused("too_many", `there are ${MAX_BACKENDS} backends already`)
      }
      judgeCas([backend], this.#configured)
      this.#control.add(backend)
      return this.#applyByHand(`backend ${backend.name}: added`)
    })
  }

  remove(name: string): Promise<Outcome> {
    return this.#inTurn(() => {
      this.#find(name)
      const names = this.#control.named(this.#configured).map((backend) => backend.name)
      if (this.effective.backends.length === 1 || names.every((each) => each === name)) {
        throw new Refused("last", `backend ${name} is the last one; add another first`)
      }
      this.#setDuty(name, undefined)
      this.#control.remove(name)
      return this.#applyByHand(`backend ${name}: removed`)
    })
  }

  /** Who would get a request that brings this cookie value, or none, and why nobody else. */
  async explain(cookie: string | null): Promise<Explanation> {
    return explain(this.effective, await this.#fleet.status(), cookie)
  }

  /** What was changed by hand, for the bunlb that follows this one. */
  bequeath(): ByHand {
    const { backends } = this.#configured
    const now = processClock.now()
    return {
      ...this.#control.bequeath(),
      configured: backends.map(({ name, weight }) => ({ name, weight })),
      found: this.#discovery.bequeath(),
      graces: [...this.#graces].map(([name, { endsAt }]) => [name, Math.max(0, endsAt - now)]),
    }
  }

  /** What the bunlb before this one leaves, as far as the configuration has not changed meanwhile. */
  inherit(byHand: ByHand): void {
    this.#control.inherit(byHand)
    this.#discovery.inherit(this.#control.named(this.#configured), byHand.found)
    this.#members = this.#memberNames()
    this.#control.settle(byHand.configured, this.#configured.backends, this.#members)
    for (const [name, ms] of byHand.graces) {
      if (this.#control.dutyOf(name) === "linger") this.#allow(name, ms)
    }
  }

  /** What whoever changes something must show. */
  get token(): string | null {
    return this.#configured.adminToken
  }

  /** All that is changed by hand, one line each. */
  get byHand(): string[] {
    return this.#control.lines()
  }

  /** What was discovered, by the backends that stand for it. */
  get discovered(): readonly Discovered[] {
    return this.#discovery.list()
  }

  /** Nothing of it happens any more. */
  stop(): void {
    this.#discovery.stop()
    this.#keepAsking()
    for (const { timer } of this.#graces.values()) clearTimeout(timer)
  }

  /** What is in force: the configuration with those that were discovered, and over it what was changed by hand. */
  get effective(): Settings {
    return this.#control.over(this.#configured, (backends) => this.#discovery.expand(backends))
  }

  async #take(asked: Settings, dry: boolean): Promise<Outcome> {
    if (asked.backends.length === 0) {
      throw new BunlbError("BUNLB_E_CONFIG", "config: no backend is left, name at least one")
    }
    judgeCas(asked.backends, asked)
    const { changes, restart } = differenceOf(this.#configured, asked)
    const outcome = { changes, restart, byHand: this.byHand }
    if (dry) return outcome
    const configured = withoutRestart(this.#configured, asked)
    this.#control.settle(this.#configured.backends, configured.backends, this.#members)
    this.#configured = configured
    await this.#apply()
    for (const line of changes) this.#log.info(`reload: ${line}`)
    for (const line of restart) this.#log.warn(`reload: ${line}`)
    const end = `reloaded: ${changes.length === 0 ? "nothing has changed" : count(changes)}`
    this.#log.info(end)
    this.#fleet.note("note", end)
    return { ...outcome, byHand: this.byHand }
  }

  async #applyByHand(line: string): Promise<Outcome> {
    this.#log.info(`${line}, by hand`)
    this.#fleet.note("note", `${line}, by hand`)
    await this.#apply()
    return { changes: [line], restart: [], byHand: this.byHand }
  }

  async #apply(): Promise<void> {
    const { dns } = this.#configured
    await this.#discovery.watch(this.#control.named(this.#configured), dns)
    this.#keepAsking()
    const members = this.#memberNames()
    for (const name of this.#members) if (!members.has(name)) this.#control.forgetMember(name)
    this.#members = members
    const faults = await this.#fleet.apply(this.effective)
    for (const fault of faults) this.#log.error(`${fault}; it goes on with the settings it had`)
    if (faults.length > 0) throw new Refused("not_applied", faults.join("; "))
  }

  #memberNames(): ReadonlySet<string> {
    return new Set(this.#discovery.list().flatMap(({ members }) => members))
  }

  #keepAsking(): void {
    if (this.#lookups !== null) clearInterval(this.#lookups)
    this.#lookups = null
    if (!this.#discovery.active) return
    this.#lookups = setInterval(() => this.#discovery.tick(processClock.now()), LOOK_MS)
  }

  #membersChanged(line: string): void {
    this.#fleet.note("note", line)
    void this.#inTurn(() => this.#apply()).catch((error) => this.#log.error(String(error)))
  }

  #isThere(name: string): boolean {
    const all = [...this.#control.named(this.#configured), ...this.effective.backends]
    return all.some((backend) => backend.name === name)
  }

  /** Throws when there is no backend `name`, neither configured nor discovered. */
  #find(name: string): void {
    if (this.#isThere(name)) return
    const { backends } = this.effective
    const names = backends.slice(0, 8).map((backend) => backend.name)
    const more = backends.length > names.length ? ", ..." : ""
    throw new Refused("unknown_backend", `no backend ${name}; there are ${names.join(", ")}${more}`)
  }

  #setDuty(name: string, duty: Duty | undefined): void {
    clearTimeout(this.#graces.get(name)?.timer)
    this.#graces.delete(name)
    this.#control.setDuty(name, duty)
  }

  #allow(name: string, ms: Milliseconds): void {
    const timer = setTimeout(() => this.#endGrace(name), ms)
    this.#graces.set(name, { timer, endsAt: processClock.now() + ms })
  }

  #endGrace(name: string): void {
    void this.#inTurn(async () => {
      if (this.#control.dutyOf(name) !== "linger") return
      this.#setDuty(name, "drain")
      this.#log.info(`backend ${name}: the grace is over, its cookie counts no more`)
      await this.#apply()
    }).catch((error) => this.#log.error(String(error)))
  }

  #tellFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    for (const line of message.split("\n")) this.#log.error(`reload: ${line}`)
    // A worker that could not follow has been named; the others have.
    const end =
      error instanceof Refused
        ? "not reloaded everywhere"
        : "not reloaded: everything stays as it was"
    this.#log.error(end)
    this.#fleet.note("bad", end)
  }

  /** After all that was asked before, whatever became of it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}

/** Throws `BunlbError` for a CA file that cannot be used, before a worker finds out. */
function judgeCas(backends: readonly BackendSettings[], { insecure }: Settings): void {
  forgetCas()
  for (const { tls, host, ca } of backends) if (tls) new TlsClient(host, ca, insecure)
}

function count(changes: readonly string[]): string {
  return changes.length === 1 ? "1 change" : `${changes.length} changes`
}
