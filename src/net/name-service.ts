/**
 * Who answers for names: the system (hosts files, search domains and all), or the servers that were asked for, to which
 * names go as they are.
 *
 * Bun does not tell how long SRV records hold; whoever asks takes the TTL of what they point to.
 */
import { Resolver as Client } from "node:dns/promises"
import { type LookupAnswer, reasonOf, systemLookup } from "./resolver.ts"

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/** Each answers with at least one entry, or rejects. */
export interface NameService {
  addresses(name: string): Promise<readonly LookupAnswer[]>
  services(name: string): Promise<readonly SrvRecord[]>
}

const PATIENCE = { timeout: 2_000, tries: 2 }

/** `servers` are `IP` or `IP:PORT`; none: the system. */
export function nameService(servers: readonly string[]): NameService {
  const client = new Client(PATIENCE)
  if (servers.length > 0) client.setServers([...servers])
  return {
    addresses: servers.length > 0 ? (name) => addressesBy(client, name) : systemLookup,
    services: (name) => client.resolveSrv(name),
  }
}

/** Nothing, because there is nothing, and not because nobody said so. */
export function isNothing(error: unknown): boolean {
  return /^(ENOTFOUND|ENODATA|ENONAME)$/.test(reasonOf(error))
}

/** Both families; one that failed makes the whole fail, for half an answer would send half the backends away. */
async function addressesBy(client: Client, name: string): Promise<readonly LookupAnswer[]> {
  const [four, six] = await Promise.allSettled([
    client.resolve4(name, { ttl: true }),
    client.resolve6(name, { ttl: true }),
  ])
  const answers: LookupAnswer[] = []
  let fault: unknown = null
  for (const [family, outcome] of [[4, four] as const, [6, six] as const]) {
    if (outcome.status === "fulfilled") {
      for (const { address, ttl } of outcome.value) answers.push({ address, family, ttl })
    } else if (fault === null || isNothing(fault)) fault = outcome.reason
  }
  if (fault !== null && (answers.length === 0 || !isNothing(fault))) throw fault
  return answers
}
