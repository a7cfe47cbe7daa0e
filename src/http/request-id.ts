/**
 * X-Request-Id: 32 hexadecimal digits, unique over all workers and restarts: 80 random bits of this process and
 * a 48-bit count. Written straight into the head; no string is made.
 */
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

  /** The number of the id written last. */
  get last(): number {
    return this.#high * 0x1000000 + this.#low
  }

  /** The id of a number as text. */
  text(number: number): string {
    const prefix = String.fromCharCode(...this.#prefix)
    return prefix + number.toString(16).padStart(ID_LENGTH - PREFIX_LENGTH, "0")
  }

  /** Writes the next id and returns the offset after it. */
  put(out: Uint8Array, at: number): number {
    for (let i = 0; i < PREFIX_LENGTH; i++) out[at + i] = this.#prefix[i]
    this.#low = (this.#low + 1) & 0xffffff
    if (this.#low === 0) this.#high = (this.#high + 1) & 0xffffff
    putHex(this.#high, out, at + PREFIX_LENGTH)
    putHex(this.#low, out, at + PREFIX_LENGTH + 6)
    return at + ID_LENGTH
  }
}

/** Six digits. */
function putHex(value: number, out: Uint8Array, at: number): void {
  for (let i = 5, rest = value; i >= 0; i--, rest >>= 4) out[at + i] = DIGITS[rest & 15]
}
