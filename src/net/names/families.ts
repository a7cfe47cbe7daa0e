/**
 * Both address families of a name as one answer. Half an answer is an answer: when one family has addresses and the
 * other one fails or is late, what there is counts, and of the other family the addresses of its last good answer,
 * for up to `KEEP_MS`. So an AAAA question that never gets an answer neither hides a good A record nor delays it each
 * time, and one that fails now and then does not make addresses come and go.
 *
 * Cost: two questions for a name; the last good addresses of each, as long as the name is asked for.
 */
import type { LookupAnswer } from "./resolver.ts"
import type { DnsRecord } from "./dns-message.ts"
import { DnsFault } from "./dns-server.ts"

export type Family = 4 | 6

/** Addresses of a family that fails serve on for so long. */
export const KEEP_MS = 300_000
/** A family that is later than the other is waited for so long; less when it was late before. */
const GRACE_MS = 500
const SHORT_GRACE_MS = 50
/** The same when the other one has nothing: then the late one is all there may be. */
const LAST_GRACE_MS = 2_000
const SHORT_LAST_GRACE_MS = 200
/** Seconds after which a name is asked again of which one half is still under way, or has failed. */
const PENDING_TTL = 1
const HALF_TTL = 5
const MOST_NAMES = 4_096

/** How one question ended. `fault` is null for a good answer. */
interface Half {
  readonly records: readonly DnsRecord[]
  readonly fault: DnsFault | null
}

/** What a half that is still under way counts as. */
const unanswered = new DnsFault("ETIMEOUT")

interface Known {
  records: readonly DnsRecord[]
  /** When they were answered. */
  at: number
  /** It was late before, and what came then was no answer. */
  late: boolean
}

export class Families {
  readonly #now: () => number
  readonly #known = new Map<string, Known>()

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * The addresses of `name` in `families`, at least one of them fresh. Rejects with `DnsFault`: `ENOTFOUND` or
   * `ENODATA` when there is nothing, any other code when one that failed might have had something.
   */
  async addresses(
    name: string,
    families: readonly Family[],
    ask: (family: Family) => Promise<readonly DnsRecord[]>,
  ): Promise<readonly LookupAnswer[]> {
    const halves = new Map<Family, Half>()
    const open = families.map(async (family) => {
      const half = await settled(ask(family))
      halves.set(family, half)
      this.#remember(name, family, half)
    })
    await this.#enough(name, families, halves, open)
    const isFresh = families.some((family) => (halves.get(family)?.records.length ?? 0) > 0)
    if (!isFresh) throw worst(families.map((family) => halves.get(family)?.fault ?? unanswered))
    const limit = Math.min(...families.map((family) => this.#limitOf(name, family, halves)))
    const answers = families.flatMap((family) => this.#answersOf(name, family, halves.get(family)))
    return answers.map((answer) => ({ ...answer, ttl: Math.min(answer.ttl, limit) }))
  }

  /** For how many seconds an answer counts of which this family may be missing. */
  #limitOf(name: string, family: Family, halves: ReadonlyMap<Family, Half>): number {
    const half = halves.get(family)
    if (half !== undefined && isWhole(half)) return Infinity
    return half === undefined && !this.#known.has(`${family} ${name}`) ? PENDING_TTL : HALF_TTL
  }

  /** Comes back when all have ended, or one has been answered and the others have had their time. */
  async #enough(
    name: string,
    families: readonly Family[],
    halves: ReadonlyMap<Family, Half>,
    open: readonly Promise<void>[],
  ): Promise<void> {
    const all = Promise.all(open)
    if (open.length < 2) return void (await all)
    await Promise.race(open)
    const [first] = halves.values()
    if (first === undefined || !isWhole(first) || halves.size === open.length) {
      return void (await all)
    }
    const others = families.filter((family) => !halves.has(family))
    const isLate = others.every((family) => this.#known.get(`${family} ${name}`)?.late === true)
    const limit = Promise.withResolvers<void>()
    const [grace, short] =
      first.records.length > 0 ? [GRACE_MS, SHORT_GRACE_MS] : [LAST_GRACE_MS, SHORT_LAST_GRACE_MS]
    const timer = setTimeout(limit.resolve, isLate ? short : grace)
    await Promise.race([all, limit.promise])
    clearTimeout(timer)
  }

  #answersOf(name: string, family: Family, half: Half | undefined): readonly LookupAnswer[] {
    const known = this.#known.get(`${family} ${name}`)
    const isKept = known !== undefined && this.#now() - known.at < KEEP_MS
    const kept = isKept ? known.records : []
    const records = half !== undefined && isWhole(half) ? half.records : kept
    return records.map(({ data, ttl }) => ({ address: data, family, ttl }))
  }

  /** Late answers count too: they are there when the name is asked for next. */
  #remember(name: string, family: Family, { records, fault }: Half): void {
    const key = `${family} ${name}`
    const known = this.#known.get(key)
    if (fault === null) {
      this.#known.delete(key)
      this.#known.set(key, { records, at: this.#now(), late: false })
    } else if (isNothing(fault)) this.#known.delete(key)
    else if (known !== undefined) known.late = true
    else this.#known.set(key, { records: [], at: -Infinity, late: true })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_NAMES) return
      this.#known.delete(oldest)
    }
  }
}

async function settled(asked: Promise<readonly DnsRecord[]>): Promise<Half> {
  try {
    return { records: await asked, fault: null }
  } catch (error) {
    return { records: [], fault: error instanceof DnsFault ? error : new DnsFault("EIO") }
  }
}

/** What it says is all that there is. */
function isWhole({ fault }: Half): boolean {
  return fault === null || isNothing(fault)
}

/** There is nothing, and that was said. */
export function isNothing(fault: DnsFault): boolean {
  return fault.code === "ENOTFOUND" || fault.code === "ENODATA"
}

/** A failure before "nothing", and "no such record" before "no such name". */
function worst(faults: readonly DnsFault[]): DnsFault {
  return (
    faults.find((fault) => !isNothing(fault)) ??
    faults.find(({ code }) => code === "ENODATA") ??
    faults[0] ??
    unanswered
  )
}
