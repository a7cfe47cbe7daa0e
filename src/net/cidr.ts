/**
 * Whose word on the client's address is believed: `trusted_proxies` as CIDRs, and the walk over
 * X-Forwarded-For that they allow. Every trusted hop vouches only for the one before it, so the
 * list is read from its end, and the first address that is not trusted is the client; what stands
 * left of it may be anybody's invention.
 *
 * Cost: a scan of the CIDRs for each address. `trusts` is asked once for each connection,
 * `clientAddress` only for requests that come from a trusted peer.
 */
import { BunlbError } from "../observe/errors.ts"
import { parseIp, type Ip } from "./ip.ts"

interface Cidr {
  readonly ip: Ip
  /** Leading bits that count. */
  readonly bits: number
}

/**
 * `10.0.0.0/8`, `fd00::/8`, or one address; null for anything else. Bits beyond the prefix are
 * ignored.
 */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf("/")
  const address = slash === -1 ? text : text.slice(0, slash)
  const ip = parseIp(address)
  if (!ip) return null
  const most = ip.family === 4 ? 32 : 128
  if (slash === -1) return { ip, bits: most }
  const digits = text.slice(slash + 1)
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return null
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8 as a socket on "::" sees it.
  const mapped = ip.family === 4 && address.includes(":")
  const bits = Number(digits) - (mapped ? 96 : 0)
  return bits >= 0 && bits <= most ? { ip, bits } : null
}

export class TrustedProxies {
  readonly #cidrs: readonly Cidr[]

  /** Throws `BunlbError` for a text that is no CIDR. */
  constructor(cidrs: readonly string[]) {
    this.#cidrs = cidrs.map((text) => {
      const cidr = parseCidr(text)
      if (cidr) return cidr
      throw new BunlbError(
        "BUNLB_E_CONFIG",
        `trusted_proxies: ${JSON.stringify(text)} is no address or CIDR, write it as 10.0.0.0/8`,
      )
    })
  }

  /** Whether `ip`, as a socket or a forwarded field gives it, belongs to a trusted proxy. */
  trusts(ip: string): boolean {
    if (this.#cidrs.length === 0) return false
    const parsed = parseIp(ip)
    return parsed !== null && this.#trustsIp(parsed)
  }

  /**
   * The client's address, given what X-Forwarded-For says (all its fields joined by commas) and who
   * sent it. Something that is no address ends the walk: the last trusted hop then counts as the
   * client.
   */
  clientAddress(forwardedFor: string, peer: string): string {
    let client = parseIp(peer)
    if (!client) return peer
    let end = forwardedFor.length
    while (end > 0 && this.#trustsIp(client)) {
      const comma = forwardedFor.lastIndexOf(",", end - 1)
      const hop = parseIp(withoutPort(forwardedFor.slice(comma + 1, end).trim()))
      if (!hop) break
      client = hop
      end = comma
    }
    return client.text
  }

  #trustsIp(ip: Ip): boolean {
    return this.#cidrs.some((cidr) => contains(cidr, ip))
  }
}

function contains(cidr: Cidr, ip: Ip): boolean {
  if (cidr.ip.family !== ip.family) return false
  let bits = cidr.bits
  for (let at = 0; bits > 0; at++, bits -= 16) {
    const ignored = Math.max(0, 16 - bits)
    if (cidr.ip.groups[at] >>> ignored !== ip.groups[at] >>> ignored) return false
  }
  return true
}

/** `1.2.3.4:80`, `[::1]:80` and `[::1]` without port and brackets; other text as it is. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(hop) ?? []
  return bracketed ?? plain ?? hop
}
