/**
 * How a running fleet is steered: its configuration read again, its backends drained, weighed, added and removed by
 * hand. One thing after the other; each is judged whole before anything changes, so that what cannot be applied
 * changes nothing and says why. Resolves when every worker obeys.
 */
import { differenceOf, withoutRestart } from "../../config/difference.ts"
import { backendLabel } from "../../config/schema/pools.ts"
import type { BackendSettings, Milliseconds, Settings } from "../../config/schema/settings.ts"
import { isHeld } from "../../net/linux/activation.ts"
import {
  authorityChanges,
  putAuthoritiesInEffect,
  readAllAuthorities,
} from "../../net/tls/authorities.ts"
import { nameService } from "../../net/names/name-service.ts"
import { processClock } from "../../core/clock.ts"
import type { Log } from "../../core/log.ts"
import { checkBackends } from "./backend-checks.ts"
import { ManualChanges } from "./manual-changes.ts"
import { type ByHand, Overrides, type Word, knownOf } from "./overrides.ts"
import type { Discovered } from "../figures/discovered.ts"
import { Discovery } from "./discovery.ts"
import { type Explanation, type Question, explain } from "./explain.ts"
import type { ControlledFleet } from "./controlled-fleet.ts"
import { DrainGraces } from "./drain-graces.ts"
import { type Change, type SaveBackends, rewritten, wantedOf } from "./saved-changes.ts"
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
  readonly #changes: ManualChanges
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
    this.#changes = new ManualChanges({
      ...{ overrides: this.#control, graces: this.#graces, log },
      configured: () => this.#configured,
      effective: () => this.effective,
    })
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

  /** Of each: `word` is `HOST:PORT` in all pools, or `POOL/HOST:PORT` in one. */
  drain(word: string, graceMs: Milliseconds, save: boolean): Promise<Outcome> {
    return this.#change(save, () => this.#changes.drain(word, graceMs))
  }

  /** Takes it out at once and probes it no more; what is in flight ends. */
  disable(word: string, save: boolean): Promise<Outcome> {
    return this.#change(save, () => this.#changes.disable(word))
  }

  /** Back to work after `drain` or `disable`. */
  enable(word: string, save: boolean): Promise<Outcome> {
    return this.#change(save, () => this.#changes.enable(word))
  }

  setWeight(word: string, weight: number, save: boolean): Promise<Outcome> {
    return this.#change(save, () => this.#changes.setWeight(word, weight))
  }

  /** `line` is as `--backend` takes it, and may begin with `POOL/`. */
  add(line: string, save: boolean, pool: string | null = null): Promise<Outcome> {
    return this.#change(save, () => this.#changes.add(line, pool, save))
  }

  remove(word: string, save: boolean): Promise<Outcome> {
    return this.#change(save, () => this.#changes.remove(word))
  }

  /** Who would get such a request, and why nobody else. */
  explain(question: Question, status: FleetStatus): Explanation {
    return explain(this.effective, status, question)
  }

  /** What was changed by hand, for the bunlb that follows this one. */
  handOver(): ByHand {
    return {
      ...this.#control.handOver(),
      configured: knownOf(this.#configured),
      found: this.#discovery.handOver(),
      graces: this.#graces.left(),
    }
  }

  /** What the bunlb before this one leaves, as far as the configuration has not changed meanwhile. */
  inherit(byHand: ByHand): void {
    this.#control.inherit(byHand)
    this.#discovery.inherit(this.#control.named(this.#configured), byHand.found)
    this.#members = this.#memberNames()
    this.#control.settle(byHand.configured, knownOf(this.#configured), this.#members)
    for (const [name, ms] of byHand.graces) {
      if (this.#control.dutyOf(name) === "linger") this.#graces.allow(name, ms)
    }
  }

  /** What whoever changes something must show. */
  get token(): string | null {
    return this.#configured.adminToken
  }

  /** It is by hand that it gets no request, not by the configuration. */
  isHeldByHand({ name, member }: BackendSettings, pool: string): boolean {
    const dutyOf = (own: string): Word | undefined => {
      return this.#control.dutyOf(backendLabel(pool, own))
    }
    return (dutyOf(name) ?? dutyOf(member?.of ?? name)) !== undefined
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
    return this.#control.over(configured, (backends, pool) => {
      return this.#discovery.expand(backends, pool)
    })
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
    this.#control.settle(knownOf(this.#configured), knownOf(configured), this.#members)
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
  #change(save: boolean, asked: () => readonly Change[]): Promise<Outcome> {
    return this.#turns.take(async () => {
      this.#turns.judge()
      const changes = asked()
      const after = rewritten(this.#configured, save ? changes : [])
      const saved = save ? await this.#keep(this.#configured, wantedOf(after, changes)) : null
      if (saved !== null) {
        this.#control.settle(knownOf(this.#configured), knownOf(after), this.#members)
        this.#configured = after
      }
      const lines = changes.map(({ line }) => line)
      for (const { say, kept, line } of changes) {
        if (saved === null) say()
        else kept()
        if (saved === null) this.#log.info(`${line}, by hand`)
        else this.#log.info(`${line}, by hand and in ${saved}`)
        this.#fleet.note("note", `${line}, by hand`)
      }
      await this.#apply()
      const outcome = { changes: lines, restart: [], byHand: this.byHand }
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

  #endGrace(name: string): void {
    void this.#turns
      .take(async () => {
        if (this.#control.dutyOf(name) !== "linger") return
        this.#changes.setDuty(name, this.#changes.isHeldBack(name) ? undefined : "drain")
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
