/**
 * Octets as HTTP sorts them (RFC 9110 section 5, RFC 9112 section 2): tables that the scanners index with a
 * byte, and the few comparisons and copies that heads need. Nothing here allocates after start-up.
 */

export const CR = 13
export const LF = 10
export const SP = 32
export const HTAB = 9
export const COLON = 58
export const COMMA = 44
export const SEMICOLON = 59

function table(belongs: (octet: number) => boolean): Uint8Array {
  const octets = new Uint8Array(256)
  for (let octet = 0; octet < 256; octet++) if (belongs(octet)) octets[octet] = 1
  return octets
}

function among(characters: string): (octet: number) => boolean {
  return (octet) => characters.includes(String.fromCharCode(octet))
}

function isAlphanumeric(octet: number): boolean {
  return (
    (octet >= 48 && octet <= 57) || (octet >= 65 && octet <= 90) || (octet >= 97 && octet <= 122)
  )
}

/** tchar, RFC 9110 section 5.6.2. */
export const TOKEN = table((octet) => isAlphanumeric(octet) || among("!#$%&'*+-.^_`|~")(octet))

/** field-vchar, SP and HTAB, RFC 9110 section 5.5: no CR, LF, NUL or other control character. */
export const FIELD_VALUE = table((octet) => octet === HTAB || (octet >= SP && octet !== 127))

/**
 * What a request target may hold: visible ASCII without `#`, which no client may send (RFC 9112 section 3.2).
 * Characters that RFC 3986 wants encoded but that browsers send bare (`|`, `{`, `"`) pass.
 */
export const TARGET = table((octet) => octet > SP && octet < 127 && octet !== 35)

/** Host names and IPv4 addresses as they occur; sub-delims of RFC 3986 would only serve an attack. */
export const HOST_NAME = table((octet) => isAlphanumeric(octet) || among("-._~")(octet))

/** Inside the brackets of an IPv6 literal. */
export const IPV6 = table((octet) => among("0123456789abcdefABCDEF:.")(octet))

/** The value of a hexadecimal digit, or 255. */
export const HEX = new Uint8Array(256).map((_, octet) => {
  const value = parseInt(String.fromCharCode(octet), 16)
  return Number.isNaN(value) ? 255 : value
})

/**
 * Field names as a careless receiver reads them: case folded, `_` and `.` taken for `-`, as CGI, WSGI and PHP
 * do when they turn names into variables.
 */
const FOLDED = new Uint8Array(256).map((_, octet) => {
  if (octet >= 65 && octet <= 90) return octet | 32
  return octet === 95 || octet === 46 ? 45 : octet
})

const encoder = new TextEncoder()

/** For constants and slow paths: every string here is ASCII. */
export function ascii(text: string): Uint8Array {
  return encoder.encode(text)
}

/** True when `bytes[from..]` folds to `lowered`, which is as long as the name it is compared with. */
export function foldsTo(bytes: Uint8Array, from: number, lowered: Uint8Array): boolean {
  for (let i = 0; i < lowered.length; i++) {
    if (FOLDED[bytes[from + i] ?? 0] !== lowered[i]) return false
  }
  return true
}

/** ASCII comparison without case of a whole range with a lower-case constant. */
export function equalsToken(
  bytes: Uint8Array,
  from: number,
  to: number,
  lowered: Uint8Array,
): boolean {
  if (to - from !== lowered.length) return false
  for (let i = 0; i < lowered.length; i++) {
    const octet = bytes[from + i] ?? 0
    const folded = octet >= 65 && octet <= 90 ? octet | 32 : octet
    if (folded !== lowered[i]) return false
  }
  return true
}

/** Below this length a loop is cheaper than the call into native code. */
const COPY_BY_LOOP = 48

/** Copies a range and returns the offset after it. `from` is a Buffer because its copy makes no view. */
export function copyRange(
  from: Buffer,
  start: number,
  end: number,
  to: Buffer,
  at: number,
): number {
  if (end - start > COPY_BY_LOOP) {
    from.copy(to, at, start, end)
  } else {
    for (let i = start, j = at; i < end; i++, j++) to[j] = from[i] ?? 0
  }
  return at + end - start
}

/** Copies a short constant and returns the offset after it. */
export function putBytes(bytes: Uint8Array, to: Buffer, at: number): number {
  for (let i = 0; i < bytes.length; i++) to[at + i] = bytes[i] ?? 0
  return at + bytes.length
}
