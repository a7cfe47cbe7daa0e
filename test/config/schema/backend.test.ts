/** One backend as a line or an object, and the list of them. */
import { describe, expect, test } from "bun:test"
import { backend, backendList, MAX_BACKENDS } from "../../../src/config/schema/backend.ts"
import type { BackendSettings } from "../../../src/config/schema/settings.ts"
import { reading } from "../reading.ts"

function plain(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  const port = Number(name.slice(name.lastIndexOf(":") + 1))
  const host = name.slice(0, name.lastIndexOf(":")).replace(/[[\]]/g, "")
  return { name, host, port, tls: false, weight: 1, backup: false, ca: null, ...more }
}

/** One that stands for what DNS says. */
function found(
  discover: "dns" | "srv",
  host: string,
  port: number,
  more: Partial<BackendSettings> = {},
): BackendSettings {
  const scheme = `${discover}+${more.tls ? "https" : "http"}://`
  const name = port === 0 ? `${scheme}${host}` : `${scheme}${host}:${port}`
  return { name, host, port, tls: false, weight: 1, backup: false, ca: null, ...more, discover }
}

describe("a line", () => {
  test.each<[string, BackendSettings]>([
    ["127.0.0.1:9001", plain("127.0.0.1:9001")],
    [" Example.COM:80 ", plain("example.com:80")],
    ["[::1]:8080", plain("[::1]:8080")],
    ["[0:0::1]:8080", plain("[::1]:8080")],
    ["example.com:443", plain("example.com:443", { tls: true })],
    ["http://example.com", plain("example.com:80")],
    ["http://example.com:443", plain("example.com:443")],
    ["https://example.com", plain("example.com:443", { tls: true })],
    ["HTTPS://example.com:8443/", plain("example.com:8443", { tls: true })],
    ["https://[::1]", plain("[::1]:443", { tls: true })],
    ["a:80,weight=3", plain("a:80", { weight: 3 })],
    ["a:80,backup", plain("a:80", { backup: true })],
    ["a:80,backup=false", plain("a:80")],
    ["a:8443,tls", plain("a:8443", { tls: true })],
    ["a:443,tls=false", plain("a:443")],
    [
      "a:8443,tls,ca=/etc/ca=1.pem,weight=2",
      plain("a:8443", { tls: true, ca: "/etc/ca=1.pem", weight: 2 }),
    ],
    ["dns+http://Web:8080,weight=2", found("dns", "web", 8080, { weight: 2 })],
    ["dns+http://web", found("dns", "web", 80)],
    ["dns+https://web,backup", found("dns", "web", 443, { tls: true, backup: true })],
    ["srv+http://_http._tcp.web", found("srv", "_http._tcp.web", 0)],
    ["SRV+HTTPS://_http._tcp.web/", found("srv", "_http._tcp.web", 0, { tls: true })],
  ])("%s", (line, settings) => {
    expect(reading(backend, line)).toEqual(settings)
    expect(reading(backend, backend.format(settings))).toEqual(settings)
  })
})

const ADDRESS = "is an address, for which DNS has no others: leave out dns+ or srv+"

describe("a bad line", () => {
  const path = "has a path, a backend is only HOST:PORT: paths are forwarded as they come"
  test.each([
    ["", "a backend is empty, write HOST:PORT"],
    [":80", '":80" has no host in front of the port, such as 127.0.0.1'],
    ["127.0.0.1", '"127.0.0.1" has no port, write 127.0.0.1:80'],
    ["a:", '"a:" has a bad port "", write a number from 1 to 65535'],
    ["a:0", '"a:0" has a bad port "0", write a number from 1 to 65535'],
    ["a:65536", '"a:65536" has a bad port "65536", write a number from 1 to 65535'],
    ["a:http", '"a:http" has a bad port "http", write a number from 1 to 65535'],
    ["::1", '"::1" needs brackets around the IPv6 address, such as [::1]:8080'],
    ["::1:8080", '"::1:8080" needs brackets around the IPv6 address, such as [::1]:8080'],
    ["[::1:8080", '"[::1:8080" is not an IPv6 address'],
    ["1:2:3", '"1:2:3" is not HOST:PORT; IPv6 needs brackets, such as [::1]:8080'],
    ["256.0.0.1:80", '"256.0.0.1:80" is not an IPv4 address'],
    ["http://a/api", `"http://a/api" ${path}`],
    ["http://a?x", `"http://a?x" ${path}`],
    ["a:80/api", `"a:80/api" ${path}`],
    ["http://me:pw@a", '"http://me:pw@a" has a user name, which a backend cannot have'],
    [
      "ftp://a",
      '"ftp://a" has the scheme ftp, only http and https are supported (dns+http, srv+http too)',
    ],
    ["a:80,weight=-1", '"a:80" has a bad weight: expected a whole number from 1 to 1000, got "-1"'],
    ["a:80,weight", '"a:80" has a bad weight: expected a whole number from 1 to 1000, got ""'],
    ["a:80,backup=maybe", '"a:80" has a bad backup: expected true or false, got "maybe"'],
    ["a:80,wieght=2", '"a:80" has the unknown option "wieght", did you mean "weight"?'],
    ["a:443,ca=", '"a:443" has a bad ca: name a file, ca=FILE'],
    ["a:80,ca=x.pem", '"a:80" has a ca but no TLS, add tls or use https://'],
    ["http://a,tls", '"http://a" says http:// and tls, choose one'],
    ["dns+http://10.0.0.1:80", `"dns+http://10.0.0.1:80" ${ADDRESS}`],
    ["dns+http://[::1]", `"dns+http://[::1]" ${ADDRESS}`],
    ["srv+http://web:80", '"srv+http://web:80" has a port, which its SRV records tell'],
    ["srv+http://a,weight=2", '"srv+http://a" has a weight, which its SRV records tell'],
    ["dns+http://a,tls", '"dns+http://a" says http:// and tls, choose one'],
    ["https://a,tls=false", '"https://a" says https:// and tls=false, choose one'],
  ])("%s", (line, fault) => {
    expect(reading(backend, line)).toBe(fault)
  })
})

describe("an object", () => {
  test("has the keys of a line's options", () => {
    const full = { host: "A", port: "8443", weight: "2", backup: true, tls: true, ca: "x.pem" }
    const more = { weight: 2, backup: true, tls: true, ca: "x.pem" }
    expect(reading(backend, full)).toEqual(plain("a:8443", more))
    expect(reading(backend, { host: "::1", port: 443 })).toEqual(plain("[::1]:443", { tls: true }))
    expect(reading(backend, { host: "a", port: 443, tls: false })).toEqual(plain("a:443"))
  })

  test("stands for what DNS says", () => {
    const dns = { host: "web", port: 8443, tls: true, discover: "dns" }
    expect(reading(backend, dns)).toEqual(found("dns", "web", 8443, { tls: true }))
    expect(reading(backend, { host: "_a._tcp.web", discover: "srv" })).toEqual(
      found("srv", "_a._tcp.web", 0),
    )
    expect(reading(backend, { host: "web", discover: "dns" })).toBe(
      "has no port, add one such as port: 80",
    )
    expect(reading(backend, { host: "web", port: 80, discover: "srv" })).toBe(
      ".port: has a port, which its SRV records tell",
    )
    expect(reading(backend, { host: "web", port: 80, discover: "mdns" })).toBe(
      '.discover: expected dns or srv, got "mdns", did you mean "dns"?',
    )
  })

  test("an entry of another balancer is led to a line, and asked for nothing else", () => {
    const advice = "unknown key, write the entry as one line"
    expect(reading(backend, { url: "http://a:80" })).toBe(`.url: ${advice}: "http://a:80"`)
    expect(reading(backend, { address: 5, weight: 2 })).toStartWith(`.address: ${advice}`)
  })

  test("is refused with every fault and its place", () => {
    const bad = { host: "a b", port: 0, wieght: 2, ca: 5, tls: "maybe" }
    expect(reading(backend, bad)).toBe(
      [
        '.wieght: unknown key, did you mean "weight"?',
        '.host: "a b" is not a valid host name',
        ".port: expected a whole number from 1 to 65535, got 0",
        '.tls: expected true or false, got "maybe"',
        ".ca: expected the name of a PEM file, got 5",
      ].join("\n"),
    )
    expect(reading(backend, {})).toBe(
      "has no host, add one such as host: 127.0.0.1\nhas no port, add one such as port: 80",
    )
    expect(reading(backend, { host: 5, port: 80 })).toBe(".host: expected a host name, got 5")
    expect(reading(backend, { host: "http://a", port: 80 })).toBe(
      '.host: holds more than a host, write the entry as one line: "http://a:80"',
    )
    expect(reading(backend, { host: "a", port: 80, ca: "x" })).toBe(
      "has a ca but no TLS, add tls or use https://",
    )
  })
})

test("nothing else is a backend", () => {
  for (const input of [null, 5, true, ["a:80"]]) {
    const shown = JSON.stringify(input)
    expect(reading(backend, input)).toBe(`expected "HOST:PORT" or { host, port }, got ${shown}`)
  }
})

describe("a list", () => {
  test("tells every fault with its index", () => {
    expect(reading(backendList, ["a:80", "b", { host: "c", port: 80, pot: 1 }])).toBe(
      '[1]: "b" has no port, write b:80\n[2].pot: unknown key, did you mean "port"?',
    )
    expect(reading(backendList, "a:80")).toBe(
      'expected a list of backends, got "a:80", write ["a:80"]',
    )
  })

  test("holds a name once, however it is spelled", () => {
    const fault = (name: string): string => `[1]: "${name}" is there twice, keep one`
    expect(reading(backendList, ["a:80", "http://A"])).toBe(fault("a:80"))
    expect(reading(backendList, ["[::1]:80", "[0::1]:80,backup"])).toBe(fault("[::1]:80"))
    expect(reading(backendList, ["http://a:443", "https://a"])).toBe(fault("a:443"))
  })

  test(`holds at most ${MAX_BACKENDS}`, () => {
    const many = Array.from({ length: MAX_BACKENDS + 1 }, (_, index) => `a${index}:80`)
    expect(reading(backendList, many.slice(1))).toBeArrayOfSize(MAX_BACKENDS)
    expect(reading(backendList, many)).toBe("expected at most 1024 backends, got 1025")
  })
})

test("one may be held back by the file", () => {
  expect(reading(backend, "a:80,drain")).toMatchObject({ duty: "drain" })
  expect(reading(backend, "a:80,disabled,weight=2")).toMatchObject({ duty: "off", weight: 2 })
  expect(reading(backend, { host: "a", port: 80, disabled: true })).toMatchObject({ duty: "off" })
  expect(reading(backend, { host: "a", port: 80, drain: false })).not.toHaveProperty("duty")
  expect(reading(backend, "a:80,drain=no")).not.toHaveProperty("duty")
  expect(reading(backend, "a:80,drain,disabled")).toContain("says drain and disabled, choose one")
  for (const line of ["a:80,drain", "a:80,weight=2,disabled"]) {
    const read = reading(backend, line)
    expect(typeof read === "string" ? read : backend.format(read)).toBe(line)
  }
})

test("an option that is there twice is a mistake, not a matter of order", () => {
  expect(reading(backend, "a:80,weight=2,weight=3")).toBe('"a:80" says weight twice, keep one')
  expect(reading(backend, "a:80,backup, backup=no")).toBe('"a:80" says backup twice, keep one')
})
