import { describe, expect, test } from "bun:test"
import {
  copyWithoutCookie,
  findCookie,
  FoundCookie,
  setCookieField,
} from "../../src/balance/sticky-cookie.ts"
import type { StickySettings } from "../../src/config/schema/settings.ts"
import { rng } from "../support/until.ts"

const name = Buffer.from("bunlb")

/** The field value lies in the middle of a buffer, between bytes that must not be read. */
function inHead(value: string): { bytes: Buffer; start: number; end: number } {
  const before = "Cookie: bunlb="
  const bytes = Buffer.from(`${before}${value}; bunlb=outside; x=y`, "latin1")
  return { bytes, start: before.length, end: before.length + value.length }
}

function find(value: string): string | null {
  const { bytes, start, end } = inHead(value)
  const found = new FoundCookie()
  if (!findCookie(bytes, start, end, name, found)) return null
  return bytes.toString("latin1", found.start, found.end)
}

function cut(value: string): string {
  const { bytes, start, end } = inHead(value)
  const into = Buffer.alloc(value.length + 10, "#")
  const stop = copyWithoutCookie(bytes, start, end, name, into, 5)
  expect(stop).toBeLessThanOrEqual(5 + value.length)
  expect(into.toString("latin1", 0, 5)).toBe("#####")
  expect(into.toString("latin1", stop)).toMatch(/^#+$/)
  return into.toString("latin1", 5, stop)
}

describe("the cookie in a request", () => {
  test.each([
    ["the only one", "bunlb=abc", "abc", ""],
    ["first", "bunlb=abc; a=1", "abc", "a=1"],
    ["in the middle", "a=1; bunlb=abc; b=2", "abc", "a=1; b=2"],
    ["last", "a=1; bunlb=abc", "abc", "a=1"],
    ["twice: the first counts, both go", "bunlb=x; a=1; bunlb=y", "x", "a=1"],
    ["three times and nothing else", "bunlb=x;bunlb=y ; bunlb=z", "x", ""],
    ["without spaces", "a=1;bunlb=abc;b=2", "abc", "a=1;b=2"],
    ["with surplus spaces", "a=1 ;  bunlb=abc\t ;\tb=2", "abc", "a=1;\tb=2"],
    ["empty", "bunlb=; a=1", "", "a=1"],
    ["with an equals sign inside", "a=b=c; bunlb=x=y", "x=y", "a=b=c"],
    ["among empty pairs", ";; bunlb=abc; ;a=1;", "abc", "a=1"],
  ])("%s", (_, value, found, rest) => {
    expect(find(value)).toBe(found)
    expect(cut(value)).toBe(rest)
  })

  test.each(["", "a=1", "bunlb", "bunlb;", "xbunlb=1", "bunlb2=1", "Bunlb=1", "bunlb =1"])(
    "is not in %p, and nothing is cut",
    (value) => {
      expect(find(value)).toBeNull()
      expect(cut(value)).toBe(value.replace(/;$/, ""))
    },
  )

  test("is not what another cookie has as its value", () => {
    expect(find('a="bunlb=1"; b=bunlb=2; c=bunlb')).toBeNull()
  })

  test("is not completed by what stands behind the field", () => {
    expect(findCookie(Buffer.from("a=1; bunlb=2"), 0, 10, name, new FoundCookie())).toBe(false)
  })

  test("for all fields: what stays is what a list of pairs would keep, and is found no more", () => {
    const random = rng(31)
    const pairs = ["bunlb=0123", "bunlb=", "a=1", "bunlb2=x", "b=bunlb=1", "", "c", "sid=a b"]
    const separators = ["; ", ";", " ;  ", ";\t"] as [string, ...string[]]
    for (let round = 0; round < 3000; round++) {
      let value = ""
      for (let count = random.between(1, 6); count > 0; count--) {
        value += pairs[random.between(0, pairs.length - 1)]
        if (count > 1) value += random.pick(separators)
      }
      const split = value.split(";").map((pair) => pair.trim())
      const own = split.filter((pair) => pair.startsWith("bunlb="))
      const others = split.filter((pair) => pair !== "" && !pair.startsWith("bunlb="))
      const rest = cut(value)
      expect(find(value)).toBe(own[0]?.slice("bunlb=".length) ?? null)
      expect(rest === "" ? [] : rest.split(";").map((pair) => pair.trim())).toEqual(others)
      expect(rest).toBe(rest.trim())
      expect(find(rest)).toBeNull()
    }
  })
})

describe("Set-Cookie", () => {
  const settings: StickySettings = {
    ...{ cookie: "bunlb", secure: "auto", sameSite: "lax", maxAge: 0, key: null },
  }
  const line = (changes: Partial<StickySettings>, overTls: boolean): string => {
    return Buffer.from(setCookieField({ ...settings, ...changes }, 0xabc, overTls)).toString()
  }

  test("is a session cookie that scripts cannot read", () => {
    expect(line({}, false)).toBe(
      "Set-Cookie: bunlb=000000000abc; Path=/; HttpOnly; SameSite=Lax\r\n",
    )
  })

  test("carries what settings ask for", () => {
    expect(line({ cookie: "s", sameSite: "none", secure: "on", maxAge: 60 }, false)).toBe(
      "Set-Cookie: s=000000000abc; Path=/; HttpOnly; SameSite=None; Secure; Max-Age=60\r\n",
    )
    expect(line({ sameSite: "strict" }, false)).toContain("; SameSite=Strict\r\n")
  })

  test.each([
    ["auto", true, true],
    ["auto", false, false],
    ["on", false, true],
    ["off", true, false],
  ] as const)("secure: %s, client over TLS: %p -> Secure: %p", (secure, overTls, expected) => {
    expect(line({ secure }, overTls).includes("; Secure")).toBe(expected)
  })

  test("is made once for each token and each kind of client", () => {
    const first = setCookieField(settings, 1, false)
    expect(setCookieField(settings, 1, false)).toBe(first)
    expect(setCookieField(settings, 1, true)).not.toBe(first)
    expect(setCookieField(settings, 2, false)).not.toBe(first)
    expect(setCookieField({ ...settings, cookie: "other" }, 1, false)).not.toBe(first)
  })
})
