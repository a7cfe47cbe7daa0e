/**
 * How a running fleet is steered: its configuration read again, its backends drained, weighed, added and removed by
 * hand. One thing after the other; each is judged whole before anything changes, so that what cannot be applied
 * changes nothing and says why. Resolves when every worker obeys.
 */
import { MAX_BACKENDS } from "../../config/schema/backend.ts"
import { differenceOf, withoutRestart } from "../../config/difference.ts"
import { DEFAULT_NAME, withBackends } from "../../config/schema/pools.ts"
import type { BackendSettings, Milliseconds, Settings } from "../../config/schema/settings.ts"
import { isHeld } from "../../net/linux/activation.ts"
import {
  addAuthorities,
  authorityChanges,
  putAuthoritiesInEffect,
  readAllAuthorities,
} from "../../net/tls/authorities.ts"
import { nameService } from "../../net/names/name-service.ts"
import { processClock } from "../../core/clock.ts"
import type { Log } from "../../core/log.ts"
import { checkBackends, checkCa, readBackend } from "./backend-checks.ts"
import { type ByHand, Overrides, type Word } from "./overrides.ts"
import type { Discovered } from "../figures/discovered.ts"
import { Discovery } from "./discovery.ts"
import { type Explanation, type Question, explain } from "./explain.ts"
import type { ControlledFleet } from "./controlled-fleet.ts"
import { DrainGraces } from "./drain-graces.ts"
import {
  type Change,
  type SaveBackends,
  withBackend,
  withDuty,
  withWeight,
  withoutBackend,
} from "./saved-changes.ts"
import type { Outcome, Reloads } from "./outcome.ts"
import { Refused } from "./refused.ts"
import type { FleetStatus } from "../figures/status.ts"
import { SerialQueue } from "./serial-queue.ts"
import { UnreportedAuthorities } from "./unreported-authorities.ts"

/** Reads the configuration again, as at the start. Throws `BunlbError` with every fault. */
export type LoadSettings = () => Promise<Settings>

/** Has another take over by these settings; see succession.ts. */
type Upgrade = (configured: Settings) => Promise<Outcome>

export interface ControlParts {
  readonly load: LoadSettings
  readonly log: Log
  readonly upgrade: Upgrade
  readonly keep: SaveBackends
  readonly reloads: Reloads
}

export class Control {
  readonly #fleet: ControlledFleet
  readonly #log: Log
  readonly #load: LoadSettings
  readonly #control = new Overrides()
  /** What file, environment and flags say. */
  #configured: Settings
  readonly #turns = new SerialQueue()
  readonly #graces = new DrainGraces((name) => this.#endGrace(name))
  readonly #upgrade: Upgrade
  readonly #keep: SaveBackends
  readonly #reloads: Reloads
  #upgrading = false
  readonly #unseen = new UnreportedAuthorities()
  readonly #discovery: Discovery
  /** The names of those that were discovered. */
  #members: ReadonlySet<string> = new Set()

  constructor(fleet: ControlledFleet, configured: Settings, parts: ControlParts) {
    const { load, log, upgrade, keep, reloads } = parts
    this.#fleet = fleet
    this.#configured = configured
    this.#load = load
    this.#log = log
    this.#upgrade = upgrade
    this.#keep = keep
    this.#reloads = reloads
    this.#discovery = new Discovery(
      {
        names: nameService(configured.dns),
        clock: processClock,
        log,
        onChange: (line) => this.#membersChanged(line),
      },
      configured.dns,
    )
  }

  /** Finds the backends that DNS knows, as far as it answers in time. Before any worker starts. */
  async begin(): Promise<void> {
    const pools = [...this.#configured.pools, ...this.effective.pools]
    putAuthoritiesInEffect(readAllAuthorities(pools))
    await this.#turns.take(() => this.#apply())
  }

  /** Has the program now on disk take over. While it starts, all else that is asked for waits. */
  async upgrade(): Promise<Outcome> {
    if (this.#upgrading) throw new Refused("upgrading", "an upgrade is under way already")
    this.#upgrading = true
    const work = async (): Promise<Outcome> => {
      const outcome = await this.#upgrade(this.#configured)
      this.#turns.succeed()
      return outcome
    }
    return await this.#turns.take(work).finally(() => (this.#upgrading = false))
  }

  /** `dry`: only says what it would do. `isSeen`: somebody asked, and reads the outcome. */
  reload(dry: boolean, isSeen = true): Promise<Outcome> {
    return this.#turns.take(async () => {
      if (dry) return await this.#take(await this.#load(), true)
      this.#reloads.begin()
      try {
        this.#turns.judge()
        const outcome = await this.#take(await this.#load(), false)
        this.#fleet.countReload("ok")
        return this.#unseen.add(outcome, isSeen)
      } catch (error) {
        this.#fleet.countReload("failed")
        this.#tellFailure(error)
        throw error
      } finally {
        this.#reloads.end()
      }
    })
  }

  /** Drains: no new requests, except, for `graceMs`, from clients whose sticky cookie names it. */
  drain(name: string, graceMs: Milliseconds, save: boolean): Promise<Outcome> {
    const lingers = graceMs > 0 && this.#configured.strategy === "sticky"
    const say = (word: Word | undefined): void => {
      this.#setDuty(name, lingers ? "linger" : word)
      if (lingers) this.#graces.allow(name, graceMs)
    }
    return this.#change(save, `backend ${name}: draining`, {
      judge: () => this.#find(name),
      rewrite: withDuty(name, "drain"),
      say: () => say("drain"),
      kept: () => say(undefined),
    })
  }

  /** Takes it out at once and probes it no more; what is in flight ends. */
  disable(name: string, save: boolean): Promise<Outcome> {
    return this.#change(save, `backend ${name}: disabled`, {
      judge: () => this.#find(name),
      rewrite: withDuty(name, "off"),
      say: () => this.#setDuty(name, "off"),
      kept: () => this.#setDuty(name, undefined),
    })
  }

  /** Back to work after `drain` or `disable`. */
  enable(name: string, save: boolean): Promise<Outcome> {
    return this.#change(save, `backend ${name}: enabled`, {
      judge: () => this.#find(name),
      rewrite: withDuty(name, undefined),
      say: () => this.#setDuty(name, this.#isHeldBack(name) ? "serve" : undefined),
      kept: () => this.#setDuty(name, undefined),
    })
  }

  setWeight(name: string, weight: number, save: boolean): Promise<Outcome> {
    return this.#change(save, `backend ${name}: weight ${weight}`, {
      judge: () => {
        this.#find(name)
        const named = this.#control.named(this.#configured).find((each) => each.name === name)
        if (named?.discover !== "srv") return
        throw new Refused("bad_value", `backend ${name} has the weights of its SRV records`)
      },
      rewrite: withWeight(name, weight),
      say: () => this.#control.setWeight(name, weight),
      kept: () => this.#control.setWeight(name, undefined),
    })
  }

  /** `line` is as `--backend` takes it. */
  async add(line: string, save: boolean): Promise<Outcome> {
    const backend = readBackend(line)
    const { name } = backend
    const isKept = (): boolean => this.#configured.backends.some((each) => each.name === name)
    return await this.#change(save, `backend ${name}: added`, {
      judge: () => {
        // One that was added by hand may be kept now.
        if (this.#isThere(name) && (!save || isKept())) {
          throw new Refused("exists", `backend ${name} is there already`)
        }
        if (this.effective.backends.length >= MAX_BACKENDS) {
          throw new Refused("too_many", `there are ${MAX_BACKENDS} backends already`)
        }
        addAuthorities(checkCa(backend, this.#configured.insecure, this.#log))
      },
      rewrite: withBackend(backend),
      say: () => this.#control.add(backend),
      kept: () => this.#control.forget(name),
    })
  }

  remove(name: string, save: boolean): Promise<Outcome> {
    const leave = (): void => this.#setDuty(name, undefined)
    return this.#change(save, `backend ${name}: removed`, {
      judge: () => {
        this.#find(name)
        const names = this.#control.named(this.#configured).map((backend) => backend.name)
        if (this.effective.backends.length === 1 || names.every((each) => each === name)) {
          throw new Refused("last", `backend ${name} is the last one; add another first`)
        }
      },
      rewrite: withoutBackend(name),
      say: () => (leave(), this.#control.remove(name)),
      kept: () => (leave(), this.#control.forget(name)),
    })
  }

  /** Who would get such a request, and why nobody else. */
  explain(question: Question, status: FleetStatus): Explanation {
    return explain(this.effective, status, question)
  }

  /** What was changed by hand, for the bunlb that follows this one. */
  handOver(): ByHand {
    const { backends } = this.#configured
    return {
      ...this.#control.handOver(),
      configured: backends.map(({ name, weight, duty = null }) => ({ name, weight, duty })),
      found: this.#discovery.handOver(),
      graces: this.#graces.left(),
    }
  }

  /** What the bunlb before this one leaves, as far as the configuration has not changed meanwhile. */
  inherit(byHand: ByHand): void {
    this.#control.inherit(byHand)
    this.#discovery.inherit(this.#control.named(this.#configured), byHand.found)
    this.#members = this.#memberNames()
    this.#control.settle(byHand.configured, this.#configured.backends, this.#members)
    for (const [name, ms] of byHand.graces) {
      if (this.#control.dutyOf(name) === "linger") this.#graces.allow(name, ms)
    }
  }

  /** What whoever changes something must show. */
  get token(): string | null {
    return this.#configured.adminToken
  }

  /** It is by hand that it gets no request, not by the configuration. */
  isHeldByHand({ name, member }: BackendSettings, _pool: string): boolean {
    return (this.#control.dutyOf(name) ?? this.#control.dutyOf(member?.of ?? name)) !== undefined
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
    this.#graces.stop()
  }

  /** What is in force: the configuration with those that were discovered, and over it what was changed by hand. */
  get effective(): Settings {
    return this.#effectiveOf(this.#configured)
  }

  #effectiveOf(configured: Settings): Settings {
    return this.#control.over(configured, (backends) => this.#discovery.expand(backends))
  }

  async #take(asked: Settings, dry: boolean): Promise<Outcome> {
    const authorities = checkBackends(asked, this.#effectiveOf(asked))
    const { changes: changed, restart } = differenceOf(this.#configured, asked, isHeld())
    const changes = [...changed, ...authorityChanges(authorities)]
    const outcome = { changes, restart, byHand: this.byHand }
    const configured = withoutRestart(this.#configured, asked, isHeld())
    const ready = await this.#fleet.prepare(this.#effectiveOf(configured), dry)
    if (dry) {
      await ready.cancel()
      return outcome
    }
    this.#control.settle(this.#configured.backends, configured.backends, this.#members)
    this.#configured = configured
    putAuthoritiesInEffect(authorities)
    await this.#apply((settings) => ready.commit(settings))
    for (const line of changes) this.#log.info(`reload: ${line}`)
    for (const line of restart) this.#log.warn(`reload: ${line}`)
    const end = `reloaded: ${changes.length === 0 ? "nothing has changed" : count(changes)}`
    this.#log.info(end)
    this.#fleet.note("note", end)
    return { ...outcome, byHand: this.byHand }
  }

  /** The file is written first: where that fails nothing has changed. */
  #change(save: boolean, line: string, change: Change): Promise<Outcome> {
    return this.#turns.take(async () => {
      this.#turns.judge()
      change.judge()
      const before = this.#configured.backends
      const after = save ? change.rewrite(before) : before
      const wanted = new Map([[DEFAULT_NAME, after]])
      const saved = save ? await this.#keep(this.#configured, wanted) : null
      if (saved === null) change.say()
      else {
        this.#control.settle(before, after, this.#members)
        this.#configured = withBackends(this.#configured, DEFAULT_NAME, after)
        change.kept()
      }
      if (saved === null) this.#log.info(`${line}, by hand`)
      else this.#log.info(`${line}, by hand and in ${saved}`)
      this.#fleet.note("note", `${line}, by hand`)
      await this.#apply()
      const outcome = { changes: [line], restart: [], byHand: this.byHand }
      return saved === null ? outcome : { ...outcome, saved }
    })
  }

  async #apply(put = (settings: Settings) => this.#fleet.apply(settings)): Promise<void> {
    const { dns } = this.#configured
    await this.#discovery.watch(this.#control.named(this.#configured), dns)
    this.#discovery.keepAsking()
    const members = this.#memberNames()
    for (const name of this.#members) if (!members.has(name)) this.#control.forgetMember(name)
    this.#members = members
    const faults = await put(this.effective)
    for (const fault of faults) this.#log.error(`${fault}; it goes on with the settings it had`)
    if (faults.length > 0) throw new Refused("not_applied", faults.join("; "))
  }

  #memberNames(): ReadonlySet<string> {
    return new Set(this.#discovery.list().flatMap(({ members }) => members))
  }

  #membersChanged(line: string): void {
    this.#fleet.note("note", line)
    void this.#turns.take(() => this.#apply()).catch((error) => this.#log.error(String(error)))
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

  /** By the configuration itself. */
  #isHeldBack(name: string): boolean {
    return this.#configured.backends.some((each) => each.name === name && each.duty !== undefined)
  }

  #setDuty(name: string, word: Word | undefined): void {
    this.#graces.cancel(name)
    this.#control.setDuty(name, word)
  }

  #endGrace(name: string): void {
    void this.#turns
      .take(async () => {
        if (this.#control.dutyOf(name) !== "linger") return
        this.#setDuty(name, this.#isHeldBack(name) ? undefined : "drain")
        this.#log.info(`backend ${name}: the grace is over, its cookie counts no more`)
        await this.#apply()
      })
      .catch((error) => this.#log.error(String(error)))
  }

  #tellFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    for (const line of message.split("\n")) this.#log.error(`reload: ${line}`)
    // A worker that could not follow has been named; the others have.
    const end =
      error instanceof Refused && error.code === "not_applied"
        ? "not reloaded everywhere"
        : "not reloaded: everything stays as it was"
    this.#log.error(end)
    this.#fleet.note("bad", end)
  }
}

function count(changes: readonly string[]): string {
  return changes.length === 1 ? "1 change" : `${changes.length} changes`
}
