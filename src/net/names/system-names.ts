/**
 * Names as this system knows them: /etc/hosts first, then DNS with the search domains of /etc/resolv.conf, then, where
 * nsswitch.conf names other sources, the C library. `localhost` is this machine, whatever DNS says (RFC 6761).
 */
import type { LookupAnswer } from "./resolver.ts"
import type { DnsClient } from "./dns-client.ts"
import { Families, type Family, isNothing } from "./families.ts"
import { DnsFault } from "./dns-server.ts"
import type { ResolvConf, SystemFiles } from "./system-files.ts"

/** No further search domain is tried after so long. */
const SEARCH_MS = 10_000
const MOST_NAMES = 4_096
/** Questions to the C library at once. */
const MOST_BLOCKED = 2

const loopback: readonly LookupAnswer[] = [
  { address: "127.0.0.1", family: 4, ttl: 0 },
  { address: "::1", family: 6, ttl: 0 },
]

/** Asks the C library. A `family` of 0 stands for both. */
type AskLibrary = (name: string, family: Family | 0) => Promise<readonly LookupAnswer[]>

export class SystemNames {
  readonly #client: DnsClient
  readonly #files: SystemFiles
  readonly #families: readonly Family[]
  readonly #now: () => number
  readonly #library: AskLibrary
  readonly #halves: Families
  /** The whole name under which a name was found last. */
  readonly #found = new Map<string, string>()
  /** Whole names that were not answered last time: they are asked for last. */
  readonly #silent = new Set<string>()
  readonly #asking = new Map<string, Promise<readonly LookupAnswer[]>>()

  constructor(
    client: DnsClient,
    files: SystemFiles,
    families: readonly Family[],
    now: () => number,
    library: AskLibrary = (name, family) => Bun.dns.lookup(name, { backend: "libc", family }),
  ) {
    this.#client = client
    this.#files = files
    this.#families = families
    this.#now = now
    this.#library = library
    this.#halves = new Families(now)
  }

  async addresses(name: string): Promise<readonly LookupAnswer[]> {
    const wanted = ({ family }: { readonly family: Family }): boolean =>
      this.#families.includes(family)
    const entries = this.#files.hostEntries(name).filter(wanted)
    if (entries.length > 0) {
      return entries.map(({ ip, family }) => ({ address: ip, family, ttl: 0 }))
    }
    if (/^(.*\.)?localhost\.?$/i.test(name)) return loopback.filter(wanted)
    try {
      return await this.#search(name, this.#files.resolvConf)
    } catch (error) {
      if (!this.#mayLibraryKnow(name, error)) throw error
      return await this.#askLibrary(name).catch(() => {
        throw error
      })
    }
  }

  /**
   * The first whole name that has addresses. A domain that fails is passed over, for it may be one that this network
   * does not have; but not when the name was found there before, for the next one may be another's.
   */
  async #search(name: string, conf: ResolvConf): Promise<readonly LookupAnswer[]> {
    const began = this.#now()
    let fault: DnsFault | null = null
    for (const whole of this.#silentLast(wholeNames(name, conf), this.#found.get(name))) {
      try {
        const answers = await this.#halves.addresses(whole, this.#families, (family) =>
          this.#client.ask(whole, family === 4 ? "A" : "AAAA", conf),
        )
        this.#remember(name, whole)
        this.#silent.delete(whole)
        return answers
      } catch (error) {
        if (!(error instanceof DnsFault)) throw error
        if (this.#silent.size >= MOST_NAMES) this.#silent.clear()
        if (error.code === "ETIMEOUT") this.#silent.add(whole)
        else this.#silent.delete(whole)
        if (fault === null || (isNothing(fault) && !isNothing(error))) fault = error
        if (!isNothing(error) && this.#found.get(name) === whole) throw error
        if (this.#now() - began >= SEARCH_MS) break
      }
    }
    throw fault ?? new DnsFault("ENOTFOUND")
  }

  /** So that domains whose servers are silent do not take all the time, over and over. `found` keeps its place. */
  #silentLast(wholes: readonly string[], found: string | undefined): readonly string[] {
    const isSilent = (whole: string): boolean => whole !== found && this.#silent.has(whole)
    if (!wholes.some(isSilent)) return wholes
    return [...wholes.filter((whole) => !isSilent(whole)), ...wholes.filter(isSilent)]
  }

  #remember(name: string, whole: string): void {
    if (this.#found.get(name) === whole) return
    if (this.#found.size >= MOST_NAMES) this.#found.clear()
    this.#found.set(name, whole)
  }

  /**
   * Its other sources may know a name that DNS does not, and when name servers refuse or fail. It also asks the same
   * name servers, so that one that is silent must not be asked by the library again.
   */
  #mayLibraryKnow(name: string, error: unknown): boolean {
    if (!this.#files.hasOtherSources) return false
    const isLocal = !name.includes(".") || /\.local\.?$/i.test(name)
    const isSilence = error instanceof DnsFault && error.code === "ETIMEOUT"
    return (isLocal || !isSilence) && (this.#asking.size < MOST_BLOCKED || this.#asking.has(name))
  }

  /** Blocks a thread of those that also write files, perhaps for long. */
  #askLibrary(name: string): Promise<readonly LookupAnswer[]> {
    const asking = this.#asking.get(name)
    if (asking !== undefined) return asking
    const [only = 0, ...others] = this.#families
    const family = others.length > 0 ? 0 : only
    const asked = this.#library(name, family).finally(() => this.#asking.delete(name))
    this.#asking.set(name, asked)
    return asked
  }
}

/** As resolv.conf(5) says: a name with enough dots first as it is, any other one first in the search domains. */
function wholeNames(
  name: string,
  { search, ndots }: Pick<ResolvConf, "search" | "ndots">,
): readonly string[] {
  if (name.endsWith(".")) return [name]
  const completed = search.map((domain) => `${name}.${domain}`)
  const dots = name.split(".").length - 1
  return dots >= ndots ? [name, ...completed] : [...completed, name]
}
