/**
 * Backends found through DNS: each discovered backend of the configuration stands for as many members as its name has
 * addresses, or its SRV records targets. Asked at start and again whenever the TTL has run out (at least 1 s, at most
 * 30 s), by the master alone, so that all workers serve by the same answer. While DNS fails, or says that there is
 * nothing, the last good answer serves on: probes and breakers tell better than a name server who is dead.
 *
 * A name in two pools has members in each, and is looked up once for both.
 *
 * Cost: nothing per request; two questions for each name and TTL.
 */
import { MAX_BACKENDS } from "../../config/schema/backend.ts"
import {
  type PoolBackend,
  type Pooled,
  allBackends,
  backendLabel,
} from "../../config/schema/pools.ts"
import type { BackendSettings, DnsSettings } from "../../config/schema/settings.ts"
import { type NameService, type SrvRecord, isNothing } from "../../net/names/name-service.ts"
import { type LookupAnswer, askAgainAfter, reasonOf } from "../../net/names/resolver.ts"
import type { Clock } from "../../core/clock.ts"
import type { Log } from "../../core/log.ts"
import type { Discovered, LookupResult } from "../figures/discovered.ts"
import { sharedNames } from "./shared-names.ts"
import { type Found, type Place, membersOf } from "./members.ts"

export interface DiscoveryParts {
  readonly names: NameService
  readonly clock: Clock
  readonly log: Log
  /** The members are others; `line` says how. */
  readonly onChange: (line: string) => void
}

interface Answer {
  readonly places: readonly Place[]
  /** In seconds; the shortest counts. */
  readonly ttls: readonly number[]
}

const RETRY_AFTER = 1_000
const ABANDON_AFTER = 15_000
const START_LIMIT = 3_000
/** A name is asked this soon after its TTL has run out. */
const LOOK_MS = 100
/** Names that one log line tells. */
const TOLD = 8

export class Discovery {
  readonly #parts: DiscoveryParts
  /** By the label of the backend. */
  #names = new Map<string, Name>()
  #limit: number
  #asking: Timer | null = null
  /** Whoever waits for answers asks for them himself. */
  #waiting = false

  constructor(parts: DiscoveryParts, { maxBackends }: Pick<DnsSettings, "maxBackends">) {
    this.#parts = { ...parts, names: sharedNames(parts.names, parts.clock, ABANDON_AFTER) }
    this.#limit = maxBackends
  }

  /**
   * Discovers for those backends of the pools that want it. Comes back when each new one has been answered, or
   * `limitMs` later: what has no answer by then is asked on. `onChange` is not called meanwhile.
   */
  async watch(
    pools: Pooled,
    { maxBackends }: Pick<DnsSettings, "maxBackends">,
    limitMs: number = START_LIMIT,
  ): Promise<void> {
    const before = this.#names
    this.#limit = maxBackends
    const wanted = allBackends(pools).filter(({ backend }) => backend.discover !== undefined)
    this.#names = new Map(wanted.map((each) => [each.label, this.#goOn(each, before)]))
    const fresh = [...this.#names.values()].filter(({ due, began }) => due === 0 && began === null)
    if (fresh.length === 0) return
    const limit = Promise.withResolvers<void>()
    const timer = setTimeout(limit.resolve, limitMs)
    this.#waiting = true
    await Promise.race([Promise.all(fresh.map((name) => this.#ask(name))), limit.promise])
    this.#waiting = false
    clearTimeout(timer)
    for (const name of fresh) {
      const current = this.#names.get(name.label) === name
      if (current && name.lookups.ok === 0 && name.stale === "")
        this.#complain(name, "no answer yet")
    }
  }

  /** From now on names are asked by themselves, if there are any, until `stop`. */
  keepAsking(): void {
    if (this.#asking !== null) clearInterval(this.#asking)
    const { clock } = this.#parts
    const isWanted = this.#names.size > 0
    this.#asking = isWanted ? setInterval(() => this.tick(clock.now()), LOOK_MS) : null
  }

  /** Asks what is due. */
  tick(now: number): void {
    for (const name of this.#names.values()) {
      if (name.began !== null && now - name.began >= ABANDON_AFTER) {
        this.#fail(name, "failed", "no answer")
      }
      if (name.began === null && now >= name.due) void this.#ask(name)
    }
  }

  /** Answers under way are ignored from now on. */
  stop(): void {
    this.#names = new Map()
    this.keepAsking()
  }

  /** `backends` of a pool, members in the place of who stands for them; each address once, the plainly named first. */
  expand(backends: readonly BackendSettings[], pool: string): readonly BackendSettings[] {
    if (!backends.some(({ discover }) => discover !== undefined)) return backends
    const taken = new Set(
      backends.filter(({ discover }) => discover === undefined).map(({ name }) => name),
    )
    const all = backends.flatMap((backend) => {
      if (backend.discover === undefined) return [backend]
      const members = this.#names.get(backendLabel(pool, backend.name))?.members ?? []
      const free = members.filter(({ name }) => !taken.has(name))
      for (const { name } of free) taken.add(name)
      return free
    })
    return all.slice(0, MAX_BACKENDS)
  }

  list(): readonly Discovered[] {
    return [...this.#names.values()].map(({ label, pool, members, stale, lookups }) => ({
      name: label,
      members: members.map(({ name }) => backendLabel(pool, name)),
      stale,
      lookups: { ...lookups },
    }))
  }

  /** The same under other settings keeps its last answer. */
  #goOn(own: PoolBackend, before: ReadonlyMap<string, Name>): Name {
    const { backend, label } = own
    const name = before.get(label)
    if (name === undefined) return createName(own)
    name.backend = backend
    name.members = membersOf(backend, name.places, this.#limit, name.members).members
    return name
  }

  /** The last good answers, for the bunlb that follows this one. */
  handOver(): readonly Found[] {
    return [...this.#names.values()].map(({ label: name, places }) => ({ name, places }))
  }

  /** What the bunlb before this one was told holds until DNS answers. Before `watch`. */
  inherit(pools: Pooled, found: readonly Found[]): void {
    const all = allBackends(pools)
    for (const { name, places } of found) {
      const own = all.find(({ label, backend }) => label === name && backend.discover !== undefined)
      if (own === undefined || places.length === 0) continue
      const { backend } = own
      const fresh = createName(own)
      fresh.places = places
      fresh.members = membersOf(backend, places, this.#limit, []).members
      this.#names.set(name, fresh)
    }
  }

  async #ask(name: Name): Promise<void> {
    const began = this.#parts.clock.now()
    name.began = began
    const current = (): boolean => {
      return name.began === began && this.#names.get(name.label) === name
    }
    try {
      const answer = await this.#answerFor(name)
      if (current()) this.#accept(name, answer)
    } catch (error) {
      if (current()) this.#fail(name, isNothing(error) ? "empty" : "failed", reasonOf(error))
    }
  }

  async #answerFor(name: Name): Promise<Answer> {
    const { names } = this.#parts
    const { discover, host, port } = name.backend
    if (discover === "srv") return await this.#servicesOf(name)
    const addresses = await names.addresses(host)
    if (addresses.length === 0) throw nothing
    const places = addresses.map(({ address: ip }) => ({ ip, port, weight: 0, priority: 0 }))
    return { places, ttls: addresses.map(({ ttl }) => ttl) }
  }

  /** A target that cannot be looked up just now is where it was. */
  async #servicesOf(name: Name): Promise<Answer> {
    const { names } = this.#parts
    const all = await names.services(name.backend.host)
    // A sole "." says that there is no such service (RFC 2782), and nobody can be reached at port 0.
    const records = all
      .filter(({ name, port }) => name !== "" && name !== "." && port !== 0)
      .toSorted(byPriorityAndName)
      .slice(0, this.#limit)
    const targets = new Map<string, readonly LookupAnswer[]>()
    let fault: unknown = nothing
    const look = async (target: string): Promise<void> => {
      try {
        targets.set(target, await names.addresses(target))
      } catch (error) {
        fault = error
        const known = name.targets.get(target)
        if (known !== undefined) targets.set(target, known)
      }
    }
    await Promise.all([...new Set(records.map((record) => record.name))].map(look))
    const places = records.flatMap(({ name: target, port, weight, priority }) =>
      (targets.get(target) ?? []).map(({ address: ip }) => ({ ip, port, weight, priority })),
    )
    if (places.length === 0) throw fault
    name.targets = targets
    return { places, ttls: [...records, ...[...targets.values()].flat()].map(({ ttl }) => ttl) }
  }

  #accept(name: Name, { places, ttls }: Answer): void {
    const { clock, log, onChange } = this.#parts
    const { backend, label, members: before } = name
    const { members, leftOut } = membersOf(backend, places, this.#limit, before)
    name.due = clock.now() + askAgainAfter(ttls)
    name.began = null
    name.lookups.ok++
    name.places = places
    name.members = members
    if (leftOut > 0 && leftOut !== name.leftOut) {
      log.warn(`dns: ${label}: ${leftOut} more than dns.max_backends allows are left out`)
    }
    name.leftOut = leftOut
    if (name.stale !== "") log.info(`dns: ${label}: answered again`)
    name.stale = ""
    if (JSON.stringify(members) === JSON.stringify(before)) return
    const news = difference(before, members)
    log.info(`dns: ${label}: ${news}`)
    if (!this.#waiting) onChange(`dns: ${label}: ${news}`)
  }

  #fail(name: Name, result: LookupResult, reason: string): void {
    name.due = this.#parts.clock.now() + RETRY_AFTER
    name.began = null
    name.lookups[result]++
    this.#complain(name, reason)
  }

  /** One warning an outage. */
  #complain(name: Name, reason: string): void {
    const news = name.stale === ""
    name.stale = reason
    if (!news) return
    const count = name.members.length
    const meanwhile = count === 0 ? "no backend" : `keeping ${backendsOf(count)}`
    this.#parts.log.warn(`dns: ${name.label} does not resolve (${reason}): ${meanwhile}, trying on`)
  }
}

/** Of too many the same ones each time, for servers give them in another order. */
function byPriorityAndName(a: SrvRecord, b: SrvRecord): number {
  if (a.priority !== b.priority) return a.priority - b.priority
  return a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1
}

/** Names without any address are answered like names that there are not. */
const nothing = Object.assign(new Error("no address"), { code: "ENODATA" })

interface Name {
  readonly pool: string
  readonly label: string
  backend: BackendSettings
  /** The last good answer. */
  places: readonly Place[]
  members: readonly BackendSettings[]
  targets: ReadonlyMap<string, readonly LookupAnswer[]>
  leftOut: number
  /** When to ask next; 0 before the first time. */
  due: number
  /** When the question under way was asked, or null. */
  began: number | null
  stale: string
  readonly lookups: Record<LookupResult, number>
}

function createName({ pool, label, backend }: PoolBackend): Name {
  return {
    ...{ pool, label, backend },
    places: [],
    members: [],
    targets: new Map(),
    leftOut: 0,
    due: 0,
    began: null,
    stale: "",
    lookups: { ok: 0, empty: 0, failed: 0 },
  }
}

function difference(before: readonly BackendSettings[], now: readonly BackendSettings[]): string {
  const added = without(now, before)
  const gone = without(before, now)
  const words = [
    ...(added.length > 0 ? [`new ${told(added)}`] : []),
    ...(gone.length > 0 ? [`gone ${told(gone)}`] : []),
  ]
  const said = words.length === 0 ? "weights or priorities changed" : words.join(", ")
  return `${backendsOf(now.length)}, ${said}`
}

function without(some: readonly BackendSettings[], others: readonly BackendSettings[]): string[] {
  const names = new Set(others.map(({ name }) => name))
  return some.map(({ name }) => name).filter((name) => !names.has(name))
}

function told(names: readonly string[]): string {
  const more = names.length - TOLD
  return names.slice(0, TOLD).join(" ") + (more > 0 ? ` and ${more} more` : "")
}

function backendsOf(count: number): string {
  return count === 1 ? "1 backend" : `${count} backends`
}
