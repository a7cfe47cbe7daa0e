/** Where the admin listener may be: an address, a unix socket, nowhere. */
import { expect, test } from "bun:test"
import {
  adminAddress,
  formatAdmin,
  isPrivateAdmin,
} from "../../../src/config/schema/admin-address.ts"
import { reading } from "../reading.ts"

test("the admin address is an address with a port, or off", () => {
  expect(reading(adminAddress, "[::1]:9900")).toEqual({ host: "::1", port: 9900 })
  expect(reading(adminAddress, "localhost:0")).toEqual({ host: "127.0.0.1", port: 0 })
  for (const off of ["off", "OFF", false, null]) {
    expect(adminAddress.read(off, () => undefined)).toBeNull()
  }
  const refused = "expected HOST:PORT such as 127.0.0.1:9900, unix:/PATH, or off, got "
  expect(reading(adminAddress, "9900")).toBe(`${refused}"9900"`)
  expect(reading(adminAddress, 9900)).toBe(`${refused}9900`)
  expect(reading(adminAddress, "127.0.0.1:70000")).toBe(`${refused}"127.0.0.1:70000"`)
  expect(reading(adminAddress, "admin.local:80")).toBe(
    'expected an IP address such as 0.0.0.0, 127.0.0.1 or ::, got "admin.local"',
  )
})

test("unix: and an absolute path is a socket", () => {
  expect(reading(adminAddress, "unix:/run/bunlb/admin.sock")).toEqual({
    path: "/run/bunlb/admin.sock",
  })
  expect(formatAdmin({ path: "/run/a b.sock" })).toBe("unix:/run/a b.sock")
  expect(reading(adminAddress, "unix:admin.sock")).toContain("unix:/PATH, or off, got")
  const nameless = "expected the name of a socket, such as unix:/run/bunlb/admin.sock"
  expect(reading(adminAddress, "unix:/run/")).toBe(nameless)
  expect(reading(adminAddress, "unix:/run/a\nb")).toBe(nameless)
  expect(reading(adminAddress, `unix:/${"a".repeat(91)}`)).toEqual({ path: `/${"a".repeat(91)}` })
  expect(reading(adminAddress, `unix:/${"ä".repeat(46)}`)).toBe(
    "the path of a socket has at most 92 bytes, this one has 93",
  )
})

test("a loopback address and a socket are private", () => {
  expect(isPrivateAdmin({ host: "127.0.0.1", port: 1 })).toBe(true)
  expect(isPrivateAdmin({ path: "/run/a" })).toBe(true)
  expect(isPrivateAdmin({ host: "0.0.0.0", port: 1 })).toBe(false)
})
