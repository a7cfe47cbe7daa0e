/**
 * Who answers for names: the system (hosts file, search domains and all), or the servers of `dns.servers`, to which
 * names go as they are. Questions are asked by a client of our own, because the resolvers below us cache what they
 * must not: one keeps an empty answer for an hour, whatever its SOA record says.
 */
import { isIP } from "node:net"
import type { DnsSettings } from "../../config/schema/settings.ts"
import { processClock } from "../../core/clock.ts"
import { type AskRules, DnsClient } from "./dns-client.ts"
import { Families, type Family } from "./families.ts"
import type { NameServerAddress } from "./dns-server.ts"
import { SystemFiles, type SystemPaths, systemPaths } from "./system-files.ts"
import { SystemNames } from "./system-names.ts"
import { type LookupAnswer, reasonOf } from "./resolver.ts"

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
  /** Seconds. */
  readonly ttl: number
}

/** Each answers with at least one entry, or rejects. */
export interface NameService {
  addresses(name: string): Promise<readonly LookupAnswer[]>
  services(name: string): Promise<readonly SrvRecord[]>
}

/** Addresses that are used of one name. */
export const MOST_ADDRESSES = 1_024

const DNS_PORT = 53
const rulesOfSettings = { timeoutMs: 2_000, attempts: 2, tcp: false, rotate: false } as const

const familiesOf: Readonly<Record<DnsSettings["family"], readonly Family[]>> = {
  any: [4, 6],
  ipv4: [4],
  ipv6: [6],
}

/** Without `dns.servers` the system's own answers count, as `paths` describe them. */
export function nameService(
  { servers, family }: Pick<DnsSettings, "servers" | "family">,
  paths: SystemPaths = systemPaths,
): NameService {
  const now = processClock.now
  const client = new DnsClient(now)
  const families = familiesOf[family]
  const files = new SystemFiles(now, paths)
  const rules = (): AskRules =>
    servers.length > 0
      ? { ...rulesOfSettings, servers: servers.map(serverAddress) }
      : files.resolvConf
  const halves = new Families(now)
  const system = new SystemNames(client, files, families, now)
  const byServers = (name: string): Promise<readonly LookupAnswer[]> =>
    halves.addresses(name, families, (each) => client.ask(name, each === 4 ? "A" : "AAAA", rules()))
  const lookup = servers.length > 0 ? byServers : bySystem(system, family)
  return {
    addresses: async (name) => literal(name) ?? bounded(await lookup(name)),
    services: async (name) => {
      const records = await client.ask(name, "SRV", rules())
      return records.map(({ data, port, priority, weight, ttl }) => {
        // Targets are whole names: no search domain may complete them.
        return { name: data === "" ? data : `${data}.`, port, priority, weight, ttl }
      })
    },
  }
}

/** Nothing, because there is nothing, and not because nobody said so. */
export function isNothing(error: unknown): boolean {
  return /^(ENOTFOUND|ENODATA|ENONAME)$/.test(reasonOf(error))
}

/** Elsewhere than on Linux the files are not all that the system knows. */
function bySystem(system: SystemNames, family: DnsSettings["family"]) {
  if (process.platform === "linux") return (name: string) => system.addresses(name)
  const asked = family === "any" ? 0 : family === "ipv4" ? 4 : 6
  return (name: string): Promise<readonly LookupAnswer[]> =>
    Bun.dns.lookup(name, { family: asked, backend: "libc" })
}

function literal(name: string): readonly LookupAnswer[] | null {
  const family = isIP(name)
  return family === 4 || family === 6 ? [{ address: name, family, ttl: 0 }] : null
}

/** Of too many always the same ones, for servers give them in another order each time. */
function bounded(answers: readonly LookupAnswer[]): readonly LookupAnswer[] {
  if (answers.length <= MOST_ADDRESSES) return answers
  return answers
    .toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
    .slice(0, MOST_ADDRESSES)
}

/** `IP`, `IP:PORT` or `[IP]:PORT`. */
function serverAddress(text: string): NameServerAddress {
  if (isIP(text) !== 0) return { host: text, port: DNS_PORT }
  const colon = text.lastIndexOf(":")
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "")
  return { host, port: Number(text.slice(colon + 1)) }
}
