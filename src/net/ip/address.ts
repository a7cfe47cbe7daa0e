/**
 * Addresses as numbers, so that they can be compared: IPv4 in two groups of 16 bits, IPv6 in eight.
 * An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`, as a socket on "::" shows its peers) is that
 * IPv4 address.
 */
import { ascii } from "../../http/bytes.ts"
import { readIp } from "./bytes.ts"

export interface Ip {
  readonly family: 4 | 6
  readonly groups: readonly number[]
  /** As it was written, without zone; an IPv4 address always in its dotted form. */
  readonly text: string
}

const scratch = new Uint16Array(8)

/** Reads an address and nothing but an address: no port, no brackets; null for everything else. */
export function parseIp(text: string): Ip | null {
  const bytes = ascii(text)
  const family = readIp(bytes, 0, bytes.length, scratch)
  if (family === 4) {
    const [high = 0, low = 0] = scratch
    const dotted = `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
    return { family, groups: [high, low], text: dotted }
  }
  if (family !== 6) return null
  const [plain = text] = text.split("%", 1)
  return { family, groups: [...scratch], text: plain }
}

/** An IPv4 client on a socket of both families shows as ::ffff:a.b.c.d. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}
