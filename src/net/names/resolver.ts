/**
 * The addresses that backend names stand for, looked up before anyone needs them: at start and
 * again whenever their TTL has run out (at least 1 s, at most 30 s), never for a request. While DNS
 * fails the last good answer serves on; a name that has never resolved is tried every second. A
 * lookup that hangs holds up neither other names nor, after `ABANDON_AFTER`, its own.
 *
 * Cost: nothing per request; one Map read for each dial, which `AddressBook` puts in order. Why not let the socket
 * resolve: Bun.connect dials up to four addresses of a name and uses only the first.
 */
import { isIP } from "node:net"
import type { Clock } from "../../core/clock.ts"
import type { Log } from "../../core/log.ts"

export interface Address {
  readonly ip: string
  readonly family: 4 | 6
}

export interface LookupAnswer {
  readonly address: string
  readonly family: 4 | 6
  /** Seconds; 0 when the source (a hosts file) knows none. */
  readonly ttl: number
}

/** Answers with all addresses of a name, or rejects. */
export type Lookup = (host: string) => Promise<readonly LookupAnswer[]>

type OnAddressChange = (
  host: string,
  added: readonly Address[],
  removed: readonly Address[],
) => void

const NONE: readonly Address[] = []
const SHORTEST_TTL = 1_000
const LONGEST_TTL = 30_000
const RETRY_AFTER = 1_000
const ABANDON_AFTER = 15_000
const START_LIMIT = 3_000

export class Resolver {
  readonly #names = new Map<string, Name>()
  readonly #lookup: Lookup
  readonly #clock: Clock
  readonly #log: Log
  readonly #onChange: OnAddressChange

  constructor(
    hosts: readonly string[],
    lookup: Lookup,
    clock: Clock,
    log: Log,
    onChange: OnAddressChange = () => {},
  ) {
    this.#lookup = lookup
    this.#clock = clock
    this.#log = log
    this.#onChange = onChange
    for (const host of hosts) this.#names.set(host, createName(host))
  }

  /**
   * Resolves all names once. Comes back after `limitMs` at the latest; what has not resolved by
   * then is tried on.
   */
  async start(limitMs: number = START_LIMIT): Promise<void> {
    await this.#resolveAll([...this.#names.values()], limitMs)
  }

  /** Takes those of `hosts` that are new, and resolves them once as `start` does. */
  async add(hosts: readonly string[], limitMs: number = START_LIMIT): Promise<void> {
    const added = [...new Set(hosts)].filter((host) => !this.#names.has(host)).map(createName)
    for (const name of added) this.#names.set(name.host, name)
    await this.#resolveAll(added, limitMs)
  }

  /** Forgets every name that is not in `hosts`. */
  keep(hosts: ReadonlySet<string>): void {
    for (const host of this.#names.keys()) if (!hosts.has(host)) this.#names.delete(host)
  }

  async #resolveAll(names: readonly Name[], limitMs: number): Promise<void> {
    const open = names.filter(({ due }) => due < Infinity)
    if (open.length === 0) return
    const limit = Promise.withResolvers<void>()
    const timer = setTimeout(limit.resolve, limitMs)
    await Promise.race([Promise.all(open.map((name) => this.#resolve(name))), limit.promise])
    clearTimeout(timer)
    for (const name of open) {
      const known = this.#names.get(name.host) === name
      if (known && name.addresses.length === 0) this.#reportOutage(name, "no answer yet")
    }
  }

  /** Begins the lookups that are due. Called about once a second or more often. */
  tick(now: number): void {
    for (const name of this.#names.values()) {
      if (name.lookupBegan !== null && now - name.lookupBegan >= ABANDON_AFTER) {
        this.#fail(name, "no answer")
      }
      if (name.lookupBegan === null && now >= name.due) void this.#resolve(name)
    }
  }

  /** Answers of lookups still under way are ignored from now on. */
  stop(): void {
    this.#names.clear()
  }

  /** All addresses that `host` stands for now; none when it has never resolved. */
  addresses(host: string): readonly Address[] {
    return this.#names.get(host)?.addresses ?? NONE
  }

  async #resolve(name: Name): Promise<void> {
    const began = this.#clock.now()
    name.lookupBegan = began
    // Whether this is still the lookup that the name waits for.
    const current = (): boolean => {
      return name.lookupBegan === began && this.#names.get(name.host) === name
    }
    const answers = await this.#ask(name.host)
    if (!current()) return
    if (typeof answers === "string") this.#fail(name, answers)
    else this.#accept(name, answers)
  }

  /** The answers, at least one, or why there are none. */
  async #ask(host: string): Promise<readonly LookupAnswer[] | string> {
    try {
      const answers = await this.#lookup(host)
      return answers.length > 0 ? answers : "no address"
    } catch (error) {
      return reasonOf(error)
    }
  }

  #accept(name: Name, answers: readonly LookupAnswer[]): void {
    name.due = this.#clock.now() + askAgainAfter(answers.map(({ ttl }) => ttl))
    name.lookupBegan = null
    const fresh = uniqueAddresses(answers)
    const added = without(fresh, name.addresses)
    const removed = without(name.addresses, fresh)
    const changed = added.length + removed.length > 0
    const news = name.outage
      ? "resolves again:"
      : name.addresses.length > 0 && changed
        ? "is now"
        : ""
    name.outage = false
    // The same set in another order is no news: DNS servers shuffle.
    if (changed) name.addresses = fresh
    if (news) this.#log.info(`dns: ${name.host} ${news} ${list(name.addresses)}`)
    if (changed) this.#onChange(name.host, added, removed)
  }

  #fail(name: Name, reason: string): void {
    name.due = this.#clock.now() + RETRY_AFTER
    name.lookupBegan = null
    this.#reportOutage(name, reason)
  }

  /** One warning an outage. */
  #reportOutage(name: Name, reason: string): void {
    if (name.outage) return
    name.outage = true
    const meanwhile = name.addresses.length > 0 ? `keeping ${list(name.addresses)}` : "no address"
    this.#log.warn(`dns: ${name.host} does not resolve (${reason}): ${meanwhile}, trying on`)
  }
}

/** Milliseconds until an answer with these TTLs, in seconds, is asked for again. */
export function askAgainAfter(ttls: readonly number[]): number {
  let shortest = LONGEST_TTL
  for (const ttl of ttls) {
    // An answer without a TTL must be asked for again all the same.
    const ms = Number.isFinite(ttl) ? ttl * 1_000 : SHORTEST_TTL
    shortest = Math.min(shortest, ms)
  }
  return Math.max(shortest, SHORTEST_TTL)
}

interface Name {
  readonly host: string
  addresses: readonly Address[]
  /** When the next lookup is to begin. */
  due: number
  /** Null while no lookup is under way. */
  lookupBegan: number | null
  outage: boolean
}

function createName(host: string): Name {
  const family = isIP(host)
  const literal = family === 4 || family === 6
  return {
    host,
    addresses: literal ? [{ ip: host, family }] : NONE,
    due: literal ? Infinity : 0,
    lookupBegan: null,
    outage: false,
  }
}

function uniqueAddresses(answers: readonly LookupAnswer[]): Address[] {
  const byIp = new Map<string, Address>()
  for (const { address, family } of answers) byIp.set(address, { ip: address, family })
  return [...byIp.values()]
}

function without(addresses: readonly Address[], others: readonly Address[]): readonly Address[] {
  return addresses.filter(({ ip }) => !others.some((other) => other.ip === ip))
}

function list(addresses: readonly Address[]): string {
  return addresses.map(({ ip }) => ip).join(", ")
}

/** `ENOTFOUND` out of Bun's `DNS_ENOTFOUND`. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error)
  return code.replace(/^DNS_/, "")
}
