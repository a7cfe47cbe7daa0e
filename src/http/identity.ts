/**
 * Who the client is, as bunlb tells the backend: X-Forwarded-For, X-Real-IP and X-Forwarded-Proto. For a client
 * that is not a trusted proxy these lines are the same for the whole connection, so they are made once.
 */
import { ascii } from "./bytes.ts"
import { FORWARDED_FOR, FORWARDED_PROTO } from "./fields.ts"
import { hashAddress, hashForwarded } from "./origin.ts"
import type { RequestHead } from "./request-head.ts"

/** Reads a forwarded chain from the right; the first address that is not trusted is the client. */
export interface TrustedChain {
  clientAddress(forwardedFor: string, peer: string): string
}

export class ClientIdentity {
  readonly address: string
  readonly trusted: boolean
  readonly #chain: TrustedChain
  readonly #scheme: string
  /** A Forwarded line (RFC 7239), or nothing when it is not wanted. */
  readonly #forwarded: string
  /** The field lines for a client that is not trusted. */
  readonly lines: Uint8Array
  readonly #hash: number

  constructor(
    address: string,
    trusted: boolean,
    chain: TrustedChain,
    scheme: "http" | "https",
    forwarded: boolean,
  ) {
    const node = address.includes(":") ? `"[${address}]"` : address
    this.#forwarded = forwarded ? `Forwarded: for=${node};proto=${scheme}\r\n` : ""
    this.address = address
    this.#hash = hashAddress(address)
    this.trusted = trusted
    this.#chain = chain
    this.#scheme = scheme
    this.lines = ascii(
      `X-Forwarded-For: ${address}\r\nX-Real-IP: ${address}\r\nX-Forwarded-Proto: ${scheme}\r\n` +
        this.#forwarded,
    )
  }

  /**
   * The field lines for one request of a trusted proxy: its chain goes on, its scheme is believed. A Forwarded
   * field of its own stays, and ours after it goes on with that list.
   */
  linesFor(bytes: Buffer, head: RequestHead): Uint8Array {
    const chain = valuesOf(bytes, head, FORWARDED_FOR).join(", ")
    const real = this.clientOf(chain)
    const whole = chain === "" ? this.address : `${chain}, ${this.address}`
    const proto = head.fields.find(FORWARDED_PROTO) < 0
    const lines = `X-Forwarded-For: ${whole}\r\nX-Real-IP: ${real}\r\n`
    const scheme = proto ? `X-Forwarded-Proto: ${this.#scheme}\r\n` : ""
    return Buffer.from(lines + scheme + this.#forwarded, "latin1")
  }

  /** A number for the client that sends a request. */
  hashOf(bytes: Uint8Array, head: RequestHead): number {
    return this.trusted ? hashForwarded(bytes, head, this.#hash) : this.#hash
  }

  /** The client behind this peer, by the chain of X-Forwarded-For when the peer is trusted. */
  clientOf(chain: string): string {
    return chain === "" ? this.address : this.#chain.clientAddress(chain, this.address)
  }

  /** True when the client's own connection is encrypted, as far as bunlb can know. */
  isSecure(bytes: Buffer, head: RequestHead): boolean {
    if (this.#scheme === "https") return true
    return this.trusted && valuesOf(bytes, head, FORWARDED_PROTO)[0]?.toLowerCase() === "https"
  }
}

function valuesOf(bytes: Buffer, head: RequestHead, kind: number): string[] {
  const { known, knownCount, kinds, valueStarts, valueEnds } = head.fields
  const values: string[] = []
  for (let i = 0; i < knownCount; i++) {
    const position = known[i]
    if (kinds[position] !== kind) continue
    values.push(bytes.toString("latin1", valueStarts[position], valueEnds[position]))
  }
  return values
}
