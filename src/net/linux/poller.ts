/**
 * Waits for sockets of our own beside those of Bun. Bun reads every socket itself, into a fresh buffer for each
 * piece; here only readiness is waited for, and the owner receives into memory that is used again and again, or lets
 * the kernel move the bytes. Measured against Bun's sockets: docs/performance.md, "Direct sockets".
 *
 * Bun's event loop waits on an epoll descriptor, which can itself be waited for. So the thread waits here, for our
 * sockets and for Bun's loop together, and lets Bun's loop turn when that has something to do, at the latest after
 * `patienceMs`: a timer may be that late, nothing else changes. With no socket of ours nothing here runs.
 *
 * Linux only, and only where Bun's epoll descriptor is found; else `poller()` is null and Bun's sockets serve.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs"
import { Kernel, READABLE } from "./kernel.ts"
import { UnwatchedSockets } from "./unwatched-sockets.ts"

/** Another program whose sockets have just had something to do is likely to have more: it does not wait for ours. */
const CALM_TURNS = 8

/** Someone who waits for a descriptor. */
export interface Pollable {
  readonly fd: number
  ready(events: number): void
  /** `ready` threw: a fault of bunlb's own. */
  crashed(error: Error): void
}

export class Poller {
  readonly kernel: Kernel
  readonly #epoll: number
  readonly #bun: number
  /** By descriptor. */
  readonly #watched: (Pollable | null)[] = []
  /** By descriptor: the round in which it was watched. What that round still tells is of another one before it. */
  readonly #since: number[] = []
  #rounds = 0
  /** Turns in which nothing came. */
  #calm = 0
  #count = 0
  #turning = false
  readonly #turn = (): void => this.#run()
  readonly #strays: UnwatchedSockets
  readonly #told = (fd: number, events: number): void => this.#tell(fd, events)

  constructor(kernel: Kernel, epoll: number, bun: number) {
    this.kernel = kernel
    this.#epoll = epoll
    this.#bun = bun
    this.#strays = new UnwatchedSockets(kernel, epoll)
  }

  /** `interest`: a mask of `READABLE` and `WRITABLE`; level-triggered. */
  watch(who: Pollable, interest: number): void {
    while (this.#watched.length <= who.fd) {
      this.#watched.push(null)
      this.#since.push(0)
    }
    this.#watched[who.fd] = who
    this.#since[who.fd] = this.#rounds
    this.#count++
    if (this.kernel.watch(this.#epoll, who.fd, interest) < 0) this.#strays.add(who, interest)
    if (this.#turning) return
    this.#turning = true
    setImmediate(this.#turn)
  }

  change(who: Pollable, interest: number): void {
    if (this.kernel.change(this.#epoll, who.fd, interest) < 0) this.#strays.add(who, interest)
    else if (this.#strays.size > 0) this.#strays.remove(who)
  }

  /** To be called before `fd` is closed. `kept`: another descriptor of the same socket stays open. */
  ignore(fd: number, kept: boolean): void {
    const who = this.#watched[fd]
    if (who === null || who === undefined) return
    if (this.#strays.size > 0) this.#strays.remove(who)
    this.#watched[fd] = null
    this.#count--
    if (kept) this.kernel.ignore(this.#epoll, fd)
  }

  /** Waits and tells until Bun has something to do or its time has come, and then lets Bun's loop turn once. */
  #run(): void {
    try {
      if (!alone && this.#calm < CALM_TURNS) this.#round(0)
      else this.#waitUntil(performance.now() + patienceMs)
    } finally {
      this.#turning = this.#count > 0
      if (this.#turning) setImmediate(this.#turn)
    }
  }

  #waitUntil(time: number): void {
    let left = patienceMs
    while (left > 0 && this.#round(Math.ceil(left))) left = time - performance.now()
  }

  /** False when Bun's loop has something to do, or nothing came. */
  #round(ms: number): boolean {
    const count = this.kernel.wait(this.#epoll, ms)
    this.#rounds++
    this.#calm = count > 0 ? 0 : this.#calm + 1
    let goesOn = count > 0
    if (this.#strays.size > 0) this.#strays.round(this.#told)
    for (let i = 0; i < count; i++) {
      const fd = this.kernel.fdAt(i)
      if (fd === this.#bun) goesOn = false
      else this.#tell(fd, this.kernel.eventAt(i))
    }
    return goesOn
  }

  /** An event may be of a descriptor that was closed, or closed and opened again, in this very round. */
  #tell(fd: number, events: number): void {
    const who = this.#watched[fd]
    if (who === null || who === undefined || this.#since[fd] === this.#rounds) return
    try {
      who.ready(events)
    } catch (error) {
      who.crashed(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

let found: Poller | null | undefined
/** How late a timer of Bun may be while sockets are open, in milliseconds. */
let patienceMs = 1
/** Nobody but bunlb uses Bun's loop here. */
let alone = false

/** This process does nothing but balance: nobody minds a timer that is some milliseconds late. */
export function takeTime(): void {
  patienceMs = 20
  alone = true
}

/** Whether sockets can be direct in this process. */
export function canBeDirect(): boolean {
  return poller() !== null
}

/** The poller of this thread, or null where sockets have to be Bun's. */
export function poller(): Poller | null {
  if (found === undefined) found = process.platform === "linux" ? create() : null
  return found
}

function create(): Poller | null {
  const bun = bunsEpoll()
  if (bun < 0) return null
  const kernel = new Kernel()
  const epoll = kernel.createEpoll()
  if (epoll < 0) return null
  if (kernel.watch(epoll, bun, READABLE) === 0) return new Poller(kernel, epoll, bun)
  kernel.close(epoll)
  return null
}

/**
 * The epoll descriptor of Bun's event loop, or -1: the one that waits for a socket which Bun has just opened. Other
 * threads of Bun have loops, and so descriptors, of their own.
 */
function bunsEpoll(): number {
  const known = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  try {
    if (!("fd" in known)) return -1
    const target = new RegExp(`^tfd:\\s+${String(known.fd)}\\s`, "m")
    for (const fd of readdirSync("/proc/self/fd")) {
      if (watches(fd, target)) return Number(fd)
    }
    return -1
  } catch {
    return -1
  } finally {
    known.stop()
  }
}

/** False also for a descriptor that has been closed since it was listed. */
function watches(fd: string, target: RegExp): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) !== "anon_inode:[eventpoll]") return false
    return target.test(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))
  } catch {
    return false
  }
}
