/** The order in which dials try the addresses of a backend, over a resolver that the test fills. */
import { describe, expect, test } from "bun:test"
import {
  AddressBook,
  PROBE_AGAIN_MS,
  SLOW_MS,
  SUSPECT_MS,
  nextInWalk,
} from "../../../src/net/names/address-book.ts"
import type { Resolver } from "../../../src/net/names/resolver.ts"

/** A book whose name stands for `ips`, and which begins with the first of them. */
function bookOf(...ips: readonly string[]) {
  const answer = (list: readonly string[]) => list.map((ip) => ({ ip, family: 4 as const }))
  let addresses = answer(ips)
  const resolver = { addresses: () => addresses } as unknown as Resolver
  const last = (ips.length - 1) / 0x1_0000
  const book = new AddressBook(resolver, () => last)
  const request = (now = 0) => book.forRequest("a", now)
  const order = (now = 0): string =>
    request(now)
      .map(({ ip }) => ip)
      .join("")
  const probe = (now = 0): string =>
    book
      .forProbe("a", now)
      .map(({ ip }) => ip)
      .join("")
  const become = (...fresh: readonly string[]): void => void (addresses = answer(fresh))
  const named = (ip: string, now = 0) => {
    const found = book.forProbe("a", now).find((target) => target.ip === ip)
    if (found === undefined) throw new Error(`no ${ip}`)
    return found
  }
  const fail = (ip: string, now: number): void => {
    named(ip).began(now)
    named(ip).failed(now)
  }
  return { book, request, order, probe, become, named, fail }
}

test("each request has a whole list of its own, and addresses take turns at being the first", () => {
  const { request, order } = bookOf("a", "b", "c")
  const one = request()
  expect(order()).toBe("bca")
  expect(one.map(({ ip }) => ip).join("")).toBe("abc")
  expect([order(), order()]).toEqual(["cab", "abc"])
})

test("a probe takes nobody's turn", () => {
  const { order, probe } = bookOf("a", "b")
  expect([order(), probe(), probe(), order(), probe(), order()]).toEqual([
    ...["ab", "ab", "ab", "ba", "ba"],
    "ab",
  ])
})

test("a single address, and none, cost no allocation", () => {
  const { request, become } = bookOf("a")
  expect(request()).toBe(request())
  become()
  expect(request()).toEqual([])
  expect(request()).toBe(request())
})

test("the first address is chosen at random", () => {
  const resolver = { addresses: () => addresses } as unknown as Resolver
  const addresses = ["a", "b", "c", "d"].map((ip) => ({ ip, family: 4 as const }))
  const firsts = new Set<string | undefined>()
  for (let i = 0; i < 400; i++) firsts.add(new AddressBook(resolver).forRequest("x", 0)[0]?.ip)
  expect(firsts.size).toBe(4)
})

describe("an address that failed", () => {
  test("comes last for a while, whoever's turn it is, and then one request tries it again", () => {
    const { order, fail, named } = bookOf("a", "b", "c")
    fail("a", 1000)
    expect([order(1000), order(1000), order(1000 + SUSPECT_MS - 1)]).toEqual(["bca", "bca", "cba"])
    expect(order(1000 + SUSPECT_MS)).toBe("abc")
    named("a").began(1000 + SUSPECT_MS)
    expect([order(1000 + SUSPECT_MS + 1), order(1000 + SUSPECT_MS + 2)]).toEqual(["bca", "cba"])
    expect(order(1000 + SUSPECT_MS + 3)).toBe("bca")
    named("a").reached(1000 + SUSPECT_MS + 4)
    expect([order(1000 + SUSPECT_MS + 4), order(1000 + SUSPECT_MS + 4)]).toEqual(["bca", "cab"])
    expect(order(1000 + SUSPECT_MS + 4)).toBe("abc")
  })

  test("is tried again by a probe before any request does, and one at a time", () => {
    const { order, probe, fail, named } = bookOf("a", "b", "c")
    expect(order(0)).toBe("abc")
    fail("b", 0)
    fail("c", 0)
    expect(probe(PROBE_AGAIN_MS - 1)).toBe("abc")
    expect(probe(PROBE_AGAIN_MS)).toBe("bac")
    named("b").began(PROBE_AGAIN_MS)
    expect(probe(PROBE_AGAIN_MS)).toBe("cab")
    named("b").failed(PROBE_AGAIN_MS + 1)
    expect(order(SUSPECT_MS + 1)).toBe("cab")
  })

  test("that answers is like the others at once", () => {
    const { order, fail, named } = bookOf("a", "b")
    fail("a", 0)
    named("a").began(5)
    named("a").reached(6)
    expect([order(7), order(7)]).toEqual(["ab", "ba"])
  })

  test("is still tried, when all have failed", () => {
    const { order, fail } = bookOf("a", "b")
    fail("a", 0)
    fail("b", 0)
    expect([order(1), order(1)]).toEqual(["ab", "ba"])
  })

  test("is remembered across answers of DNS that still hold it", () => {
    const { order, fail, become } = bookOf("a", "b")
    fail("a", 0)
    become("c", "a")
    expect([order(1), order(1)]).toEqual(["ca", "ca"])
    become("c")
    expect(order(1)).toBe("c")
    become("c", "a")
    expect([order(2), order(2)].toSorted()).toEqual(["ac", "ca"])
  })
})

describe("an address that swallows every dial", () => {
  test("is avoided while a dial to it has been waiting for a while", () => {
    const { order, named } = bookOf("a", "b")
    named("a").began(0)
    named("a").began(5)
    expect(order(SLOW_MS - 1)).toBe("ab")
    expect([order(SLOW_MS), order(SLOW_MS)]).toEqual(["ba", "ba"])
    named("a").reached(SLOW_MS + 1)
    expect([order(SLOW_MS + 1), order(SLOW_MS + 1)]).toEqual(["ba", "ab"])
  })

  test("is avoided by walks that had begun before it was known", () => {
    const { request, named } = bookOf("a", "b", "c", "d")
    const walk = request(0)
    for (const ip of ["a", "b", "c"]) named(ip).began(0)
    const next = (position: number): string | undefined => nextInWalk(walk, position, SLOW_MS)?.ip
    expect([next(1), next(2), next(3), next(4)]).toEqual(["d", "b", "c", undefined])
    expect(walk.map(({ ip }) => ip).join("")).toBe("adbc")
  })

  test("stays suspect when the client gives up before the dial has ended", () => {
    const { order, named } = bookOf("a", "b")
    named("a").began(0)
    named("a").abandoned(SLOW_MS, 0)
    expect([order(SLOW_MS), order(SLOW_MS)]).toEqual(["ba", "ba"])
  })

  test("is not blamed for a client that gave up at once", () => {
    const { order, named } = bookOf("a", "b")
    named("a").began(0)
    named("a").abandoned(SLOW_MS - 1, 0)
    expect([order(SLOW_MS), order(SLOW_MS)]).toEqual(["ab", "ba"])
  })
})
