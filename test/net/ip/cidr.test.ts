import { describe, expect, test } from "bun:test"
import { parseCidr, TrustedProxies } from "../../../src/net/ip/cidr.ts"
import { ClientIdentity } from "../../../src/http/identity.ts"
import { parseIp } from "../../../src/net/ip/address.ts"
import { BunlbError } from "../../../src/core/errors.ts"
import { rng } from "../../support/until.ts"

/** The client behind `peer`, by what X-Forwarded-For says. */
function clientOf(chain: TrustedProxies, forwardedFor: string, peer: string): string {
  const terms = { chain, scheme: "http", forwarded: false, port: 80 } as const
  return new ClientIdentity(peer, chain.trusts(peer), terms).clientOf(forwardedFor)
}

describe("an address", () => {
  test.each([
    ["1.2.3.4", 4, "1.2.3.4"],
    ["0.0.0.0", 4, "0.0.0.0"],
    ["255.255.255.255", 4, "255.255.255.255"],
    ["::1", 6, "::1"],
    ["::", 6, "::"],
    ["2001:db8::A:1", 6, "2001:db8::A:1"],
    ["1:2:3:4:5:6:7:8", 6, "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", 6, "1:2:3:4:5:6:7::"],
    ["64:ff9b::1.2.3.4", 6, "64:ff9b::1.2.3.4"],
    ["fe80::1%eth0", 6, "fe80::1"],
    ["::ffff:10.0.0.1", 4, "10.0.0.1"],
    ["::FFFF:a00:1", 4, "10.0.0.1"],
    ["0:0:0:0:0:ffff:10.0.0.1", 4, "10.0.0.1"],
  ] as const)("%s", (text, family, shown) => {
    expect(parseIp(text)).toMatchObject({ family, text: shown })
  })

  test.each(
    [
      ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", "1.2.3.4 ", "0x1.2.3.4"],
      ["1..3.4", "localhost", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9"],
      [
        "1:2:3:4:5:6:7:8::",
        "12345::",
        "g::",
        "1.2.3.4::",
        "::1.2.3",
        "[::1]",
        "::1:",
        "::1.2.3.4:5",
      ],
    ].flat(),
  )("%p is none", (text) => {
    expect(parseIp(text)).toBeNull()
  })
})

describe("a CIDR", () => {
  test.each([
    [
      "10.0.0.0/8",
      ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
      ["11.0.0.0", "9.255.255.255"],
    ],
    ["10.1.2.3/8", ["10.9.9.9"], ["11.0.0.1"]],
    ["192.168.1.7", ["192.168.1.7"], ["192.168.1.6"]],
    ["10.0.0.4/30", ["10.0.0.4", "10.0.0.7"], ["10.0.0.3", "10.0.0.8"]],
    ["10.0.0.0/17", ["10.0.127.255"], ["10.0.128.0"]],
    ["0.0.0.0/0", ["1.2.3.4", "::ffff:1.2.3.4"], ["::1", "nonsense", ""]],
    ["fd00::/8", ["fd00::1", "fdff:ffff::"], ["fe00::", "::1", "253.0.0.1"]],
    ["2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1"]],
    ["::/0", ["::1", "2001:db8::1"], ["1.2.3.4", "::ffff:1.2.3.4"]],
    ["::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2"]],
    ["::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.0"]],
  ])("%s", (cidr, inside, outside) => {
    const proxies = new TrustedProxies(["203.0.113.1", cidr])
    expect(inside.filter((ip) => !proxies.trusts(ip))).toEqual([])
    expect(outside.filter((ip) => proxies.trusts(ip))).toEqual([])
  })

  test("for all addresses and prefixes: it holds exactly those that share the prefix", () => {
    const random = rng(81)
    for (let round = 0; round < 2000; round++) {
      const [a, b] = [random.between(0, 2 ** 32 - 1), random.between(0, 2 ** 32 - 1)]
      const bits = random.between(0, 32)
      // Half of them differ only behind some bit.
      const other = round % 2 === 0 ? b : (a ^ (b >>> random.between(0, 31))) >>> 0
      const expected = bits === 0 || a >>> (32 - bits) === other >>> (32 - bits)
      expect(new TrustedProxies([`${dotted(a)}/${bits}`]).trusts(dotted(other))).toBe(expected)
    }
  })

  test.each(["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8"])(
    "%s is none",
    (text) => expect(parseCidr(text)).toBeNull(),
  )

  test.each(["10/8", "::ffff:10.0.0.0/95", "", "/8", "any"])("%p is none", (text) => {
    expect(parseCidr(text)).toBeNull()
    expect(() => new TrustedProxies([text])).toThrow(BunlbError)
    expect(() => new TrustedProxies([text])).toThrow(`trusted_proxies: "${text}" is no address`)
  })
})

describe("the client's address", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "fd00::/8"])
  test.each([
    ["an untrusted peer is believed nothing", "1.1.1.1", "9.9.9.9", "9.9.9.9"],
    ["nobody forwarded", "", "10.0.0.1", "10.0.0.1"],
    ["one hop", "1.1.1.1", "10.0.0.1", "1.1.1.1"],
    ["what the client invented is ignored", "8.8.8.8, 1.1.1.1", "10.0.0.1", "1.1.1.1"],
    ["several trusted hops", "8.8.8.8, 1.1.1.1, 10.0.0.3,10.0.0.2", "10.0.0.1", "1.1.1.1"],
    ["everybody trusted: the first of them", "10.0.0.3, 10.0.0.2", "10.0.0.1", "10.0.0.3"],
    ["junk ends the walk", "1.1.1.1, unknown, 10.0.0.2", "10.0.0.1", "10.0.0.2"],
    ["an empty hop is skipped", "1.1.1.1, , 10.0.0.2", "10.0.0.1", "1.1.1.1"],
    ["junk next to the peer", "1.1.1.1, _hidden", "10.0.0.1", "10.0.0.1"],
    ["a trailing comma is skipped", "1.1.1.1,", "10.0.0.1", "1.1.1.1"],
    ["several are skipped", ", 1.1.1.1 ,,\t, 10.0.0.2 , ,", "10.0.0.1", "1.1.1.1"],
    ["commas alone name nobody", ",, ,", "10.0.0.1", "10.0.0.1"],
    ["ports and brackets go", "[2001:db8::1]:443", "10.0.0.1", "2001:db8::1"],
    ["brackets alone go", "[2001:db8::1]", "10.0.0.1", "2001:db8::1"],
    ["an IPv4 port goes", "1.1.1.1:5678, 10.0.0.2:80", "10.0.0.1", "1.1.1.1"],
    ["a port that is none is junk", "1.1.1.1:x", "10.0.0.1", "10.0.0.1"],
    ["half a bracket is junk", "[2001:db8::1", "10.0.0.1", "10.0.0.1"],
    ["a bare IPv6 address", "2001:db8::1", "fd00::1", "2001:db8::1"],
    ["a peer in IPv6 clothes", "1.1.1.1", "::ffff:10.0.0.1", "1.1.1.1"],
    ["a hop in IPv6 clothes", "1.1.1.1, ::ffff:10.0.0.2", "10.0.0.1", "1.1.1.1"],
    ["nothing that could break a header comes out", '1.1.1.1%"\r\n', "10.0.0.1", "10.0.0.1"],
    ["a zone is left out", 'fe80::1%"><', "10.0.0.1", "fe80::1"],
  ])("%s", (_, forwardedFor, peer, client) => {
    expect(clientOf(proxies, forwardedFor, peer)).toBe(client)
  })

  test("10 KiB of hops or of junk cost next to nothing", () => {
    const began = performance.now()
    const hops = "10.0.0.2, ".repeat(1100)
    expect(clientOf(proxies, `${hops}10.0.0.3`, "10.0.0.1")).toBe("10.0.0.2")
    expect(clientOf(proxies, "1".repeat(10_000), "10.0.0.1")).toBe("10.0.0.1")
    expect(clientOf(proxies, ":".repeat(10_000), "10.0.0.1")).toBe("10.0.0.1")
    expect(clientOf(proxies, "1:".repeat(5_000), "10.0.0.1")).toBe("10.0.0.1")
    expect(clientOf(proxies, ",".repeat(10_000), "10.0.0.1")).toBe("10.0.0.1")
    expect(performance.now() - began).toBeLessThan(500)
  })

  test("with no trusted proxies the peer is the client", () => {
    expect(clientOf(new TrustedProxies([]), "1.1.1.1", "10.0.0.1")).toBe("10.0.0.1")
  })
})

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".")
}

test("peers on unix sockets are trusted when the list says so, and networks beside them", () => {
  const both = new TrustedProxies(["unix:", "10.0.0.0/8"])
  expect([both.trusts("unix:"), both.trusts("10.1.1.1"), both.trusts("11.1.1.1")]).toEqual([
    true,
    true,
    false,
  ])
  expect(new TrustedProxies(["0.0.0.0/0", "::/0"]).trusts("unix:")).toBe(false)
  expect(new TrustedProxies(["unix:"]).trusts("10.1.1.1")).toBe(false)
})
