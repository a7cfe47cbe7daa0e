/**
 * Watches over the bunlb of this node and says in a file whether it may hold the address that clients know. A process
 * of its own, for it must outlive what it watches.
 *
 *   kept connection to the admin listener: asked every `intervalMs`; closed by a dying master in the same moment
 *   the port that clients use: dialled ten times a second, and in every look once something is odd
 *
 * Both go to the judge; its verdict goes to the file when it changes. Cost at 20 ms: see docs/high-availability.md.
 */
import { NO_BACKEND } from "../fleet/health-view.ts"
import type { Clock } from "../observe/clock.ts"
import type { Log } from "../observe/log.ts"
import { AdminLink } from "./admin-link.ts"
import { Judge } from "./judge.ts"
import { PortProbe } from "./port-probe.ts"
import { writeTrackFile } from "./track-file.ts"

export interface Place {
  readonly host: string
  readonly port: number
}

export interface WatcherOptions {
  readonly trackFile: string
  readonly admin: Place
  /** The port that clients use; null leaves it alone. */
  readonly port: Place | null
  readonly intervalMs: number
  readonly deadlineMs: number
  readonly riseMs: number
  /** That no backend is healthy is a fault too. */
  readonly needBackend: boolean
  readonly clock: Clock
  readonly log: Log
}

/** How often the port of clients is dialled while nothing is odd. */
const PORT_MS = 100
/** A look that comes later than this is the watcher's own delay. */
const LATE_MS = 60

export class Watcher {
  readonly #options: WatcherOptions
  readonly #judge: Judge
  #link: AdminLink | null = null
  #probe: PortProbe | null = null
  #probedAt = -Infinity
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
    this.#judge = new Judge(options, now)
    this.#fault = this.#judge.look(now)
    this.#lookedAt = this.#changedAt = now
    writeTrackFile(options.trackFile, true)
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(), this.#options.intervalMs)
    this.#turn()
  }

  /** Nobody watches from now on, so the file says fault. */
  stop(): void {
    if (this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#link?.abort()
    this.#probe?.abort()
    this.#write(true)
    this.#options.log.info(`ends: ${this.#options.trackFile} says 1 (fault)`)
  }

  #turn(): void {
    const now = this.#options.clock.now()
    if (now - this.#lookedAt > this.#options.intervalMs + LATE_MS) this.#excuse(now)
    this.#lookedAt = now
    this.#askAdmin(now)
    this.#dialPort(now)
    this.#look()
  }

  /** This process itself was stopped or starved. What has come meanwhile waits in its sockets. */
  #excuse(now: number): void {
    this.#options.log.debug(`was away for ${Math.round(now - this.#lookedAt)} ms`)
    this.#judge.excuse(now)
    this.#askedAt = now
  }

  #askAdmin(now: number): void {
    const { admin, deadlineMs } = this.#options
    if (this.#link !== null && now - this.#askedAt > deadlineMs) {
      this.#link.abort()
      this.#link = null
    }
    if (this.#link !== null) return this.#link.ask()
    this.#askedAt = now
    const link = new AdminLink(
      {
        answered: (status, line) => this.#answered(link, status, line),
        lost: (refused) => this.#lost(link, refused),
      },
      deadlineMs,
    )
    this.#link = link
    link.dial(admin.host, admin.port, now)
  }

  #answered(link: AdminLink, status: number, line: string): void {
    const { clock, needBackend } = this.#options
    const now = clock.now()
    // It may be an old process that hands over to a new one: ask again, whoever listens there now.
    if (line === "draining" && link.answers > 1) {
      link.abort()
      this.#link = null
      return this.#askAdmin(now)
    }
    this.#askedAt = now
    const forgiven = line === NO_BACKEND && !needBackend
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
    const { port, deadlineMs } = this.#options
    if (port === null) return
    const waiting = this.#probe !== null && now - this.#probedAt < deadlineMs
    const early = now - this.#probedAt < PORT_MS && !this.#judge.suspicious
    if (waiting || early) return
    this.#probe?.abort()
    this.#probedAt = now
    const probe = new PortProbe(deadlineMs, (open) => {
      if (this.#probe === probe) this.#probe = null
      if (open !== null) this.#judge.port(open)
      this.#look()
    })
    this.#probe = probe
    probe.dial(port.host, port.port, now)
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
      const line = `the file still says ${this.#written ? 1 : 0}: ${reason}`
      if (!this.#toldUnwritable) this.#options.log.error(line)
      this.#toldUnwritable = true
    }
  }
}
