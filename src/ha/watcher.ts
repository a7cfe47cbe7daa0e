/**
 * Watches over the bunlb of this node and says in a file whether it may hold the address that clients know. A process
 * of its own, for it must outlive what it watches.
 *
 *   kept connection to the admin listener: asked every `intervalMs`; closed by a dying master in the same moment
 *   the listeners that clients use: dialled ten times a second, and in every look once something is odd
 *
 * Both go to the judge; its verdict goes to the file when it changes. Cost at 20 ms: see docs/high-availability.md.
 *
 * Where bunlb is said to be elsewhere from now on, it is looked for there ten times a second, and watched there from
 * the moment in which it answers; until then, at the place where it was.
 */
import { NO_BACKEND } from "../master/figures/health-view.ts"
import type { Clock } from "../core/clock.ts"
import type { Log } from "../core/log.ts"
import { AdminLink } from "./admin-link.ts"
import { Fitness } from "./fitness.ts"
import { DIAL_MS, PORT_MS, PortProbes } from "./port-probes.ts"
import { namesOf, Trial, type WatchedAddresses } from "./watched-addresses.ts"
import { writeTrackFile } from "./track-file.ts"

export interface WatcherOptions {
  readonly trackFile: string
  readonly places: WatchedAddresses
  readonly intervalMs: number
  readonly deadlineMs: number
  readonly riseMs: number
  /** That no backend is healthy is a fault too. */
  readonly needBackend: boolean
  readonly clock: Clock
  readonly log: Log
}

/**
 * While all is well another dial is tried sooner: where an old process hands its port to a new one, the kernel gives
 * some to the old one, which does not take them, and they would wait a second.
 */
const AGAIN_MS = 15
/** A look that comes later than this is the watcher's own delay. */
const LATE_MS = 60

export class Watcher {
  readonly #options: WatcherOptions
  readonly #judge: Fitness
  #places: WatchedAddresses
  /** Where bunlb is to be, and is not yet. */
  #next: WatchedAddresses | null = null
  #trial: Trial | null = null
  #triedAt = -Infinity
  #link: AdminLink | null = null
  #probes: PortProbes
  #askedAt = 0
  #lookedAt: number
  #timer: Timer | null = null
  #fault: string | null
  #changedAt: number
  /** What the file says: true is a fault. */
  #written = true
  #toldUnwritable = false

  /** Throws `BunlbError` when the track file cannot be written. It says fault until the opposite is known. */
  constructor(options: WatcherOptions) {
    const now = options.clock.now()
    this.#options = options
    this.#places = options.places
    this.#probes = this.#probesOf(options.places)
    this.#judge = new Fitness(options, now)
    this.#fault = this.#judge.look(now)
    this.#lookedAt = this.#changedAt = now
    writeTrackFile(options.trackFile, true)
  }

  start(): void {
    const { intervalMs, trackFile, log } = this.#options
    log.info(`watches ${namesOf(this.#places)} every ${intervalMs} ms; ${trackFile} says 1 for now`)
    this.#timer = setInterval(() => this.#turn(), this.#options.intervalMs)
    this.#turn()
  }

  /** By its configuration bunlb is there, now or soon. */
  follow(places: WatchedAddresses): void {
    this.#trial?.drop()
    this.#trial = null
    const moves = namesOf(places) !== namesOf(this.#places)
    this.#next = moves ? places : null
    if (moves) this.#options.log.info(`looks for bunlb at ${namesOf(places)}`)
  }

  /** Its configuration has changed, and does not say where it is. */
  stay(reason: string): void {
    this.#options.log.warn(`watches as before: ${reason}`)
  }

  /** Nobody watches from now on, so the file says fault. */
  stop(): void {
    if (this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#link?.drop()
    this.#probes.drop()
    this.#trial?.drop()
    this.#write(true)
    this.#options.log.info(`ends: ${this.#options.trackFile} says 1 (fault)`)
  }

  #probesOf({ ports }: WatchedAddresses): PortProbes {
    return new PortProbes(ports, (open) => this.#probed(open))
  }

  #turn(): void {
    const now = this.#options.clock.now()
    if (now - this.#lookedAt > this.#options.intervalMs + LATE_MS) this.#excuse(now)
    this.#lookedAt = now
    this.#askAdmin(now)
    this.#dialPort(now)
    this.#tryNext(now)
    this.#look()
  }

  #tryNext(now: number): void {
    const next = this.#next
    if (next === null || now - this.#triedAt < PORT_MS) return
    this.#trial?.drop()
    this.#triedAt = now
    this.#trial = new Trial(next, () => this.#move(next))
  }

  /** It is there. What is wrong with it is asked next, as before. */
  #move(places: WatchedAddresses): void {
    this.#places = places
    this.#next = this.#trial = null
    this.#link?.drop()
    this.#link = null
    this.#probes.drop()
    this.#probes = this.#probesOf(places)
    this.#judge.port(true)
    this.#options.log.info(`watches ${namesOf(places)} from now on`)
    this.#askAdmin(this.#options.clock.now())
  }

  /** This process itself was stopped or starved. What has come meanwhile waits in its sockets. */
  #excuse(now: number): void {
    this.#options.log.debug(`was away for ${Math.round(now - this.#lookedAt)} ms`)
    this.#judge.excuse(now)
    this.#askedAt = now
  }

  #askAdmin(now: number): void {
    const { deadlineMs } = this.#options
    if (this.#link !== null) {
      const dialMs = this.#fault === null ? AGAIN_MS : DIAL_MS
      const patienceMs = this.#link.open ? deadlineMs : dialMs
      if (now - this.#askedAt <= patienceMs) return this.#link.ask()
      this.#link.drop()
    }
    this.#askedAt = now
    const link = new AdminLink(this.#places.admin, {
      answered: (status, line) => this.#answered(link, status, line),
      lost: (refused) => this.#lost(link, refused),
    })
    this.#link = link
  }

  #answered(link: AdminLink, status: number, line: string): void {
    const { clock, needBackend } = this.#options
    const now = clock.now()
    // It may be an old process that hands over to a new one: ask again, whoever listens there now.
    if (line === "draining" && link.answers > 1) {
      link.drop()
      this.#link = null
      return this.#askAdmin(now)
    }
    this.#askedAt = now
    const forgiven = line.startsWith(NO_BACKEND) && !needBackend
    this.#judge.answered(status === 200 || forgiven ? null : line || `status ${status}`, now)
    this.#look()
  }

  #lost(link: AdminLink, refused: boolean): void {
    if (this.#link === link) this.#link = null
    if (this.#timer === null) return
    const now = this.#options.clock.now()
    if (refused) {
      this.#judge.adminRefused()
      this.#dialPort(now)
    }
    // One that has worked so far is missed at once, another one in the next turn.
    else if (link.answers > 0) this.#askAdmin(now)
    this.#look()
  }

  #dialPort(now: number): void {
    this.#probes.dial(now, this.#judge.suspicious)
  }

  #probed(open: boolean): void {
    this.#judge.port(open)
    this.#look()
  }

  #look(): void {
    if (this.#timer === null) return
    const now = this.#options.clock.now()
    const { log, trackFile } = this.#options
    const fault = this.#judge.look(now)
    const before = this.#fault
    if (fault !== before) {
      this.#fault = fault
      const seconds = ((now - this.#changedAt) / 1000).toFixed(1)
      if (fault === null) log.info(`well after ${seconds} s: ${trackFile} says 0`)
      else if (before === null)
        log.warn(`${fault}, after ${seconds} s: ${trackFile} says 1 (fault)`)
      else log.info(`still a fault: ${fault}`)
      if (fault === null || before === null) this.#changedAt = now
    }
    this.#write(fault !== null)
  }

  /** Tries again in every look for as long as it fails, and says so once. */
  #write(fault: boolean): void {
    if (this.#written === fault) return
    try {
      writeTrackFile(this.#options.trackFile, fault)
      this.#written = fault
      this.#toldUnwritable = false
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#toldUnwritable) return
      this.#toldUnwritable = true
      this.#options.log.error(`the file still says ${this.#written ? 1 : 0}: ${reason}`)
    }
  }
}
