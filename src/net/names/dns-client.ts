/**
 * A DNS client without a cache: every question goes to a name server. Servers are tried in order, the next one when a
 * server is silent, refuses, or fails; one that was silent lately comes last. The same question asked twice at once is
 * one question. Questions that failed slowly last time have a lane of their own, so that names that no server answers
 * do not hold up the others.
 *
 * Cost: a socket for each question under way, of which there are at most `MOST_AT_ONCE` and `MOST_SLOW`; the others
 * wait.
 */
import { Lane } from "./lane.ts"
import type { DnsRecord, RecordType, Reply } from "./dns-message.ts"
import { DnsFault, type NameServerAddress, askServer } from "./dns-server.ts"

/** How to ask, as resolv.conf says or the settings. */
export interface AskRules {
  readonly servers: readonly NameServerAddress[]
  /** For one server to answer once. */
  readonly timeoutMs: number
  /** How often the servers are tried, all of them in turn. */
  readonly attempts: number
  readonly tcp: boolean
  readonly rotate: boolean
}

const MOST_AT_ONCE = 192
/** A question that takes this long to fail is slow. Of those that were slow last time fewer are asked at once. */
const SLOW_MS = 1_000
const MOST_SLOW = 64
const MOST_KNOWN_SLOW = 4_096
/** All tries of one question together take no longer. */
const WHOLE_LIMIT_MS = 12_000
/** A server that was silent comes last for so long. */
const SILENT_MS = 30_000
/** Servers whose silence is remembered; resolv.conf can name others again and again. */
const MOST_SILENT = 64

const FORMERR = 1
const NXDOMAIN = 3
const NOTIMP = 4
const codes = ["", "EFORMERR", "ESERVFAIL", "ENOTFOUND", "ENOTIMP", "EREFUSED"]

export class DnsClient {
  readonly #now: () => number
  readonly #pending = new Map<string, Promise<readonly DnsRecord[]>>()
  readonly #silent = new Map<string, number>()
  readonly #lane = new Lane(MOST_AT_ONCE)
  readonly #slowLane = new Lane(MOST_SLOW)
  /** Questions that failed slowly last time. */
  readonly #slow = new Set<string>()
  #turn = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * The records of `name`, at least one. Rejects with `DnsFault`: `ENOTFOUND` when there is no such name, `ENODATA`
   * when it has no such record, any other code when nobody could tell.
   */
  ask(name: string, type: RecordType, rules: AskRules): Promise<readonly DnsRecord[]> {
    const key = `${type} ${name}`
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    const lane = this.#slow.has(key) ? this.#slowLane : this.#lane
    const asked = lane
      .run(() => this.#askNoting(key, name, type, rules))
      .finally(() => this.#pending.delete(key))
    this.#pending.set(key, asked)
    return asked
  }

  async #askNoting(key: string, name: string, type: RecordType, rules: AskRules) {
    const began = this.#now()
    try {
      const records = await this.#askAll(name, type, rules)
      this.#slow.delete(key)
      return records
    } catch (error) {
      if (this.#slow.size >= MOST_KNOWN_SLOW) this.#slow.clear()
      if (this.#now() - began >= SLOW_MS) this.#slow.add(key)
      else this.#slow.delete(key)
      throw error
    }
  }

  async #askAll(name: string, type: RecordType, rules: AskRules): Promise<readonly DnsRecord[]> {
    const began = this.#now()
    let fault = new DnsFault("ETIMEOUT")
    for (let attempt = 0; attempt < rules.attempts; attempt++) {
      for (const server of this.#inOrder(rules)) {
        const left = began + WHOLE_LIMIT_MS - this.#now()
        if (left <= 0) throw fault
        const limit = Math.min(rules.timeoutMs, left)
        const how = { edns: attempt === 0, tcp: rules.tcp }
        const reply = await this.#try(server, name, type, limit, how)
        if (reply instanceof DnsFault) {
          // What a server said tells more than the silence of another.
          if (reply.code !== "ETIMEOUT") fault = reply
          continue
        }
        if (reply.rcode === NXDOMAIN) throw new DnsFault("ENOTFOUND")
        if (reply.rcode !== 0) fault = new DnsFault(codes[reply.rcode] ?? `ERCODE${reply.rcode}`)
        else if (reply.records.length === 0) throw new DnsFault("ENODATA")
        else return reply.records
      }
    }
    throw fault
  }

  /**
   * Old servers know nothing of EDNS and say so with an error; those that fail or stay silent because of it are asked
   * without it at the next attempt.
   */
  async #try(
    server: NameServerAddress,
    name: string,
    type: RecordType,
    limitMs: number,
    how: { readonly edns: boolean; readonly tcp: boolean },
  ): Promise<Reply | DnsFault> {
    const key = `${server.host} ${server.port}`
    try {
      let reply = await askServer(server, name, type, limitMs, how)
      if (how.edns && (reply.rcode === FORMERR || reply.rcode === NOTIMP)) {
        reply = await askServer(server, name, type, limitMs, { edns: false, tcp: how.tcp })
      }
      this.#silent.delete(key)
      return reply
    } catch (error) {
      const fault = error instanceof DnsFault ? error : new DnsFault("EIO")
      if (this.#silent.size >= MOST_SILENT) this.#silent.clear()
      if (fault.code === "ETIMEOUT") this.#silent.set(key, this.#now())
      return fault
    }
  }

  #inOrder({ servers, rotate }: AskRules): readonly NameServerAddress[] {
    if (servers.length < 2) return servers
    const first = rotate ? this.#turn++ % servers.length : 0
    const turned = [...servers.slice(first), ...servers.slice(0, first)]
    const isSilent = ({ host, port }: NameServerAddress): boolean =>
      this.#now() - (this.#silent.get(`${host} ${port}`) ?? -Infinity) < SILENT_MS
    return [
      ...turned.filter((server) => !isSilent(server)),
      ...turned.filter((server) => isSilent(server)),
    ]
  }
}
