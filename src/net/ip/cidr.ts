/**
 * Whose word on the client's address is believed: `trusted_proxies` as CIDRs, compared with addresses as they stand in
 * a head. How the chain of X-Forwarded-For is walked by them is in `http/forwarded-chain`.
 *
 * Cost: a scan of the CIDRs for each address, on numbers; nothing is allocated. `trusts` is asked once for each
 * connection, `judge` only for requests that come from a trusted peer.
 */
import { BunlbError } from "../../core/errors.ts"
import { COLON, ascii } from "../../http/bytes.ts"
import { CLIENT, NO_ADDRESS, PROXY, type TrustedChain } from "../../http/forwarded-chain.ts"
import { UNIX_CLIENT } from "../../http/identity.ts"
import { parseIp, type Ip } from "./address.ts"
import { putV4, readIp, zoneStart } from "./bytes.ts"

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

export class TrustedProxies implements TrustedChain {
  readonly #cidrs: readonly Cidr[]
  readonly #unix: boolean
  /** Of the address judged last: its family, and where it lies. */
  #family = 0
  #start = 0
  #end = 0

  /** `peers`: CIDRs, and `unix:` for all peers on unix sockets. Throws `BunlbError` for a text that is neither. */
  constructor(peers: readonly string[]) {
    this.#unix = peers.includes(UNIX_CLIENT)
    const cidrs = peers.filter((text) => text !== UNIX_CLIENT)
    this.#cidrs = cidrs.map((text) => {
      const cidr = parseCidr(text)
      if (cidr) return cidr
      throw new BunlbError(
        "BUNLB_E_CONFIG",
        `trusted_proxies: ${JSON.stringify(text)} is no address or CIDR, write it as 10.0.0.0/8`,
      )
    })
  }

  /** Whether `ip`, as a socket gives it, belongs to a trusted proxy. */
  trusts(ip: string): boolean {
    if (ip === UNIX_CLIENT) return this.#unix
    if (this.#cidrs.length === 0) return false
    const bytes = ascii(ip)
    return this.judge(bytes, 0, bytes.length) === PROXY
  }

  /** As `TrustedChain`. An address may come with a port, and in brackets. */
  judge(bytes: Uint8Array, from: number, to: number): number {
    let start = from
    let end = withoutPort(bytes, from, to)
    if (end < to && bytes[from] === OPEN) start++
    else if (bytes[from] === OPEN && bytes[to - 1] === CLOSE) {
      start++
      end--
    }
    const family = readIp(bytes, start, end, groups)
    if (family === 0) return NO_ADDRESS
    this.#family = family
    this.#start = start
    this.#end = end
    for (const cidr of this.#cidrs) if (contains(cidr, family)) return PROXY
    return CLIENT
  }

  /** As `TrustedChain`. */
  put(bytes: Uint8Array, out: Uint8Array, at: number): number {
    if (this.#family === 4) return putV4(groups, out, at)
    const end = zoneStart(bytes, this.#start, this.#end)
    for (let i = this.#start; i < end; i++) out[at + i - this.#start] = bytes[i] ?? 0
    return at + end - this.#start
  }
}

/** Of the address judged last. */
const groups = new Uint16Array(8)

function contains({ ip, bits }: Cidr, family: number): boolean {
  if (ip.family !== family) return false
  let left = bits
  for (let at = 0; left > 0; at++, left -= 16) {
    const ignored = left >= 16 ? 0 : 16 - left
    if ((ip.groups[at] ?? 0) >>> ignored !== (groups[at] ?? 0) >>> ignored) return false
  }
  return true
}

const OPEN = 91
const CLOSE = 93

/**
 * Where the host of `1.2.3.4:80` or `[::1]:80` ends, without the closing bracket; `to` when there is no port. Of
 * several colons without brackets none begins a port: it is an IPv6 address.
 */
function withoutPort(bytes: Uint8Array, from: number, to: number): number {
  let at = to
  while (at > from && isDigit(bytes[at - 1] ?? 0)) at--
  const digits = to - at
  if (digits === 0 || digits > 5 || at - 1 <= from || bytes[at - 1] !== COLON) return to
  const colon = at - 1
  if (bytes[from] === OPEN) return bytes[colon - 1] === CLOSE ? colon - 1 : to
  for (let i = from; i < colon; i++) if (bytes[i] === COLON) return to
  return colon
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57
}
