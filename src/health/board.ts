/**
 * The health of all backends as one worker sees it. Each backend has two records: what probes say of it and what
 * requests say of it. It is healthy while both are good. Neither record changes the other: a good probe does not undo
 * failed requests, and answered requests do not undo failed probes, with two exceptions:
 *
 *     a probe without a response   supports requests that failed (see `RequestBreaker`)
 *     an answered request          counts as a probe that succeeded, where the probes could not even connect and the
 *                                  request was sent to the unhealthy backend on purpose
 *
 * What a request says counts only if the record did not turn between its sending and its end.
 *
 * Cost: an answer in the steady state is a few array reads and compares. Failures may take their time.
 */
import type { Clock } from "../core/clock.ts"
import { HealthBitmap } from "./bitmap.ts"
import {
  BackendHealth,
  mayBeTried,
  type Against,
  type Reach,
  type Thresholds,
} from "./backend-health.ts"
import type { FailureKind, Outcome } from "./request-breaker.ts"
import type { SentRequest } from "./suspects.ts"

/** Receives changes. Reasons are written for people: `3 probes failed, last: status 503`. */
export interface BoardListener {
  /** The backend is healthy again, or it is not, or it still is not and now for another reason. */
  changed(index: number, healthy: boolean, reason: string): void
  /** Requests of one kind (`one client and one path`) avoid the backend, or no longer do. */
  avoidance(index: number, avoids: boolean, cause: string, reason: string): void
  /** Requests have failed, which may be their own fault: a probe should be sent now. */
  suspected(index: number): void
}

/** Reasons kept apart for each backend; more of them are counted as `other`. They become labels of metrics. */
const REASON_LIMIT = 32

/** Time between two log lines about the requests that avoid a backend. */
const QUIET_MS = 60_000

export class HealthBoard {
  readonly healthy: HealthBitmap
  /** Healthy backends, and those that are unhealthy by their probes only. */
  readonly serving: HealthBitmap
  /** True while no backend is to be avoided by some requests, and none is to be tried by a trial request. */
  calm = true
  #settings: Thresholds
  readonly #clock: Clock
  readonly #wallClock: Clock
  readonly #listener: BoardListener
  readonly #entries: BackendHealth[] = []
  #trialAt = Infinity
  /** Trials were put off since `#trialAt` was worked out. */
  #postponed = false

  /**
   * All begin healthy. `clock` measures time between events; `wallClock` is in milliseconds since 1970, what `since`
   * shows to people.
   */
  constructor(
    size: number,
    settings: Thresholds,
    clock: Clock,
    wallClock: Clock,
    listener: BoardListener,
  ) {
    this.healthy = new HealthBitmap(size)
    this.serving = new HealthBitmap(size)
    this.#settings = settings
    this.#clock = clock
    this.#wallClock = wallClock
    this.#listener = listener
    for (let index = 0; index < size; index++) this.admit(index)
  }

  /**
   * A backend starts at `index`, healthy and with clean records. `heirOf`: the index whose failure counts continue
   * here, because it was the same backend with other settings.
   */
  admit(index: number, heirOf = -1): void {
    this.healthy.set(index)
    this.serving.set(index)
    const last = this.#entries[index]
    const ticket = (last?.ticket ?? 0) + 1
    const now = this.#wallClock.now()
    this.#entries[index] = new BackendHealth(this.#settings, now, this.#entries[heirOf], ticket)
    if (last !== undefined && !isCalm(last)) this.#reckon()
  }

  /** The backend was already unhealthy, since `since` and for `reason`; no change is reported. */
  recall(index: number, since: number, reason: string, against: Against): void {
    const entry = this.#entries[index]
    entry.recall(against, reason, this.#clock.now())
    entry.since = since
    this.#mark(index, entry)
  }

  /** The backend has left: no request is to avoid it or to try it. */
  release(index: number): void {
    const entry = this.#entries[index]
    const calm = isCalm(entry)
    entry.requests.release()
    // Backends come and go by the thousand, and most of them change nothing for the others.
    if (!calm) this.#reckon()
  }

  /** Other thresholds from now on. What is unhealthy stays so until it has earned the new ones. */
  configure(settings: Thresholds): void {
    this.#settings = settings
    for (const entry of this.#entries) {
      entry.relapse.limit(settings.backoff)
      this.#demand(entry)
    }
  }

  /** What a request to the backend carries, so that its outcome can be attributed. */
  ticket(index: number): number {
    return this.#entries[index].ticket
  }

  /** A request failed. `reason` names it: `connect refused`. It should come from a small fixed set. */
  failed(index: number, kind: FailureKind, reason: string, request: SentRequest): void {
    const entry = this.#entries[index]
    this.#countFailure(entry.failures, reason)
    if (request.ticket !== entry.ticket) return
    const silent = entry.probes.isOpen && entry.reach !== "response"
    const supported = silent || entry.requests.hasSilentProbe
    const outcome = entry.requests.fail(kind, request, this.#clock.now(), silent)
    this.#act(index, entry, outcome, reason, supported)
    if (outcome === "suspected" || outcome === "avoids") this.#listener.suspected(index)
  }

  /** A request was answered. Called for every response. */
  answered(index: number, request: SentRequest): void {
    const entry = this.#entries[index]
    if (request.ticket !== entry.ticket) return
    const { trialAt } = entry.requests
    const refuted = entry.probes.isOpen && entry.reach === "nothing"
    const outcome = entry.requests.succeed(request, this.#clock.now(), refuted)
    const settled = !entry.requests.isOpen && !refuted && trialAt === entry.requests.trialAt
    if (outcome === "none" && settled) return
    const proven = refuted && request.sentAt > entry.probesOpenAt && entry.probes.succeed()
    const news = proven || outcome === "closed"
    if (news) this.#update(index, entry, `${this.#shown(entry, "request")} answered`)
    else if (outcome === "none") this.#reckon()
    else this.#act(index, entry, outcome, "")
  }

  /** A probe failed. */
  probeFailed(index: number, reason: string, reach: Reach): void {
    const entry = this.#entries[index]
    this.#countFailure(entry.failures, reason)
    const was = this.against(index)
    entry.reach = reach
    const answered = reach === "response"
    const outcome = entry.requests.probed(false, answered, this.#clock.now())
    this.#act(index, entry, outcome, reason, true)
    this.#reckon()
    if (outcome === "suspected") this.#listener.suspected(index)
    const opened = entry.probes.fail()
    if (opened) entry.probesOpenAt = this.#clock.now()
    if (opened || (was !== null && was !== this.against(index))) {
      entry.probesReason = `${plural(this.#settings.failures, "probe")} failed, last: ${reason}`
      this.#update(index, entry, entry.reason)
    }
  }

  probeSucceeded(index: number): void {
    const entry = this.#entries[index]
    const held = entry.requests.isHolding
    const outcome = entry.requests.probed(true, true, this.#clock.now())
    const closed = entry.probes.succeed()
    if (held) this.#settled(index, entry, outcome)
    if (!closed && outcome !== "closed") return
    this.#update(index, entry, `${this.#shown(entry, "probe")} succeeded`)
  }

  /** Without probes: an interval has passed. */
  elapsed(index: number): void {
    const entry = this.#entries[index]
    const held = entry.requests.isHolding
    const outcome = entry.requests.elapse(this.#clock.now())
    const closed = entry.probes.succeed()
    if (held) this.#settled(index, entry, outcome)
    if (!closed && outcome !== "closed") return
    this.#update(index, entry, `${this.#shown(entry, "interval")} passed without requests`)
  }

  /** Whether `request` should go to another backend, because such requests fail on this one. */
  avoids(index: number, request: SentRequest): boolean {
    return this.#entries[index].requests.avoids(request, this.#clock.now())
  }

  /** Whether every page has failed for the client of `request`, so that its session is of no use there. */
  avoidsClient(index: number, request: SentRequest): boolean {
    return this.#entries[index].requests.avoidsClient(request)
  }

  /**
   * The first backend from `from` on that should get this request as a trial now, or -1. `pagesCount`: skips backends
   * that answer probes with the wrong page, because better ones exist.
   */
  nextTrial(request: SentRequest, from: number, pagesCount: boolean): number {
    const now = this.#clock.now()
    if (now < this.#trialAt) return -1
    for (let index = from; index < this.#entries.length; index++) {
      const entry = this.#entries[index]
      if (now < entry.requests.trialAt) continue
      if (!mayBeTried(entry, pagesCount)) {
        entry.requests.postpone(now)
        this.#postponed = true
      } else if (!entry.isGood || entry.requests.avoids(request, now)) return index
    }
    if (this.#postponed) this.#reckon()
    return -1
  }

  /** The backend is about to get a trial request. */
  beginTrial(index: number): void {
    this.#entries[index].requests.beginTrial(this.#clock.now())
    this.#reckon()
  }

  /** It gets none, because it takes no requests at present or needs no trial. Ask for the next one, or begin one. */
  postponeTrial(index: number): void {
    this.#entries[index].requests.postpone(this.#clock.now())
    this.#postponed = true
  }

  /**
   * No backend is healthy. Until each is back, those that are not are tried with single requests. `tried`: unhealthy
   * backends get requests meanwhile; otherwise there are no trials, and probes bring each of them back.
   */
  expectReturn(tried: boolean): void {
    for (const entry of this.#entries) {
      if (!entry.isGood) entry.requests.expectReturn(this.#clock.now(), tried)
    }
    this.#reckon()
  }

  /** When the backend's health last changed, or the board was made, in milliseconds since 1970. */
  since(index: number): number {
    return this.#entries[index].since
  }

  /** Why it is as it is; empty when it never changed. */
  reason(index: number): string {
    return this.#entries[index].reason
  }

  /** Which record makes the backend unhealthy, or null when it is healthy. */
  against(index: number): Against | null {
    return this.#entries[index].against
  }

  /** All failures counted so far, by reason. */
  failures(index: number): ReadonlyMap<string, number> {
    return this.#entries[index].failures
  }

  #countFailure(counts: Map<string, number>, reason: string): void {
    const label = counts.has(reason) || counts.size < REASON_LIMIT ? reason : "other"
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }

  /** What an outcome of the record of requests means for the backend. */
  #act(
    index: number,
    entry: BackendHealth,
    outcome: Outcome,
    reason: string,
    supported = false,
  ): void {
    if (outcome === "none" && this.healthy.has(index)) return
    const what = supported ? "requests and probes" : plural(this.#settings.failures, "request")
    const failed = `${what} failed, last: ${reason}`
    if (outcome === "opened") {
      entry.requestsReason = failed
      return this.#update(index, entry, failed)
    }
    if (outcome === "avoids") {
      const { cause } = entry.requests
      entry.avoidedReason = `requests of ${cause} go elsewhere: ${failed}`
      this.#tellAvoidance(index, entry, true, cause, failed)
    } else if (outcome === "avoids no more") this.#tellAvoidance(index, entry, false, "", "")
    this.#reckon()
  }

  /** At most once a minute, because the avoided cause changes often when several pages fail. */
  #tellAvoidance(
    index: number,
    entry: BackendHealth,
    avoids: boolean,
    cause: string,
    reason: string,
  ): void {
    const now = this.#clock.now()
    if (avoids ? now < entry.avoidanceToldAt + QUIET_MS : !entry.avoidanceTold) return
    entry.avoidanceTold = avoids
    if (avoids) entry.avoidanceToldAt = now
    this.#listener.avoidance(index, avoids, cause, reason)
  }

  /** Requests that went elsewhere may come again. */
  #settled(index: number, entry: BackendHealth, outcome: Outcome): void {
    if (outcome === "avoids no more") this.#act(index, entry, outcome, "")
    else this.#reckon()
  }

  /** One of the two records has changed. `reason` is of that change. */
  #update(index: number, entry: BackendHealth, reason: string): void {
    const before = this.healthy.has(index)
    if (entry.requests.isOpen === this.serving.has(index)) entry.ticket++
    if (entry.isGood) {
      entry.goodReason = reason
      entry.relapse.returned(this.#clock.now())
      entry.requests.hasReturned()
      for (const other of this.#entries) {
        if (!other.isGood) other.requests.hasCompany(this.#clock.now())
      }
    } else if (before) {
      entry.relapse.left(this.#clock.now(), this.#settings.backoff)
      this.#demand(entry)
      // What it has to show has changed since it opened.
      if (entry.probes.isOpen) entry.probes.open()
    }
    this.#mark(index, entry)
    if (before !== entry.isGood) entry.since = this.#wallClock.now()
    this.#listener.changed(index, entry.isGood, entry.reason)
    this.#reckon()
  }

  #mark(index: number, entry: BackendHealth): void {
    if (entry.isGood) this.healthy.set(index)
    else this.healthy.clear(index)
    if (entry.requests.isOpen) this.serving.clear(index)
    else this.serving.set(index)
  }

  /** What the backend has to show: more than others, if it has relapsed. */
  #demand(entry: BackendHealth): void {
    const { failures, successes } = this.#settings
    const needed = successes * entry.relapse.factor
    entry.probes.configure(failures, needed)
    entry.requests.configure({ failures, successes: needed })
  }

  /** `2 probes`: what it had to show. */
  #shown(entry: BackendHealth, noun: string): string {
    return plural(this.#settings.successes * entry.relapse.factor, noun)
  }

  #reckon(): void {
    let trialAt = Infinity
    let avoiding = false
    for (const entry of this.#entries) {
      if (entry.requests.isHolding) avoiding = true
      trialAt = Math.min(trialAt, entry.requests.trialAt)
    }
    this.#trialAt = trialAt
    this.#postponed = false
    this.calm = !avoiding && trialAt === Infinity
  }
}

/** Requests neither avoid it nor wait to try it. */
function isCalm({ requests }: BackendHealth): boolean {
  return !requests.isHolding && requests.trialAt === Infinity
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
