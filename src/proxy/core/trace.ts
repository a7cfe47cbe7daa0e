/**
 * What `--trace` shows: heads as text and bodies as hex, with what a person must not see masked. Off the hot
 * path: without `--trace` it does not exist.
 */
import type { Log } from "../../core/log.ts"

const SECRET = /^(authorization|proxy-authorization|cookie|set-cookie)(\s*:).*$/gim
/** Bytes of one piece of a body that are shown. */
const BODY_BYTES = 256
const ROW = 16

export class Trace {
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /** From the client to bunlb. */
  request(client: number, bytes: Buffer, from: number, to: number): void {
    this.#head(client, ">  ", bytes, from, to)
  }

  /** From bunlb to the backend. */
  sent(client: number, bytes: Buffer, from: number, to: number): void {
    this.#head(client, " > ", bytes, from, to)
  }

  /** From the backend to bunlb. */
  response(client: number, bytes: Buffer, from: number, to: number): void {
    this.#head(client, " < ", bytes, from, to)
  }

  body(direction: ">" | "<", client: number, bytes: Buffer, from: number, to: number): void {
    if (to === from) return
    const shown = bytes.subarray(from, Math.min(to, from + BODY_BYTES))
    for (let at = 0; at < shown.length; at += ROW) {
      this.#log.info(`trace #${client} ${direction} ${hexRow(shown.subarray(at, at + ROW), at)}`)
    }
    const rest = to - from - shown.length
    if (rest > 0) this.#log.info(`trace #${client} ${direction} ... ${rest} bytes more`)
  }

  #head(client: number, sign: string, bytes: Buffer, from: number, to: number): void {
    for (const line of maskSecrets(bytes.toString("latin1", from, to))
      .trim()
      .split("\r\n")) {
      this.#log.info(`trace #${client} ${sign} ${printable(line)}`)
    }
  }
}

/** Replaces the values of fields that carry secrets. */
function maskSecrets(head: string): string {
  return head.replace(SECRET, "$1$2 ***")
}

function hexRow(bytes: Buffer, offset: number): string {
  const hex = [...bytes].map((octet) => octet.toString(16).padStart(2, "0")).join(" ")
  const text = printable(bytes.toString("latin1"))
  return `${offset.toString(16).padStart(4, "0")}  ${hex.padEnd(ROW * 3)} ${text}`
}

/** A terminal must not obey what a peer sends. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, ".")
}
