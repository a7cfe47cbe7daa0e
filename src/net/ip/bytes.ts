/**
 * Addresses read from bytes into numbers, without a string: what X-Forwarded-For holds is judged with every request of
 * a trusted proxy. IPv4 is two groups of 16 bits, IPv6 eight; an IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is
 * that IPv4 address.
 */
import { COLON, HEX } from "../../http/bytes.ts"

const DOT = 46
const PERCENT = 37
const ZERO = 48

/** Reads `bytes[from..to)`, which must be an address alone, into `groups`. Returns 4, 6, or 0 for no address. */
export function readIp(bytes: Uint8Array, from: number, to: number, groups: Uint16Array): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] === COLON) return readV6(bytes, from, to, groups)
  }
  return readV4(bytes, from, to, groups, 0) ? 4 : 0
}

/** Four numbers into `groups[at]` and the next. No leading zero: some read 010 as eight. */
function readV4(
  bytes: Uint8Array,
  from: number,
  to: number,
  groups: Uint16Array,
  at: number,
): boolean {
  let start = from
  for (let part = 0; part < 4; part++) {
    let end = start
    let value = 0
    while (end < to && end - start < 4 && bytes[end] >= ZERO && bytes[end] <= ZERO + 9) {
      value = value * 10 + bytes[end] - ZERO
      end++
    }
    const padded = end - start > 1 && bytes[start] === ZERO
    if (end === start || end - start > 3 || value > 255 || padded) return false
    const group = at + (part >> 1)
    groups[group] = part % 2 === 0 ? value << 8 : groups[group] | value
    if (part < 3 && (end >= to || bytes[end] !== DOT)) return false
    start = end + (part < 3 ? 1 : 0)
  }
  return start === to
}

/** A zone (`fe80::1%eth0`) names a link of this machine, not another address. */
export function zoneStart(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at] !== PERCENT) at++
  return at
}

function readV6(bytes: Uint8Array, from: number, to: number, groups: Uint16Array): number {
  const end = zoneStart(bytes, from, to)
  let count = 0
  /** Where `::` stands, or -1. */
  let gap = -1
  let at = from
  if (end - from >= 2 && bytes[at] === COLON && bytes[at + 1] === COLON) {
    gap = 0
    at += 2
  }
  while (at < end) {
    if (count === 8) return 0
    let stop = at
    let value = 0
    while (stop < end && stop - at < 5 && HEX[bytes[stop]] < 16) {
      value = value * 16 + HEX[bytes[stop]]
      stop++
    }
    if (stop < end && bytes[stop] === DOT) {
      // The last four bytes may be written as an IPv4 address.
      if (count > 6 || !readV4(bytes, at, end, groups, count)) return 0
      count += 2
      break
    }
    if (stop === at || stop - at > 4) return 0
    groups[count++] = value
    if (stop === end) break
    if (bytes[stop] !== COLON) return 0
    at = stop + 1
    if (at === end) return 0
    if (bytes[at] !== COLON) continue
    if (gap >= 0) return 0
    gap = count
    at++
  }
  return spread(groups, count, gap)
}

/** Puts zeros where `::` stands, for at least one group (RFC 4291 section 2.2), and takes IPv4 out of its clothes. */
function spread(groups: Uint16Array, count: number, gap: number): number {
  if (gap < 0 ? count !== 8 : count > 7) return 0
  if (gap >= 0) {
    const moved = count - gap
    for (let i = 1; i <= moved; i++) groups[8 - i] = groups[count - i]
    for (let i = gap; i < 8 - moved; i++) groups[i] = 0
  }
  for (let i = 0; i < 5; i++) if (groups[i] !== 0) return 6
  if (groups[5] !== 0xffff) return 6
  groups[0] = groups[6]
  groups[1] = groups[7]
  return 4
}

/** Writes an IPv4 address in its dotted form and returns the offset after it. */
export function putV4(groups: Uint16Array, out: Uint8Array, start: number): number {
  let at = start
  for (let part = 0; part < 4; part++) {
    if (part > 0) out[at++] = DOT
    const group = groups[part >> 1]
    const value = part % 2 === 0 ? group >> 8 : group & 255
    if (value > 99) out[at++] = ZERO + Math.floor(value / 100)
    if (value > 9) out[at++] = ZERO + (Math.floor(value / 10) % 10)
    out[at++] = ZERO + (value % 10)
  }
  return at
}
