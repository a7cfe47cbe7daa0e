/**
 * The backends that a discovered one stands for, made of what DNS said. Pure, and the same for the same answer in
 * whatever order: a member is named by its address, so that every worker and every instance agrees.
 */
import { formatHostPort } from "../../config/schema/address.ts"
import { HEAVIEST } from "../../config/schema/backend.ts"
import type { BackendSettings } from "../../config/schema/settings.ts"

/** One address, and what its SRV record says; without one weight and priority are 0. */
export interface Place {
  readonly ip: string
  readonly port: number
  readonly weight: number
  /** The lowest serves first. */
  readonly priority: number
}

/** What DNS said of a discovered backend. */
export interface Found {
  readonly name: string
  readonly places: readonly Place[]
}

export interface Members {
  readonly members: readonly BackendSettings[]
  /** Places beyond the limit. */
  readonly leftOut: number
}

/** 10.0.0.2 before 10.0.0.11. */
const inOrder = new Intl.Collator("en", { numeric: true }).compare

/** At most `limit` members; those in `before` stay rather than others come. */
export function membersOf(
  backend: BackendSettings,
  places: readonly Place[],
  limit: number,
  before: readonly BackendSettings[],
): Members {
  const known = new Set(before.map(({ name }) => name))
  const byName = new Map<string, Place>()
  for (const place of places.toSorted((a, b) => a.priority - b.priority)) {
    const name = formatHostPort(place.ip, place.port)
    if (!byName.has(name)) byName.set(name, place)
  }
  const chosen = [...byName]
    .toSorted(([a], [b]) => Number(known.has(b)) - Number(known.has(a)) || inOrder(a, b))
    .slice(0, limit)
    .toSorted(([a], [b]) => inOrder(a, b))
  const first = Math.min(...chosen.map(([, { priority }]) => priority))
  const heaviest = Math.max(...chosen.map(([, { weight }]) => weight))
  const { tls, ca } = backend
  const members = chosen.map(([name, { ip, port, weight, priority }]): BackendSettings => {
    return {
      name,
      host: ip,
      port,
      tls,
      weight: backend.discover === "srv" ? scaled(weight, heaviest) : backend.weight,
      backup: backend.backup || priority > first,
      ca,
      ...(backend.duty === undefined ? {} : { duty: backend.duty }),
      member: { of: backend.name, host: knownAs(backend) },
    }
  })
  return { members, leftOut: byName.size - members.length }
}

/** The weights of records go from 0 to 65,535, and 0 is hardly ever chosen rather than never (RFC 2782). */
function scaled(weight: number, heaviest: number): number {
  const fitting = heaviest > HEAVIEST ? Math.round((weight * HEAVIEST) / heaviest) : weight
  return Math.max(1, fitting)
}

/**
 * What a member's certificate must name. Of `_http._tcp.example.com` it is `example.com`, and never what the records
 * point to: whoever can forge those must not choose whom to trust (RFC 6125 section 6.2.1).
 */
function knownAs({ discover, host }: BackendSettings): string {
  const domain = discover === "srv" ? host.replace(/^(_[^.]+\.)+/, "") : host
  return domain === "" ? host : domain
}
