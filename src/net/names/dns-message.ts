/**
 * DNS messages: one question out, the records that answer it in. Pure. What a server sends is not trusted: a message
 * that is not the answer to the question is ignored, one that cannot be read is refused, and records count only when
 * their owner is the name asked for, or what its CNAME records lead to.
 *
 * Sources: RFC 1035 section 4, RFC 3596 (AAAA), RFC 2782 (SRV), RFC 6891 (EDNS), RFC 2181 section 8 (TTL).
 */
import { textOfV6 } from "../ip/text.ts"

export type RecordType = "A" | "AAAA" | "SRV"

const CODES: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28, SRV: 33 }
const CNAME = 5
const OPT = 41
const IN = 1
const HEADER = 12
const RECURSION_DESIRED = 0x0100
const RESPONSE = 0x8000
const TRUNCATED = 0x0200
/** What every network carries in one datagram (DNS flag day 2020). */
const UDP_BYTES = 1_232
const MOST_CNAMES = 16
/** As many as a name of 255 bytes can need. */
const MOST_POINTERS = 128

export interface DnsRecord {
  /** An address in text, or the target of an SRV record. */
  readonly data: string
  /** Seconds; the shortest on the way of its CNAME records. */
  readonly ttl: number
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export interface Reply {
  readonly rcode: number
  readonly truncated: boolean
  readonly records: readonly DnsRecord[]
}

/** Null for what cannot be a name in DNS: letters outside ASCII. `edns`: answers may be larger than 512 bytes. */
export function encodeQuery(
  id: number,
  name: string,
  type: RecordType,
  edns: boolean,
): Buffer | null {
  const labels = name.replace(/\.$/, "").split(".")
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(RECURSION_DESIRED, 2)
  header.writeUInt16BE(1, 4)
  const parts: Buffer[] = [header]
  let length = 1
  for (const label of labels) {
    const bytes = Buffer.from(label)
    if (bytes.length === 0 || bytes.length > 63 || bytes.length !== label.length) return null
    parts.push(Buffer.of(bytes.length), bytes)
    length += bytes.length + 1
  }
  if (length > 255) return null
  parts.push(Buffer.of(0, 0, CODES[type], 0, IN))
  if (edns) {
    header.writeUInt16BE(1, 10)
    parts.push(Buffer.of(0, 0, OPT, UDP_BYTES >> 8, UDP_BYTES & 255, 0, 0, 0, 0, 0, 0))
  }
  return Buffer.concat(parts)
}

/** Null when this does not answer that question. Throws `RangeError` when it cannot be read. */
export function decodeReply(
  bytes: Buffer,
  id: number,
  name: string,
  type: RecordType,
): Reply | null {
  if (bytes.length < HEADER || bytes.readUInt16BE(0) !== id) return null
  const flags = bytes.readUInt16BE(2)
  if ((flags & RESPONSE) === 0) return null
  const rcode = flags & 15
  const truncated = (flags & TRUNCATED) !== 0
  // Some servers that refuse leave the question out.
  if (bytes.readUInt16BE(4) === 0 && rcode !== 0) return { rcode, truncated, records: [] }
  if (bytes.readUInt16BE(4) !== 1) return null
  const question = readName(bytes, HEADER)
  const asked = name.replace(/\.$/, "").toLowerCase()
  if (question.name !== asked || bytes.readUInt16BE(question.end) !== CODES[type]) return null
  const records = readAnswers(bytes, question.end + 4, asked, CODES[type])
  return { rcode, truncated, records }
}

function readAnswers(bytes: Buffer, start: number, asked: string, type: number): DnsRecord[] {
  const count = bytes.readUInt16BE(6)
  const aliases = new Map<string, { readonly target: string; readonly ttl: number }>()
  const found: { readonly owner: string; readonly record: DnsRecord }[] = []
  let at = start
  try {
    for (let i = 0; i < count; i++) {
      const owner = readName(bytes, at)
      const kind = bytes.readUInt16BE(owner.end)
      const ttl = ttlOf(bytes.readUInt32BE(owner.end + 4))
      const from = owner.end + 10
      const to = from + bytes.readUInt16BE(owner.end + 8)
      if (to > bytes.length) throw new RangeError("a record ends behind the message")
      if (kind === CNAME) aliases.set(owner.name, { target: readName(bytes, from).name, ttl })
      if (kind === type) {
        found.push({ owner: owner.name, record: readRecord(bytes, from, to, type, ttl) })
      }
      at = to
    }
  } catch (error) {
    // A truncated message may end anywhere; it is asked for again over TCP.
    if ((bytes.readUInt16BE(2) & TRUNCATED) === 0) throw error
  }
  const owners = followed(asked, aliases)
  return found.flatMap(({ owner, record }) => {
    const ttl = owners.get(owner)
    return ttl === undefined ? [] : [{ ...record, ttl: Math.min(record.ttl, ttl) }]
  })
}

/** The names that stand for `asked`, each with the shortest TTL on the way to it. */
function followed(
  asked: string,
  aliases: ReadonlyMap<string, { readonly target: string; readonly ttl: number }>,
): Map<string, number> {
  const owners = new Map([[asked, Infinity]])
  let name = asked
  let shortest = Infinity
  for (let i = 0; i < MOST_CNAMES; i++) {
    const alias = aliases.get(name)
    if (alias === undefined || owners.has(alias.target)) return owners
    name = alias.target
    shortest = Math.min(shortest, alias.ttl)
    owners.set(name, shortest)
  }
  return owners
}

function readRecord(bytes: Buffer, from: number, to: number, type: number, ttl: number): DnsRecord {
  const plain = { ttl, port: 0, priority: 0, weight: 0 }
  if (type === CODES.SRV) {
    return {
      data: readName(bytes, from + 6).name,
      ttl,
      priority: bytes.readUInt16BE(from),
      weight: bytes.readUInt16BE(from + 2),
      port: bytes.readUInt16BE(from + 4),
    }
  }
  if (to - from !== (type === CODES.A ? 4 : 16)) throw new RangeError("an address of odd length")
  const address = bytes.subarray(from, to)
  return { ...plain, data: type === CODES.A ? address.join(".") : textOfV6(address) }
}

/** In lower case. `end`: the offset behind it. */
function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  let end = -1
  let length = 0
  let pointers = 0
  for (;;) {
    const size = bytes.readUInt8(at)
    if (size === 0) return { name: labels.join("."), end: end < 0 ? at + 1 : end }
    if (size >= 0xc0) {
      const target = bytes.readUInt16BE(at) & 0x3fff
      if (end < 0) end = at + 2
      // A name may only point backwards, so that no loop is possible.
      if (target >= at) throw new RangeError("a name points forwards")
      if (++pointers > MOST_POINTERS) throw new RangeError("a name of too many pointers")
      at = target
    } else if (size > 63) throw new RangeError("an unknown kind of label")
    else {
      length += size + 1
      if (length > 255 || at + 1 + size > bytes.length) throw new RangeError("a name too long")
      labels.push(bytes.toString("latin1", at + 1, at + 1 + size).toLowerCase())
      at += size + 1
    }
  }
}

/** With the highest bit set it counts as 0. */
function ttlOf(value: number): number {
  return value > 0x7fff_ffff ? 0 : value
}
