/**
 * Which backends may serve now: all backends with their health, drain and backup flags, and the strategy that picks
 * among the eligible ones. Eligible is the first of these groups that is not empty, primaries before backups, and never
 * a draining backend:
 *
 *     1. healthy backends
 *     2. backends that are unhealthy by probes only    with `when_all_unhealthy: try`: the probe is more often wrong
 *     3. all backends                                  with `when_all_unhealthy: try`
 *
 * A request that has failed on all eligible backends continues with the next group. A draining backend is never picked,
 * except by requests whose sticky cookie names it during its grace period.
 *
 * Cost: a pick costs what the strategy costs. Eligibility is computed by the first pick after a change of flags, so
 * hundreds of backends that fail together cost as much as one; the strategy is updated only if the list has changed.
 */
import { HealthBitmap } from "../health/bitmap.ts"
import { type Random, positionBy } from "./random.ts"
import type { SlowStart } from "./slow-start.ts"
import type { Candidate, Strategy } from "./strategy.ts"

/** The backends that one request has been sent to; a `HealthBitmap` will do. */
interface Tried {
  has(index: number): boolean
  count(): number
}

/** The candidates, and how to choose. */
interface Membership {
  /** By ascending index; indexes may be missing. */
  readonly candidates: readonly Candidate[]
  readonly strategy: Strategy
  readonly whenAllUnhealthy: "try" | "fail"
  /** Backends that get no new request. */
  readonly draining: ReadonlySet<number>
  /** Draining backends that still get requests whose cookie names them. */
  readonly lingering: ReadonlySet<number>
}

/** So many backends are tried for a request when none is healthy: a thousand would take it too long. */
const TRIES_IN_PANIC = 8

/** More than there can be backends. */
const TURNS = 0x1_0000

export class Roster {
  #candidates: readonly Candidate[]
  #strategy: Strategy
  #whenAllUnhealthy: "try" | "fail"
  readonly #healthy: HealthBitmap
  /** Backends that are healthy, or unhealthy by probes only. */
  readonly #serviceable: HealthBitmap
  readonly #draining: HealthBitmap
  readonly #eligible: HealthBitmap
  #mayLinger: ReadonlySet<number> = new Set()
  /** A flag has changed since eligibility was worked out. */
  #stale = false
  #panicking = false
  #serving: readonly Candidate[] = []
  #lingering: readonly Candidate[] = []
  #turn: number
  readonly #slowStart: SlowStart | null

  /**
   * `candidates[i].index` is `i`. All begin healthy, not draining, and warm. `random` chooses the first backend
   * that takes over a failed request: 0, the default, is the second of the list.
   */
  constructor(
    candidates: readonly Candidate[],
    strategy: Strategy,
    whenAllUnhealthy: "try" | "fail",
    slowStart: SlowStart | null = null,
    random: Random = () => 0,
  ) {
    this.#turn = positionBy(random, TURNS)
    this.#slowStart = slowStart
    this.#candidates = candidates
    this.#strategy = strategy
    this.#whenAllUnhealthy = whenAllUnhealthy
    this.#healthy = new HealthBitmap(candidates.length)
    this.#healthy.fill(true)
    this.#serviceable = new HealthBitmap(candidates.length)
    this.#serviceable.fill(true)
    this.#draining = new HealthBitmap(candidates.length)
    this.#eligible = new HealthBitmap(candidates.length)
    this.#recompute()
  }

  /** The backend for the next request, or null when none may serve. */
  pick(token: number): Candidate | null {
    if (this.#stale) this.#recompute()
    const candidate = this.#strategy.pick(token)
    if (this.#slowStart === null || !this.#slowStart.active || candidate === null) return candidate
    return this.#sparing(candidate, token, this.#slowStart)
  }

  /** `candidate`, or a warm one in its place while it has yet to warm up. */
  #sparing(candidate: Candidate, token: number, slowStart: SlowStart): Candidate {
    if (candidate.token === token || !slowStart.passesOver(candidate.index)) return candidate
    const serving = this.#serving
    let warm = 0
    for (const { index } of serving) if (slowStart.isWarm(index)) warm++
    if (warm === 0) return candidate
    let left = this.nextTurn() % warm
    for (const other of serving) {
      if (slowStart.isWarm(other.index) && left-- === 0) return other
    }
    return candidate
  }

  /**
   * Another backend for a request that failed on those in `tried`: the one that `token` names if it is untried, else an
   * eligible one, else a healthy backup, else with `when_all_unhealthy: try` an unhealthy one, else null. Untried
   * backends take turns. Also null if none is healthy and enough have been tried. Off the hot path.
   */
  pickOther(token: number, tried: Tried): Candidate | null {
    if (this.#stale) this.#recompute()
    if (this.#panicking && tried.count() >= TRIES_IN_PANIC) return null
    const untried = this.#serving.filter(({ index }) => !tried.has(index))
    const untriedNames = [...untried, ...this.#lingering.filter(({ index }) => !tried.has(index))]
    const named = untriedNames.find((candidate) => candidate.token === token)
    if (named) return named
    const standby = untried.length > 0 ? untried : this.#standby(tried)
    const others = standby.length > 0 ? standby : this.#lastResort(tried)
    if (others.length === 0) return null
    return others[this.nextTurn() % others.length] ?? null
  }

  /** The eligible backends, in the order of the configuration. */
  get serving(): readonly Candidate[] {
    if (this.#stale) this.#recompute()
    return this.#serving
  }

  /** Increases by one each time, from a random start; selects the next backend. */
  nextTurn(): number {
    this.#turn = (this.#turn + 1) >>> 0
    return this.#turn
  }

  /** Replaces backends and rules. A backend that keeps its index keeps its health. */
  change(membership: Membership): void {
    const { candidates, strategy, whenAllUnhealthy, draining, lingering } = membership
    const replaced = strategy !== this.#strategy
    this.#candidates = candidates
    this.#strategy = strategy
    this.#whenAllUnhealthy = whenAllUnhealthy
    this.#mayLinger = lingering
    this.#draining.fill(false)
    for (const index of draining) this.#draining.set(index)
    if (replaced) this.#serving = this.#lingering = []
    this.#recompute()
  }

  /** A new backend takes the place `index`, healthy. `change` follows. */
  admit(index: number): void {
    this.#healthy.set(index)
    this.#serviceable.set(index)
    this.#slowStart?.end(index)
  }

  /** `serviceable`: requests are not against it, at most probes are. */
  setHealthy(index: number, healthy: boolean, serviceable = healthy): void {
    const changed = healthy !== this.#healthy.has(index)
    if (!changed && serviceable === this.#serviceable.has(index)) return
    put(this.#healthy, index, healthy)
    put(this.#serviceable, index, serviceable)
    if (changed && healthy) this.#slowStart?.begin(index)
    else if (changed) this.#slowStart?.end(index)
    this.#stale = true
  }

  setDraining(index: number, draining: boolean): void {
    if (draining === this.#draining.has(index)) return
    if (draining) this.#draining.set(index)
    else this.#draining.clear(index)
    this.#stale = true
  }

  isHealthy(index: number): boolean {
    return this.#healthy.has(index)
  }

  isDraining(index: number): boolean {
    return this.#draining.has(index)
  }

  /** A backend that may be sent a trial request, or null: it drains, or it is a backup that is not needed. */
  standing(index: number): Candidate | null {
    if (this.#stale) this.#recompute()
    const candidate = this.#candidates.find((each) => each.index === index)
    if (candidate === undefined || this.#draining.has(index)) return null
    return candidate.backup && !this.#eligible.has(index) ? null : candidate
  }

  /** True while none of the backends that do not drain is healthy. */
  get allUnhealthy(): boolean {
    return this.#candidates.every(({ index }) => {
      return !this.#healthy.has(index) || this.#draining.has(index)
    })
  }

  /** True while no backend is healthy and unhealthy ones are tried; each pick is then a panic pick. */
  get panicking(): boolean {
    if (this.#stale) this.#recompute()
    return this.#panicking
  }

  isEligible(index: number): boolean {
    if (this.#stale) this.#recompute()
    return this.#eligible.has(index)
  }

  get anyEligible(): boolean {
    if (this.#stale) this.#recompute()
    return this.#serving.length > 0
  }

  /** True for a draining backend that the holders of its cookie still get. */
  isLingering(index: number): boolean {
    return this.#mayLinger.has(index)
  }

  #recompute(): void {
    this.#stale = false
    const serving = this.#choose()
    const lingering = this.#candidates.filter(
      ({ index }) => this.#mayLinger.has(index) && this.#healthy.has(index),
    )
    const same = sameCandidates(serving, this.#serving)
    if (same && sameCandidates(lingering, this.#lingering)) return
    this.#serving = serving
    this.#lingering = lingering
    this.#eligible.fill(false)
    for (const { index } of [...serving, ...lingering]) this.#eligible.set(index)
    this.#strategy.update(serving, lingering)
  }

  #choose(): readonly Candidate[] {
    const staying = this.#candidates.filter(({ index }) => !this.#draining.has(index))
    const healthy = staying.filter(({ index }) => this.#healthy.has(index))
    const able = primariesElseBackups(healthy)
    const anyone = this.#whenAllUnhealthy === "try" ? staying : []
    this.#panicking = able.length === 0 && anyone.length > 0
    if (!this.#panicking) return able
    const serviceable = anyone.filter(({ index }) => this.#serviceable.has(index))
    return primariesElseBackups(serviceable.length > 0 ? serviceable : anyone)
  }

  /** Unhealthy backends, when all others have failed. */
  #lastResort(tried: Tried): readonly Candidate[] {
    if (this.#whenAllUnhealthy !== "try" || tried.count() >= TRIES_IN_PANIC) return []
    const anyone = this.#candidates.filter(({ index }) => {
      return !this.#draining.has(index) && !tried.has(index)
    })
    const serviceable = anyone.filter(({ index }) => this.#serviceable.has(index))
    return primariesElseBackups(serviceable.length > 0 ? serviceable : anyone)
  }

  #standby(tried: Tried): readonly Candidate[] {
    return this.#candidates.filter(({ index, backup }) => {
      return backup && this.#healthy.has(index) && !this.#draining.has(index) && !tried.has(index)
    })
  }
}

function put(flags: HealthBitmap, index: number, value: boolean): void {
  if (value) flags.set(index)
  else flags.clear(index)
}

function primariesElseBackups(candidates: readonly Candidate[]): readonly Candidate[] {
  const primaries = candidates.filter(({ backup }) => !backup)
  return primaries.length > 0 ? primaries : candidates
}

function sameCandidates(some: readonly Candidate[], others: readonly Candidate[]): boolean {
  return some.length === others.length && some.every((candidate, at) => candidate === others[at])
}
