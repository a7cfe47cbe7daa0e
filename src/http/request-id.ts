/**
 * X-Request-Id. Ours has 32 hexadecimal digits, unique over all workers and restarts: 80 random bits of this process
 * and a 48-bit count. It is a number until it is written straight into a head, so that all attempts of one request
 * carry the same; no string is made. A sender's own may be kept when it is sound.
 */
import type { FieldSection } from "./field-section.ts"
import { REQUEST_ID } from "./fields.ts"

const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0))

const ID_LENGTH = 32
const PREFIX_LENGTH = 20

export class RequestIds {
  readonly #prefix = new Uint8Array(PREFIX_LENGTH)
  #low = 0
  #high = 0

  constructor(random: Uint8Array = crypto.getRandomValues(new Uint8Array(PREFIX_LENGTH))) {
    for (let i = 0; i < PREFIX_LENGTH; i++) this.#prefix[i] = DIGITS[random[i] & 15]
  }

  /** The number of a new id. */
  next(): number {
    this.#low = (this.#low + 1) & 0xffffff
    if (this.#low === 0) this.#high = (this.#high + 1) & 0xffffff
    return this.#high * 0x1000000 + this.#low
  }

  /** The id of a number as text. */
  text(number: number): string {
    const prefix = String.fromCharCode(...this.#prefix)
    return prefix + number.toString(16).padStart(ID_LENGTH - PREFIX_LENGTH, "0")
  }

  /** Writes the id of a number and returns the offset after it. */
  put(number: number, out: Uint8Array, at: number): number {
    for (let i = 0; i < PREFIX_LENGTH; i++) out[at + i] = this.#prefix[i]
    putHex(Math.floor(number / 0x1000000), out, at + PREFIX_LENGTH)
    putHex(number % 0x1000000, out, at + PREFIX_LENGTH + 6)
    return at + ID_LENGTH
  }
}

/** Six digits. */
function putHex(value: number, out: Uint8Array, at: number): void {
  for (let i = 5, rest = value; i >= 0; i--, rest >>= 4) out[at + i] = DIGITS[rest & 15]
}

/** Characters of a kept id: those of UUIDs, of base64 and of the ids that load balancers and clouds make. */
const SOUND = new Uint8Array(256)
for (const each of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/+=@") {
  SOUND[each.charCodeAt(0)] = 1
}

/** More is no id. */
const MOST_KEPT = 200

/** Whether the fields hold one id that may be kept: it goes into heads and logs. */
export function hasSoundId(bytes: Uint8Array, fields: FieldSection): boolean {
  let found = -1
  for (let i = 0; i < fields.knownCount; i++) {
    const position = fields.known[i]
    if (fields.kinds[position] !== REQUEST_ID) continue
    if (found >= 0) return false
    found = position
  }
  if (found < 0) return false
  const from = fields.valueStarts[found]
  const to = fields.valueEnds[found]
  if (from === to || to - from > MOST_KEPT) return false
  for (let i = from; i < to; i++) if (SOUND[bytes[i]] !== 1) return false
  return true
}
