/** The tables of octets against the grammars they stand for, and the comparisons and copies. */
import { expect, test } from "bun:test"
import * as bytes from "../../src/http/bytes.ts"

const tables: readonly [string, Uint8Array, RegExp][] = [
  ["TOKEN", bytes.TOKEN, /[!#$%&'*+\-.^_`|~0-9A-Za-z]/],
  ["FIELD_VALUE", bytes.FIELD_VALUE, /[\t\x20-\x7e\x80-\xff]/],
  ["TARGET", bytes.TARGET, /[!"$-~]/],
  ["HOST_NAME", bytes.HOST_NAME, /[-._~0-9A-Za-z]/],
  ["IPV6", bytes.IPV6, /[0-9A-Fa-f:.]/],
]

test.each(tables)("%s", (_name, table, pattern) => {
  for (let octet = 0; octet < 256; octet++) {
    const belongs = pattern.test(String.fromCharCode(octet))
    expect([octet, table[octet]]).toEqual([octet, belongs ? 1 : 0])
  }
})

test("HEX", () => {
  for (let octet = 0; octet < 256; octet++) {
    const at = "0123456789abcdef".indexOf(String.fromCharCode(octet).toLowerCase())
    expect([octet, bytes.HEX[octet]]).toEqual([octet, at < 0 ? 255 : at])
  }
})

test("foldsTo takes case, _ and . for the same", () => {
  const name = bytes.ascii("x-real-ip")
  for (const text of ["x-real-ip", "X-Real-IP", "X_REAL_IP", "x.real_ip"]) {
    expect(bytes.foldsTo(Buffer.from(`__${text}__`), 2, name)).toBe(true)
  }
  for (const text of ["x-real-iq", "x real-ip", "x/real-ip", "x-real-i\0"]) {
    expect(bytes.foldsTo(Buffer.from(text), 0, name)).toBe(false)
  }
})

test("equalsToken takes case for the same and nothing else", () => {
  const token = bytes.ascii("keep-alive")
  const equals = (text: string): boolean =>
    bytes.equalsToken(Buffer.from(text), 0, text.length, token)
  expect(["keep-alive", "Keep-ALIVE"].map(equals)).toEqual([true, true])
  const others = ["keep_alive", "keep-alive ", "keep-aliv", "\x4beep-alivf", "Keep\ralive", ""]
  expect(others.map(equals)).toEqual(others.map(() => false))
})

test("copies are exact at every length", () => {
  const from = Buffer.from(Array.from({ length: 120 }, (_, index) => index + 1))
  for (let length = 0; length <= 100; length++) {
    const to = Buffer.alloc(120)
    expect(bytes.copyRange(from, 7, 7 + length, to, 3)).toBe(3 + length)
    expect(to.subarray(3, 3 + length)).toEqual(from.subarray(7, 7 + length))
    expect([to[2], to[3 + length]]).toEqual([0, 0])
  }
  const to = Buffer.alloc(8)
  expect(bytes.putBytes(bytes.ascii("abc"), to, 2)).toBe(5)
  expect(to.toString("latin1")).toBe("\0\0abc\0\0\0")
})
