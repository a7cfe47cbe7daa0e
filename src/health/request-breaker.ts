/**
 * The circuit breaker for requests to one backend. (The breaker for probes is `CircuitBreaker`.)
 *
 * Closed, it counts consecutive failed requests; any answer resets the count. At `failures` it
 *
 *     opens             if one of the failures was a failed connect (no page and no client causes that),
 *                       if a probe since then got no response either (that probe counts like a failed request, and one
 *                       failed request is enough if probes have already taken the backend out for that reason),
 *                       or if the failures came from at least two clients and at least two paths;
 *     avoids the cause  otherwise: requests of that client, for that path, or of that client for that path go to other
 *                       backends. All other requests stay.
 *
 * Open, it closes after `successes` consecutive successes:
 *
 *     an answer to a request sent since it opened    always (a trial request, or one sent because no backend was left)
 *     a successful probe                             unless the breaker is blind
 *
 * It is blind if all probes succeeded while requests failed: such probes cannot detect the fault, so they cannot detect
 * its end. Trial requests can. After a long time without a trial (no traffic, or no repeatable request) probes count.
 *
 * Cost: an answer in the steady state is two compares and a store.
 */
import { Relapse } from "./relapse.ts"
import { Suspects, type SentRequest } from "./suspects.ts"

/** No connection: refused, reset, late, or its certificate proves nothing. */
export const NOT_CONNECTED = 0
/** A connection, but no valid response on it. */
export const NO_RESPONSE = 1
/** No response in time. */
export const LATE = 2
export type FailureKind = typeof NOT_CONNECTED | typeof NO_RESPONSE | typeof LATE

export type Outcome = "none" | "suspected" | "opened" | "closed" | "avoids" | "avoids no more"

/** Between two trials of a backend whose probes are well: the first, doubling, and the longest. */
const BLIND_PAUSE_MS = 10_000
const LONGEST_BLIND_PAUSE_MS = 60_000
/** The same after all backends were down. */
const RETURN_PAUSE_MS = 250
const LONGEST_RETURN_PAUSE_MS = 5_000
/** How long such trials go on after the first backend is back; then only probes bring one back. */
const RETURN_MS = 60_000
/** A trial that cannot be, because the backend is disabled or drains, is looked at again after this. */
const POSTPONED_MS = 1_000
/** So long without a trial, probes close a blind breaker and nothing is avoided any more. */
const OVERDUE_MS = 90_000
/** Longest time that requests like one without a response go elsewhere while a probe is pending. */
const HOLD_MS = 10_000
/** The times above grow by at most this for a backend that relapses. */
const LONGEST_RELAPSE = 8

export interface Limits {
  readonly failures: number
  readonly successes: number
}

export class RequestBreaker {
  isOpen = false
  #limits: Limits
  #blind = false
  /** Failures in a row while closed; successes in a row while open or avoiding. */
  #run = 0
  #good = 0
  #unconnected = false
  #probeAgrees = false
  readonly #suspects = new Suspects()
  readonly #avoided = new Suspects()
  /** Like `#avoided`, of a single late request, until a probe gets a response. */
  readonly #held = new Suspects()
  #heldUntil = 0
  readonly #relapse = new Relapse()
  #answeredAt = -Infinity
  /** All backends were down, and this one has not come back since. */
  #returning = false
  #returnBy = Infinity
  #trialAt = Infinity
  /** When it began to wait for a trial, or the last one began. */
  #triedAt = 0
  #pause = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  configure(limits: Limits): void {
    this.#limits = limits
  }

  /** A request has failed on it. `silent`: probes have taken it out already, because they get no response. */
  fail(kind: FailureKind, request: SentRequest, now: number, silent = false): Outcome {
    if (this.isOpen) {
      this.#good = 0
      if (kind === NOT_CONNECTED) this.#see()
      return "none"
    }
    // Others were answered while this one waited: it is this page that is slow.
    if (kind === LATE && request.sentAt < this.#answeredAt) return "none"
    if (this.#avoided.match(request)) this.#good = 0
    if (silent) {
      this.#probeAgrees = true
      this.#run = this.#limits.failures
    } else this.#run++
    if (kind === NOT_CONNECTED) this.#unconnected = true
    else this.#suspects.add(request)
    if (kind === LATE) {
      this.#held.copy(this.#suspects)
      this.#heldUntil = now + HOLD_MS
    }
    if (this.#run < this.#limits.failures) return kind === NOT_CONNECTED ? "none" : "suspected"
    if (this.#unconnected || this.#probeAgrees || this.#suspects.mixed) return this.open(now)
    if (this.#avoided.match(request)) return "suspected"
    this.#avoided.copy(this.#suspects)
    this.#relapse.left(now, LONGEST_RELAPSE)
    this.#wait(now)
    return "avoids"
  }

  /** A request was answered. `refutes`: that speaks against what probes say of the backend. */
  succeed(request: SentRequest, now: number, refutes = true): Outcome {
    this.#answeredAt = now
    if (this.#returning && (this.isOpen || refutes)) {
      this.#pause = RETURN_PAUSE_MS
      this.#trialAt = now
    }
    if (this.isOpen) {
      if (this.#trialAt < Infinity) this.#trialAt = now
      return this.#count(now)
    }
    if (this.#run > 0) this.#forget()
    if (!this.#avoided.any || !this.#avoided.match(request)) return "none"
    this.#trialAt = now
    if (++this.#good < this.#limits.successes) return "none"
    this.#relapse.returned(now)
    return this.#stopAvoiding()
  }

  /** A probe has ended; `answered` when it got a response, good or bad. */
  probed(ok: boolean, answered: boolean, now: number): Outcome {
    if (ok || answered || now > this.#heldUntil) this.#held.clear()
    if (this.isOpen) {
      if (ok) return this.#blind && !this.#overdue(now) ? "none" : this.#count(now)
      this.#good = 0
      this.#see()
      return "none"
    }
    if (this.#avoided.any && this.#overdue(now)) return this.#stopAvoiding()
    if (ok || answered || this.#run === 0) return "none"
    this.#probeAgrees = true
    return ++this.#run < this.#limits.failures ? "suspected" : this.open(now)
  }

  /** Without probes: time has passed in their place. */
  elapse(now: number): Outcome {
    if (this.isOpen) return this.#count(now)
    if (now > this.#heldUntil) this.#held.clear()
    return this.#avoided.any && this.#overdue(now) ? this.#stopAvoiding() : "none"
  }

  open(now: number): Outcome {
    this.isOpen = true
    const silent = this.#probeAgrees
    this.#blind = !this.#unconnected && !silent && this.#suspects.any
    this.#good = 0
    this.#forget()
    this.#avoided.clear()
    this.#held.clear()
    this.#relapse.left(now, LONGEST_RELAPSE)
    if (this.#blind || silent) this.#wait(now)
    else this.#trialAt = this.#returning ? now + this.#pause : Infinity
    return "opened"
  }

  /** Whether `request` has what failed requests had in common, and should go to another backend. */
  avoids(request: SentRequest, now: number): boolean {
    return this.#avoided.match(request) || (now <= this.#heldUntil && this.#held.match(request))
  }

  /** Whether requests of this client are avoided for whatever page. */
  avoidsClient(request: SentRequest): boolean {
    return this.#avoided.matchesClient(request)
  }

  /** Some requests are to go elsewhere, for a while at least. */
  get isHolding(): boolean {
    return this.#avoided.any || this.#held.any
  }

  /** Nothing is to be avoided or tried any more. */
  release(): void {
    this.#avoided.clear()
    this.#held.clear()
    this.#blind = false
    this.hasReturned()
  }

  get isAvoiding(): boolean {
    return this.#avoided.any
  }

  /** A probe without a response counts among the failures. */
  get hasSilentProbe(): boolean {
    return this.#probeAgrees
  }

  /** What it avoids, as a person reads it. */
  get cause(): string {
    return this.#avoided.toString()
  }

  /**
   * No backend is healthy: this one is to be tried with single requests as soon as one of them is back. Unless `tried`,
   * no backend gets a request until then, so that probes have to count even if they saw nothing wrong.
   */
  expectReturn(now: number, tried: boolean): void {
    this.#returnBy = Infinity
    if (!tried) this.#blind = false
    if (this.#returning) return
    this.#returning = true
    if (this.isOpen && this.#blind) return
    this.#pause = RETURN_PAUSE_MS
    this.#trialAt = now + this.#pause
  }

  /** Another backend is back. */
  hasCompany(now: number): void {
    if (!this.#returning || (this.isOpen && this.#blind)) return
    this.#returnBy = now + RETURN_MS
    this.#pause = RETURN_PAUSE_MS
    this.#trialAt = now
  }

  /** The backend is healthy again, or no trial is pending. */
  hasReturned(): void {
    this.#returning = false
    this.#returnBy = Infinity
    if (!this.#blind && !this.#avoided.any) this.#pause = this.#trialAt = Infinity
  }

  /** When the next trial request may be sent; Infinity for none. */
  get trialAt(): number {
    return this.#trialAt
  }

  beginTrial(now: number): void {
    if (now > this.#returnBy) this.hasReturned()
    this.#triedAt = now
    this.#trialAt = now + this.#pause
    const longest = this.#returning ? LONGEST_RETURN_PAUSE_MS : LONGEST_BLIND_PAUSE_MS
    this.#pause = Math.max(this.#pause, Math.min(2 * this.#pause, longest))
  }

  /** It can get no trial for now. */
  postpone(now: number): void {
    if (now > this.#returnBy) this.hasReturned()
    if (this.#trialAt < Infinity) this.#trialAt = now + POSTPONED_MS
  }

  #count(now: number): Outcome {
    if (++this.#good < this.#limits.successes) return "none"
    this.isOpen = false
    this.#blind = false
    this.#good = 0
    // Its probes may still be against it.
    this.#trialAt = this.#returning ? now : Infinity
    this.#relapse.returned(now)
    return "closed"
  }

  /** Probes and dials detect this fault, so they also detect its end. */
  #see(): void {
    this.#blind = false
    if (!this.#returning) this.#trialAt = Infinity
  }

  #wait(now: number): void {
    this.#pause = Math.min(BLIND_PAUSE_MS * this.#relapse.factor, LONGEST_BLIND_PAUSE_MS)
    this.#trialAt = now + this.#pause
    this.#triedAt = now
  }

  #overdue(now: number): boolean {
    return now - this.#triedAt > OVERDUE_MS * this.#relapse.factor
  }

  #stopAvoiding(): Outcome {
    this.#avoided.clear()
    this.#good = 0
    this.#trialAt = Infinity
    return "avoids no more"
  }

  #forget(): void {
    this.#run = 0
    this.#unconnected = false
    this.#probeAgrees = false
    this.#suspects.clear()
  }
}
