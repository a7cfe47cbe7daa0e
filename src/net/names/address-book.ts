/**
 * The addresses of one backend in the order in which a dial tries them. Each dial walks a list of its own, so that
 * dials at the same time do not take each other's turns: the first dial of the list begins with the address whose
 * turn it is, and a walk meets every address once.
 *
 * An address that failed lately is suspect and comes last. When that time is over, one dial tries it again, and until
 * that dial has ended all others still try it last: with an address that swallows every dial, one request waits and
 * the others do not. Where there are probes, they try it before any request does. An address where a dial has been
 * waiting for a while is suspect too.
 *
 * Cost: nothing is allocated for a backend with one address; a short array per dial for one with several.
 */
import type { Address, Resolver } from "./resolver.ts"

/** An address that failed is tried last for this long, or until it answers. */
export const SUSPECT_MS = 20_000
/** A probe tries an address again this long after it failed, so that no request has to. */
export const PROBE_AGAIN_MS = 10_000
/** A dial that has waited this long makes its address suspect. */
export const SLOW_MS = 300

/** One address, and how the latest dials to it ended. */
export class DialTarget {
  readonly ip: string
  /** When a dial to it failed last; -Infinity since it answered last. */
  #failedAt = -Infinity
  /** Dials under way. */
  #pending = 0
  /** Since when a dial has been waiting without any answer from this address. */
  #waitingSince = 0

  constructor(ip: string) {
    this.ip = ip
  }

  /** A dial begins; exactly one of `reached`, `failed` and `abandoned` follows. */
  began(now: number): void {
    if (this.#pending === 0) this.#waitingSince = now
    this.#pending++
  }

  reached(now: number): void {
    this.#pending--
    this.#waitingSince = now
    this.#failedAt = -Infinity
  }

  failed(now: number): void {
    this.#pending--
    this.#failedAt = now
  }

  /** The dial that began at `began` was given up before its outcome was known. */
  abandoned(now: number, began: number): void {
    this.#pending--
    if (now - began >= SLOW_MS) this.#failedAt = now
  }

  isSuspect(now: number): boolean {
    if (this.#pending > 0 && now - this.#waitingSince >= SLOW_MS) return true
    if (this.#failedAt === -Infinity) return false
    return this.#pending > 0 || now - this.#failedAt < SUSPECT_MS
  }

  /** It failed, and a probe is to find out whether it still does. */
  isToBeProbed(now: number): boolean {
    if (this.#failedAt === -Infinity || this.#pending > 0) return false
    return now - this.#failedAt >= PROBE_AGAIN_MS
  }
}

/**
 * The target to dial next in a walk that has come to `position`, or null at its end: the first of the rest that is not
 * suspect by now, which then has that position.
 */
export function nextInWalk(
  targets: DialTarget[],
  position: number,
  now: number,
): DialTarget | null {
  for (let i = position; i < targets.length; i++) {
    const target = targets[i]
    if (target === undefined || target.isSuspect(now)) continue
    targets.copyWithin(position + 1, position, i)
    targets[position] = target
    return target
  }
  return targets[position] ?? null
}

export class AddressBook {
  readonly #resolver: Resolver
  /** As the resolver gave them last. */
  #known: readonly Address[] = []
  #targets: DialTarget[] = []
  /** Position of the address that the next request begins with. */
  #turn: number

  /** `random`: from 0 up to, not including, 1; it chooses the first address. */
  constructor(resolver: Resolver, random: () => number = Math.random) {
    this.#resolver = resolver
    this.#turn = Math.floor(random() * 0x1_0000)
  }

  /** The addresses of `host` for one request, in the order to try them; all take turns at being the first. */
  forRequest(host: string, now: number): DialTarget[] {
    const targets = this.#refreshed(host)
    if (targets.length < 2) return targets
    this.#turn = (this.#turn + 1) % targets.length
    return inOrder(targets, this.#turn, now)
  }

  /** For a probe, which takes nobody's turn: first one that failed some time ago, and then as for a request. */
  forProbe(host: string, now: number): DialTarget[] {
    const targets = this.#refreshed(host)
    if (targets.length < 2) return targets
    const order = inOrder(targets, this.#turn % targets.length, now)
    const again = order.findIndex((target) => target.isToBeProbed(now))
    if (again > 0) order.unshift(...order.splice(again, 1))
    return order
  }

  /** Addresses that stay keep what is known of them. */
  #refreshed(host: string): DialTarget[] {
    const addresses = this.#resolver.addresses(host)
    if (addresses !== this.#known) {
      const before = new Map(this.#targets.map((target) => [target.ip, target]))
      this.#known = addresses
      this.#targets = addresses.map(({ ip }) => before.get(ip) ?? new DialTarget(ip))
    }
    return this.#targets
  }
}

/** From `turn` on and round to it, the suspect ones after the others. */
function inOrder(targets: readonly DialTarget[], turn: number, now: number): DialTarget[] {
  const order: DialTarget[] = []
  const suspect: DialTarget[] = []
  for (let i = 0; i < targets.length; i++) {
    const target = targets[(turn + i) % targets.length]
    if (target === undefined) continue
    if (target.isSuspect(now)) suspect.push(target)
    else order.push(target)
  }
  for (const target of suspect) order.push(target)
  return order
}
