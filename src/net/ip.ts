/**
 * Addresses as numbers, so that they can be compared: IPv4 in two groups of 16 bits, IPv6 in eight.
 * An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`, as a socket on "::" shows its peers) is that
 * IPv4 address.
 */
export interface Ip {
  readonly family: 4 | 6
  readonly groups: readonly number[]
  /** As it was written, without zone; an IPv4 address always in its dotted form. */
  readonly text: string
}

/** Reads an address and nothing but an address: no port, no brackets; null for everything else. */
export function parseIp(text: string): Ip | null {
  return text.includes(":") ? parseV6(text) : parseV4(text)
}

function parseV4(text: string): Ip | null {
  const parts = text.split(".", 5)
  if (parts.length !== 4) return null
  // No leading zero: some read 010 as eight.
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  const [a, b, c, d] = parts.map(Number)
  return { family: 4, groups: [(a << 8) | b, (c << 8) | d], text }
}

function parseV6(text: string): Ip | null {
  // A zone (`fe80::1%eth0`) names a link of this machine, not another address.
  const address = text.split("%", 1)[0]
  const [head, tail, more] = address.split("::", 3)
  if (more !== undefined) return null
  const before = parseGroups(head, tail === undefined)
  const after = tail === undefined ? [] : parseGroups(tail, true)
  if (!before || !after) return null
  const missing = 8 - before.length - after.length
  // A `::` stands for at least one group (RFC 4291 section 2.2).
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...before, ...Array.from({ length: missing }, () => 0), ...after]
  return unmap(groups) ?? { family: 6, groups, text: address }
}

/**
 * The groups between colons; the last may be a dotted IPv4 address, if this is the end of the
 * address.
 */
function parseGroups(text: string, atEnd: boolean): number[] | null {
  if (text === "") return []
  const groups: number[] = []
  const parts = text.split(":", 9)
  for (const [at, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const v4 = atEnd && at === parts.length - 1 ? parseV4(part) : null
    if (!v4) return null
    groups.push(...v4.groups)
  }
  return groups
}

function unmap(groups: readonly number[]): Ip | null {
  const [high, low] = groups.slice(6)
  if (groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return null
  return {
    family: 4,
    groups: [high, low],
    text: `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`,
  }
}

/** An IPv4 client on a socket of both families shows as ::ffff:a.b.c.d. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}
