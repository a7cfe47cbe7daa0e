/**
 * Who the client is, as bunlb tells the backend: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto and X-Forwarded-Port.
 * For a client that is not a trusted proxy all but the port are the same for the whole connection, so they are made
 * once; for a trusted proxy they are written from its fields, without a string.
 */
import { COMMA, ascii, copyRange, equalsToken, putBytes } from "./bytes.ts"
import { beforeBlanks, pastBlanks, type FieldSection } from "./field-section.ts"
import { FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO } from "./fields.ts"
import { type TrustedChain, clientIn, putClient, putMembers } from "./forwarded-chain.ts"
import { hashAddress, hashForwarded } from "./origin.ts"
import type { RequestMessage } from "./request-message.ts"

/** What is the same for all clients. */
export interface IdentityTerms {
  readonly chain: TrustedChain
  readonly scheme: "http" | "https"
  /** A Forwarded line (RFC 7239) is wanted. */
  readonly forwarded: boolean
  /** Where bunlb listens. */
  readonly port: number
}

/** How a client on a unix socket shows, which has no address. */
export const UNIX_CLIENT = "unix:"

const FOR = ascii("X-Forwarded-For: ")
const REAL = ascii("\r\nX-Real-IP: ")
const PORT = ascii("X-Forwarded-Port: ")
const LINE_END = ascii("\r\n")
const COLON = 58
const https = ascii("https")
const httpPort = ascii("80")
const httpsPort = ascii("443")

export class ClientIdentity {
  readonly address: string
  readonly trusted: boolean
  readonly #named: boolean
  readonly #terms: IdentityTerms
  readonly #address: Uint8Array
  readonly #scheme: Uint8Array
  readonly #forwarded: Uint8Array
  readonly #listenPort: Uint8Array
  /** The field lines for a client that is not trusted, without and with the port that its scheme implies. */
  readonly lines: Uint8Array
  readonly #linesWithPort: Buffer
  /** Where the port stands in them. */
  readonly #portAt: number
  readonly #hash: number

  constructor(address: string, trusted: boolean, terms: IdentityTerms) {
    const { scheme } = terms
    const named = address !== UNIX_CLIENT
    const node = named ? nodeOf(address) : "unknown"
    const forwarded = terms.forwarded ? `Forwarded: for=${node};proto=${scheme}\r\n` : ""
    this.address = address
    this.#named = named
    this.#hash = hashAddress(address)
    this.trusted = trusted
    this.#terms = terms
    this.#address = ascii(address)
    this.#scheme = ascii(`X-Forwarded-Proto: ${scheme}\r\n`)
    this.#forwarded = ascii(forwarded)
    this.#listenPort = ascii(String(terms.port))
    const lines = named ? `X-Forwarded-For: ${address}\r\nX-Real-IP: ${address}\r\n` : ""
    this.lines = ascii(`${lines}X-Forwarded-Proto: ${scheme}\r\n${forwarded}`)
    const port = scheme === "https" ? httpsPort : httpPort
    this.#linesWithPort = Buffer.concat([this.lines, PORT, port, LINE_END])
    this.#portAt = this.lines.length + PORT.length
  }

  /**
   * Writes the field lines and returns the offset after them. The chain of a trusted proxy goes on, and its scheme and
   * port are believed. A Forwarded field of its own stays, and ours after it goes on with that list.
   */
  putLines(bytes: Buffer, head: RequestMessage, out: Buffer, start: number): number {
    const { fields } = head
    if (!this.trusted) return this.#putOwn(bytes, head, out, start)
    let at = this.#named
      ? this.#putChain(bytes, fields, out, start)
      : this.#putChainWithoutPeer(bytes, fields, out, start)
    if (fields.find(FORWARDED_PROTO) < 0) at = putBytes(this.#scheme, out, at)
    at = putBytes(this.#forwarded, out, at)
    return fields.find(FORWARDED_PORT) < 0 ? this.#putPort(bytes, head, out, at) : at
  }

  #putChain(bytes: Buffer, fields: FieldSection, out: Buffer, start: number): number {
    const members = putMembers(bytes, fields, out, putBytes(FOR, out, start))
    const at = putBytes(REAL, out, putBytes(this.#address, out, members))
    const end = putClient(bytes, fields, this.#terms.chain, out, at)
    return putBytes(LINE_END, out, end === at ? putBytes(this.#address, out, at) : end)
  }

  /** A peer on a unix socket has no address to add. What it does not say of its client, nobody says. */
  #putChainWithoutPeer(bytes: Buffer, fields: FieldSection, out: Buffer, start: number): number {
    const first = putBytes(FOR, out, start)
    const members = putMembers(bytes, fields, out, first)
    if (members === first) return start
    // Without the comma and the blank behind the last one.
    const at = putBytes(REAL, out, members - 2)
    const end = putClient(bytes, fields, this.#terms.chain, out, at)
    return end === at ? putBytes(LINE_END, out, members - 2) : putBytes(LINE_END, out, end)
  }

  /** As `putLines`, for a client that is not trusted; what is known beforehand is copied in one piece. */
  #putOwn(bytes: Buffer, head: RequestMessage, out: Buffer, start: number): number {
    const lines = this.#linesWithPort
    const port = head.hostStart < 0 ? -1 : portStart(bytes, head.hostStart, head.hostEnd)
    if (port === 0) return copyRange(lines, 0, lines.length, out, start)
    const at = copyRange(lines, 0, this.#portAt, out, start)
    const end =
      port < 0 ? putBytes(this.#listenPort, out, at) : copyRange(bytes, port, head.hostEnd, out, at)
    return putBytes(LINE_END, out, end)
  }

  /**
   * The port that the client's URL names: that of the host it asked for, else the default one of its scheme, which a
   * client leaves out. Not the listener's port, which a client behind a port mapping never sees; that one is used if
   * the request names no host. Tomcat and Spring make redirects of it.
   */
  #putPort(bytes: Buffer, head: RequestMessage, out: Buffer, start: number): number {
    const { fields } = head
    const said = fields.find(FORWARDED_HOST)
    const from = said < 0 ? head.hostStart : fields.valueStarts[said]
    const to = said < 0 ? head.hostEnd : endOfMember(bytes, from, fields.valueEnds[said])
    const port = from < 0 ? 0 : portStart(bytes, from, to)
    const at = putBytes(PORT, out, start)
    if (port > 0) return putBytes(LINE_END, out, copyRange(bytes, port, to, out, at))
    const standard = this.isSecure(bytes, head) ? httpsPort : httpPort
    return putBytes(LINE_END, out, putBytes(from < 0 ? this.#listenPort : standard, out, at))
  }

  /** A number for the client that sends a request. */
  hashOf(bytes: Uint8Array, head: RequestMessage): number {
    return this.trusted ? hashForwarded(bytes, head, this.#hash) : this.#hash
  }

  /** The client behind this peer, by the chain of X-Forwarded-For when the peer is trusted. */
  clientOf(chain: string): string {
    const said = this.trusted && chain !== "" ? clientIn(chain, this.#terms.chain) : null
    return said ?? this.address
  }

  /** True when the client's own connection is encrypted, as far as bunlb can know. */
  isSecure(bytes: Buffer, { fields }: RequestMessage): boolean {
    if (this.#terms.scheme === "https") return true
    const said = this.trusted ? fields.find(FORWARDED_PROTO) : -1
    return said >= 0 && saysHttps(bytes, fields, said)
  }
}

/** As RFC 7239 section 6 names a node. */
function nodeOf(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address
}

/** Whether the first member says so: each proxy of a chain may have added its own. */
function saysHttps(bytes: Buffer, { valueStarts, valueEnds }: FieldSection, at: number): boolean {
  let from = valueStarts[at]
  while (from < valueEnds[at] && bytes[from] === COMMA)
    from = pastBlanks(bytes, from + 1, valueEnds[at])
  return equalsToken(bytes, from, endOfMember(bytes, from, valueEnds[at]), https)
}

function endOfMember(bytes: Uint8Array, from: number, to: number): number {
  let stop = from
  while (stop < to && bytes[stop] !== COMMA) stop++
  return beforeBlanks(bytes, from, stop)
}

/** Where the port of `host:port` begins; 0 when there is none. */
function portStart(bytes: Uint8Array, from: number, to: number): number {
  let at = to
  while (at > from && bytes[at - 1] >= 48 && bytes[at - 1] <= 57) at--
  return at > from && at < to && bytes[at - 1] === COLON ? at : 0
}
