import { describe, expect, test } from "bun:test"
import { Resolver, askAgainAfter, type LookupAnswer } from "../../../src/net/names/resolver.ts"
import { present } from "../../support/present.ts"

interface Asked {
  readonly host: string
  readonly resolve: (answers: readonly LookupAnswer[]) => void
  readonly reject: (error: Error) => void
}

/** A resolver over a DNS that the test answers by hand. */
function resolverOf(...hosts: readonly string[]) {
  const asked: Asked[] = []
  const log: string[] = []
  const changes: string[] = []
  const clock = { time: 0, now: () => clock.time }
  const lookup = (host: string): Promise<readonly LookupAnswer[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly LookupAnswer[]>()
    asked.push({ host, resolve, reject })
    return promise
  }
  const line = (level: string) => (text: string) => void log.push(`${level} ${text}`)
  const levels = { error: line("error"), warn: line("warn"), info: line("info") }
  const resolver = new Resolver(
    hosts,
    lookup,
    clock,
    { ...levels, debug: line("debug"), debugging: false },
    (host, added, removed) => {
      const ips = (list: readonly { ip: string }[]): string => list.map(({ ip }) => ip).join(",")
      changes.push(`${host} +${ips(added)} -${ips(removed)}`)
    },
  )
  const tick = async (time: number): Promise<void> => {
    clock.time = time
    resolver.tick(time)
    await settled()
  }
  return { resolver, asked, log, changes, clock, tick }
}

function v4(ttl: number, ...addresses: readonly string[]): LookupAnswer[] {
  return addresses.map((address) => ({ address, family: 4, ttl }))
}

function dnsError(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code}`), { code: `DNS_${code}` })
}

/** Lets every promise that is ready run its continuations. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Started, with every name answered by `answers`. */
async function started(answers: readonly LookupAnswer[], ...hosts: readonly string[]) {
  const parts = resolverOf(...hosts)
  const start = parts.resolver.start()
  for (const { resolve } of parts.asked) resolve(answers)
  await start
  return parts
}

describe("the resolver", () => {
  test("literals need no lookup", async () => {
    const { resolver, asked, tick } = resolverOf("127.0.0.1", "::1")
    expect(resolver.addresses("127.0.0.1")).toEqual([{ ip: "127.0.0.1", family: 4 }])
    await resolver.start()
    await tick(100_000)
    expect(resolver.addresses("::1")).toEqual([{ ip: "::1", family: 6 }])
    expect(asked).toEqual([])
  })

  test("start waits for all names; a name used twice is asked once", async () => {
    const { resolver, asked, changes, log } = resolverOf("a", "b", "a")
    const start = resolver.start()
    expect(asked.map(({ host }) => host)).toEqual(["a", "b"])
    present(asked[0]).resolve([
      ...v4(5, "10.0.0.1", "10.0.0.2"),
      { address: "fd00::1", family: 6, ttl: 5 },
    ])
    present(asked[1]).resolve(v4(5, "10.0.1.1", "10.0.1.1"))
    await start
    const ips = resolver.addresses("a").map(({ ip }) => ip)
    expect(ips).toEqual(["10.0.0.1", "10.0.0.2", "fd00::1"])
    expect(resolver.addresses("b")).toEqual([{ ip: "10.0.1.1", family: 4 }])
    expect(changes).toEqual(["a +10.0.0.1,10.0.0.2,fd00::1 -", "b +10.0.1.1 -"])
    expect(log).toEqual([])
  })

  test("a name it was not given, or that has not resolved, has no address", () => {
    const { resolver } = resolverOf("a")
    expect([resolver.addresses("a"), resolver.addresses("b")]).toEqual([[], []])
  })

  test("a name that fails at start costs one warning and is tried every second", async () => {
    const { resolver, asked, log, tick } = resolverOf("a")
    const start = resolver.start()
    present(asked[0]).reject(dnsError("ENOTFOUND"))
    await start
    await tick(999)
    expect(asked.length).toBe(1)
    await tick(1000)
    expect(asked.length).toBe(2)
    present(asked[1]).resolve([])
    await settled()
    await tick(2000)
    present(asked[2]).resolve(v4(60, "10.0.0.1"))
    await settled()
    expect(resolver.addresses("a")[0]?.ip).toBe("10.0.0.1")
    expect(log).toEqual([
      "warn dns: a does not resolve (ENOTFOUND): no address, trying on",
      "info dns: a resolves again: 10.0.0.1",
    ])
  })

  test("a lookup that never answers holds up neither start for long nor another name", async () => {
    const { resolver, asked, log, tick } = resolverOf("dead", "b")
    const start = resolver.start(20)
    present(asked[1]).resolve(v4(1, "10.0.1.1"))
    await start
    expect(log).toEqual(["warn dns: dead does not resolve (no answer yet): no address, trying on"])
    expect(resolver.addresses("b")[0]?.ip).toBe("10.0.1.1")
    await tick(1000)
    expect(asked.map(({ host }) => host)).toEqual(["dead", "b", "b"])
  })

  test("a lookup that never answers is abandoned, and its late answer ignored", async () => {
    const { resolver, asked, tick, log } = await started(v4(30, "10.0.0.1"), "a")
    await tick(30_000)
    await tick(44_999)
    expect(asked.length).toBe(2)
    await tick(45_000)
    await tick(46_000)
    expect(asked.length).toBe(3)
    present(asked[1]).resolve(v4(30, "10.9.9.9"))
    await settled()
    expect(resolver.addresses("a")).toEqual([{ ip: "10.0.0.1", family: 4 }])
    expect(log).toEqual(["warn dns: a does not resolve (no answer): keeping 10.0.0.1, trying on"])
    present(asked[2]).resolve(v4(30, "10.0.0.2"))
    await settled()
    expect(resolver.addresses("a")[0]?.ip).toBe("10.0.0.2")
  })

  test.each([
    [0, 1000],
    [1, 1000],
    [7, 7000],
    [30, 30_000],
    [86_400, 30_000],
  ])("a TTL of %d s means a new lookup after %d ms", async (ttl, after) => {
    const { asked, tick } = await started([...v4(86_400, "10.0.0.2"), ...v4(ttl, "10.0.0.1")], "a")
    await tick(after - 1)
    expect(asked.length).toBe(1)
    await tick(after)
    expect(asked.length).toBe(2)
  })

  test("never two lookups of one name at once", async () => {
    const { asked, tick } = await started(v4(1, "10.0.0.1"), "a")
    for (let time = 1000; time < 10_000; time += 100) await tick(time)
    expect(asked.length).toBe(2)
  })

  test("tells what came and what went, and goes on with the new addresses", async () => {
    const { resolver, asked, changes, log, tick } = await started(
      v4(1, "10.0.0.1", "10.0.0.2"),
      "a",
    )
    await tick(1000)
    present(asked[1]).resolve(v4(1, "10.0.0.3"))
    await settled()
    expect(changes.slice(1)).toEqual(["a +10.0.0.3 -10.0.0.1,10.0.0.2"])
    expect(log).toEqual(["info dns: a is now 10.0.0.3"])
    expect(resolver.addresses("a")[0]?.ip).toBe("10.0.0.3")
  })

  test("the same addresses in another order are no news", async () => {
    const { resolver, asked, changes, log, tick } = await started(
      v4(1, "10.0.0.1", "10.0.0.2"),
      "a",
    )
    const before = resolver.addresses("a")
    await tick(1000)
    present(asked[1]).resolve(v4(1, "10.0.0.2", "10.0.0.1"))
    await settled()
    expect(resolver.addresses("a")).toBe(before)
    expect(changes.length).toBe(1)
    expect(log).toEqual([])
  })

  test("keeps the last good answer while DNS fails; one line when it breaks, one when it works", async () => {
    const { resolver, asked, changes, log, tick } = await started(v4(5, "10.0.0.1"), "a")
    for (let failure = 1; failure <= 3; failure++) {
      await tick(5000 + failure * 1000)
      present(asked[failure]).reject(dnsError("ETIMEOUT"))
      await settled()
      expect(resolver.addresses("a")[0]?.ip).toBe("10.0.0.1")
    }
    await tick(9000)
    present(asked[4]).resolve(v4(5, "10.0.0.1"))
    await settled()
    expect(log).toEqual([
      "warn dns: a does not resolve (ETIMEOUT): keeping 10.0.0.1, trying on",
      "info dns: a resolves again: 10.0.0.1",
    ])
    expect(changes.length).toBe(1)
  })

  test("after stop an answer changes nothing", async () => {
    const { resolver, asked, changes, log, tick } = resolverOf("a")
    const start = resolver.start()
    resolver.stop()
    present(asked[0]).resolve(v4(5, "10.0.0.1"))
    await start
    await tick(60_000)
    expect([asked.length, changes, log.length]).toEqual([1, [], 0])
  })
})

test.each([
  [[undefined as unknown as number], 1_000],
  [[NaN, 20], 1_000],
  [[], 30_000],
  [[-1], 1_000],
])(
  "TTLs of %p, which no server should send, still have the name asked again after %d ms",
  (ttls, ms) => {
    expect(askAgainAfter(ttls)).toBe(ms)
  },
)

test("an answer without a TTL is asked for again", async () => {
  const answers = v4(undefined as unknown as number, "10.0.0.1")
  const { asked, tick } = await started(answers, "a")
  await tick(1_000)
  expect(asked.length).toBe(2)
})
