/** Hosts, ports and networks: one spelling for what is right, one sentence for what is wrong. */
import { describe, expect, test } from "bun:test"
import {
  hostField,
  isPrivateListener,
  listenHost,
  nameServer,
  network,
  readHost,
} from "../../../src/config/schema/address.ts"
import { reading } from "../reading.ts"

describe("a host has one spelling", () => {
  test.each([
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    ["my_service", "my_service"],
    ["10.0.0.1", "10.0.0.1"],
    ["[::1]", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::00a", "2001:db8::a"],
  ])("%s", (text, host) => {
    expect(readHost(text)).toEqual({ host })
  })
})

describe("a bad host is refused with its fault", () => {
  test.each([
    ["", "has no host in front of the port, such as 127.0.0.1"],
    ["[::1", "is not an IPv6 address"],
    ["[fe80::1%eth0]", "is not an IPv6 address"],
    ["::g", "is not an IPv6 address"],
    ["256.1.1.1", "is not an IPv4 address"],
    ["127.1", "is not an IPv4 address"],
    ["2130706433", "is not an IPv4 address"],
    ["0x7f000001", "is not an IPv4 address"],
    ["-a.example.com", "is not a valid host name"],
    ["a..b", "is not a valid host name"],
    [`${"a".repeat(64)}.com`, "is not a valid host name"],
    [Array(140).fill("a").join("."), "is not a valid host name"],
    ["b\u00fccher.example", "has letters outside ASCII, write it as xn--..."],
    ["a b", "is not a valid host name"],
    ["a\r\nb", "is not a valid host name"],
  ])("%s", (text, fault) => {
    expect(readHost(text)).toEqual({ fault })
  })
})

test("only an address can be listened on", () => {
  expect(reading(listenHost, "0.0.0.0")).toBe("0.0.0.0")
  expect(reading(listenHost, "[::]")).toBe("::")
  expect(reading(listenHost, "localhost")).toBe("127.0.0.1")
  const refused = "expected an IP address such as 0.0.0.0, 127.0.0.1 or ::, got "
  expect(reading(listenHost, "example.com")).toBe(`${refused}"example.com"`)
  expect(reading(listenHost, "127.0.0.1:80")).toBe(
    `${refused}"127.0.0.1:80", the port is another setting: port`,
  )
  expect(reading(listenHost, 80)).toBe(`${refused}80`)
})

test("a network is an address with or without a prefix that fits", () => {
  expect(reading(network, "10.0.0.0/8")).toBe("10.0.0.0/8")
  expect(reading(network, "2001:DB8:0::/32")).toBe("2001:db8::/32")
  expect(reading(network, "192.168.1.1")).toBe("192.168.1.1")
  const bad = ["10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "10.0.0.0/8/8", "any", "fe80::1%a"]
  for (const text of bad) {
    const refused = `expected an address or network such as 10.0.0.0/8, got "${text}"`
    expect(reading(network, text)).toBe(refused)
  }
})

test("a name server is an address with or without a port", () => {
  expect(reading(nameServer, "10.0.0.53")).toBe("10.0.0.53")
  expect(reading(nameServer, "127.0.0.1:5353")).toBe("127.0.0.1:5353")
  expect(["::1", "[::1]", "[0::1]:53"].map((text) => reading(nameServer, text))).toEqual([
    "::1",
    "::1",
    "[::1]:53",
  ])
  expect(reading(nameServer, "FE80:0::1%eth0")).toBe("fe80::1%eth0")
  expect(reading(nameServer, "[fe80::1%br-0.1]:5353")).toBe("[fe80::1%br-0.1]:5353")
  const zones = [
    "fe80::1%",
    "%eth0",
    "fe80::1%a%b",
    "10.0.0.53%eth0",
    "ns.example%eth0",
    "fe80::1%a b",
  ]
  for (const text of ["ns.example", "10.0.0.53:0", "10.0.0.53:dns", "", "::1:5353:", ...zones]) {
    expect(reading(nameServer, text)).toStartWith("expected an IP address with or without a port")
  }
})

test("a Host field keeps its spelling", () => {
  expect(reading(hostField, "Example.com:8080")).toBe("Example.com:8080")
  expect(reading(hostField, "a b")).toBe('expected a host name with or without a port, got "a b"')
  expect(reading(hostField, "a\r\nX: y")).toContain("expected a host name")
})

test("loopback addresses are private listeners, all others are not", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1"].map(isPrivateListener)).toEqual([true, true, true])
  expect(["0.0.0.0", "::", "10.0.0.1"].map(isPrivateListener)).toEqual([false, false, false])
})
