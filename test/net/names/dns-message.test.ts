/** DNS messages: what is asked, what is read, and what a server cannot make of it. */
import { describe, expect, test } from "bun:test"
import { decodeReply, encodeQuery } from "../../../src/net/names/dns-message.ts"
import { type ScriptedRecord, replyTo } from "../../support/scripted-names.ts"

const asked = encodeQuery(7, "web.test", "A", false) ?? Buffer.alloc(0)

function decoded(records: readonly ScriptedRecord[], rcode = 0) {
  return decodeReply(replyTo(asked, asked.length, rcode, records), 7, "web.test", "A")
}

test("a question has one name, and says what it takes when it speaks EDNS", () => {
  expect(asked.toString("hex")).toBe("0007010000010000000000000377656204746573740000010001")
  const edns = encodeQuery(7, "web.test.", "AAAA", true)
  expect(edns?.toString("hex")).toBe(
    "00070100000100000000000103776562047465737400001c000100002904d0000000000000",
  )
})

test.each(["", "a..b", "a".repeat(64), Array(64).fill("abcd").join("."), "bücher.test"])(
  "%p is no name",
  (name) => expect(encodeQuery(1, name, "A", false)).toBeNull(),
)

describe("records count", () => {
  test("of the name asked for, in whatever case, and of no other", () => {
    const reply = decoded([
      { type: "A", data: "10.0.0.1", ttl: 9 },
      { type: "A", name: "WEB.test", data: "10.0.0.2" },
      { type: "A", name: "other.test", data: "10.6.6.6" },
      { type: "AAAA", data: "fd00::1" },
    ])
    expect(reply?.records.map(({ data, ttl }) => [data, ttl])).toEqual([
      ["10.0.0.1", 9],
      ["10.0.0.2", 5],
    ])
  })

  test("of what CNAME records lead to, in any order, with the shortest TTL on the way", () => {
    const reply = decoded([
      { type: "A", name: "c.test", data: "10.0.0.1", ttl: 60 },
      { type: "CNAME", name: "b.test", data: "c.test", ttl: 3 },
      { type: "CNAME", data: "b.test", ttl: 30 },
    ])
    expect(reply?.records.map(({ data, ttl }) => [data, ttl])).toEqual([["10.0.0.1", 3]])
  })

  test("never by a circle of CNAME records", () => {
    const reply = decoded([
      { type: "CNAME", data: "b.test" },
      { type: "CNAME", name: "b.test", data: "web.test" },
    ])
    expect(reply).toEqual({ rcode: 0, truncated: false, records: [] })
  })

  test("with a TTL of 0 when its highest bit is set", () => {
    expect(decoded([{ type: "A", data: "10.0.0.1", ttl: 0x8000_0000 }])?.records[0]?.ttl).toBe(0)
  })

  test("by the thousand", () => {
    const records = Array.from({ length: 3_000 }, (_, i): ScriptedRecord => {
      return { type: "A", data: `10.0.${i >> 8}.${i & 255}` }
    })
    expect(decoded(records)?.records).toHaveLength(3_000)
  })
})

test("IPv6 addresses and services are read", () => {
  const six = encodeQuery(1, "web.test", "AAAA", false) ?? Buffer.alloc(0)
  const reply = replyTo(six, six.length, 0, [{ type: "AAAA", data: "fd00::a:1" }])
  expect(decodeReply(reply, 1, "web.test", "AAAA")?.records[0]?.data).toBe("fd00::a:1")
  const srv = encodeQuery(1, "_http._tcp.test", "SRV", false) ?? Buffer.alloc(0)
  const services = replyTo(srv, srv.length, 0, [{ type: "SRV", data: "1 20 8080 P1.web.test" }])
  expect(decodeReply(services, 1, "_http._tcp.test", "SRV")?.records).toEqual([
    { data: "p1.web.test", ttl: 5, priority: 1, weight: 20, port: 8_080 },
  ])
})

test("what answers another question is ignored", () => {
  const reply = replyTo(asked, asked.length, 0, [])
  expect(decodeReply(reply, 8, "web.test", "A")).toBeNull()
  expect(decodeReply(reply, 7, "web.other", "A")).toBeNull()
  expect(decodeReply(reply, 7, "web.test", "AAAA")).toBeNull()
  expect(decodeReply(asked, 7, "web.test", "A")).toBeNull()
  expect(decodeReply(Buffer.alloc(3), 7, "web.test", "A")).toBeNull()
})

test("whatever bytes come, reading ends, with an answer or an error", () => {
  const reply = replyTo(asked, asked.length, 0, [
    { type: "CNAME", data: "b.test" },
    { type: "A", name: "b.test", data: "10.0.0.1" },
  ])
  let seed = 1
  const random = (limit: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff
    return seed % limit
  }
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(reply.subarray(0, 12 + random(reply.length - 11)))
    for (let i = random(4); i > 0; i--) bytes[2 + random(bytes.length - 2)] = random(256)
    try {
      decodeReply(bytes, 7, "web.test", "A")
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError)
    }
  }
})

test("a name of very many pointers is refused, for many records could point to it", () => {
  const chain = Buffer.alloc(8_000)
  const from = asked.length + 11
  for (let i = 0; i < chain.length; i += 2) {
    chain.writeUInt16BE(0xc000 | (i === 0 ? 12 : from + i - 2), i)
  }
  const text = (bytes: Buffer, owner: Buffer, type: number): Buffer =>
    Buffer.concat([
      owner,
      Buffer.of(0, type, 0, 1, 0, 0, 0, 5, bytes.length >> 8, bytes.length & 255),
      bytes,
    ])
  const last = Buffer.alloc(2)
  last.writeUInt16BE(0xc000 | (from + chain.length - 2), 0)
  const reply = (owner: Buffer): Buffer => {
    const head = Buffer.from(asked)
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(2, 6)
    return Buffer.concat([
      head,
      text(chain, Buffer.of(0), 16),
      text(Buffer.of(10, 0, 0, 1), owner, 1),
    ])
  }
  expect(() => decodeReply(reply(last), 7, "web.test", "A")).toThrow(RangeError)
  const near = Buffer.alloc(2)
  near.writeUInt16BE(0xc000 | (from + 4), 0)
  expect(decodeReply(reply(near), 7, "web.test", "A")?.records[0]?.data).toBe("10.0.0.1")
})
