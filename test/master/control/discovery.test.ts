/** When DNS is asked, and what becomes of its answers, over a DNS that the test answers by hand. */
import { describe, expect, test } from "bun:test"
import type { BackendSettings } from "../../../src/config/schema/settings.ts"
import { Discovery } from "../../../src/master/control/discovery.ts"
import type { SrvRecord } from "../../../src/net/names/name-service.ts"
import type { LookupAnswer } from "../../../src/net/names/resolver.ts"
import { testBackend } from "../settings.ts"

const web = testBackend("dns+http://web:80", { discover: "dns", host: "web", port: 80 })
const service = testBackend("srv+http://_s._tcp.x", { discover: "srv", host: "_s._tcp.x", port: 0 })
const limits = { maxBackends: 4 }

function pooled(backends: readonly BackendSettings[], name = "default") {
  return { pools: [{ name, backends }] }
}

type Answer = readonly LookupAnswer[] | readonly SrvRecord[] | string | Promise<never>

/** DNS says what `zone` holds: a string is an error's code, a promise never ends. */
function discovering(zone: Record<string, Answer>) {
  const asked: string[] = []
  const lines: string[] = []
  const changes: string[] = []
  const clock = { time: 0, now: () => clock.time }
  const answer = async <T>(name: string): Promise<T> => {
    asked.push(name)
    const found = await (zone[name] ?? "ENOTFOUND")
    if (typeof found === "string") throw Object.assign(new Error(found), { code: `DNS_${found}` })
    return found as T
  }
  const line = (level: string) => (text: string) => void lines.push(`${level} ${text}`)
  const levels = { error: line("error"), warn: line("warn"), info: line("info") }
  const parts = {
    names: { addresses: answer, services: answer },
    clock,
    log: { ...levels, debug: line("debug"), debugging: false },
    onChange: (text: string) => void changes.push(text),
  }
  const discovery = new Discovery(parts, limits)
  const names = (...backends: readonly BackendSettings[]): string[] =>
    discovery.expand(backends, "default").map(({ name }) => name)
  const tick = async (time: number): Promise<void> => {
    clock.time = time
    discovery.tick(time)
    await settled()
  }
  return { discovery, asked, lines, changes, clock, names, tick, zone }
}

function v4(ttl: number, ...addresses: readonly string[]): LookupAnswer[] {
  return addresses.map((address) => ({ address, family: 4, ttl }))
}

function record(name: string, port: number, priority = 0, weight = 1, ttl = 3_600): SrvRecord {
  return { name, port, priority, weight, ttl }
}

/** Lets every promise that is ready run its continuations. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const never = new Promise<never>(() => {})

describe("a name", () => {
  test("is asked before `watch` is over, and each address is a backend", async () => {
    const { discovery, names, changes, lines } = discovering({ web: v4(5, "10.0.0.1", "10.0.0.2") })
    await discovery.watch(pooled([web, testBackend("a:80")]), limits)
    expect(names(web, testBackend("a:80"))).toEqual(["10.0.0.1:80", "10.0.0.2:80", "a:80"])
    expect(changes).toEqual([])
    expect(lines).toEqual(["info dns: dns+http://web:80: 2 backends, new 10.0.0.1:80 10.0.0.2:80"])
  })

  test.each([
    [0, 1_000],
    [1, 1_000],
    [7, 7_000],
    [3_600, 30_000],
  ])("with a TTL of %p s is asked again after %p ms, and no sooner", async (ttl, due) => {
    const { discovery, asked, tick } = discovering({ web: v4(ttl, "10.0.0.1") })
    await discovery.watch(pooled([web]), limits)
    await tick(due - 1)
    expect(asked).toHaveLength(1)
    await tick(due)
    expect(asked).toHaveLength(2)
  })

  test("that changes is told once, with who came and who went", async () => {
    const { discovery, zone, names, changes, tick } = discovering({ web: v4(1, "10.0.0.1") })
    await discovery.watch(pooled([web]), limits)
    zone["web"] = v4(1, "10.0.0.3", "10.0.0.2")
    await tick(1_000)
    expect(names(web)).toEqual(["10.0.0.2:80", "10.0.0.3:80"])
    const line = "dns: dns+http://web:80: 2 backends, new 10.0.0.2:80 10.0.0.3:80, gone 10.0.0.1:80"
    expect(changes).toEqual([line])
    zone["web"] = v4(1, "10.0.0.2", "10.0.0.3")
    await tick(2_000)
    expect(changes).toHaveLength(1)
  })

  test.each([
    ["that is there no more", "ENOTFOUND", "empty"],
    ["with no address", [], "empty"],
    ["whose server fails", "ESERVFAIL", "failed"],
    ["whose server is silent", "ETIMEOUT", "failed"],
  ] as const)("%s keeps its last answer: one warning, and a figure", async (_, fault, result) => {
    const { discovery, zone, names, lines, tick } = discovering({ web: v4(1, "10.0.0.1") })
    await discovery.watch(pooled([web]), limits)
    zone["web"] = fault
    for (let second = 1; second <= 3; second++) await tick(second * 1_000)
    expect(names(web)).toEqual(["10.0.0.1:80"])
    const reason = typeof fault === "string" ? fault : "ENODATA"
    expect(lines.slice(1)).toEqual([
      `warn dns: dns+http://web:80 does not resolve (${reason}): keeping 1 backend, trying on`,
    ])
    expect(discovery.list()).toEqual([
      {
        name: "dns+http://web:80",
        members: ["10.0.0.1:80"],
        stale: reason,
        lookups: { ok: 1, empty: 0, failed: 0, [result]: 3 },
      },
    ])
    zone["web"] = v4(1, "10.0.0.1")
    await tick(4_000)
    expect(lines.at(-1)).toBe("info dns: dns+http://web:80: answered again")
    expect(discovery.list()[0]?.stale).toBe("")
  })

  test("that has no answer at the start holds up nobody, and serves when it has one", async () => {
    const { discovery, zone, names, changes, lines, tick } = discovering({ web: never })
    await discovery.watch(pooled([web]), limits, 10)
    expect(names(web)).toEqual([])
    expect(lines).toEqual([
      "warn dns: dns+http://web:80 does not resolve (no answer yet): no backend, trying on",
    ])
    zone["web"] = v4(1, "10.0.0.1")
    await tick(15_000)
    await tick(16_000)
    expect(names(web)).toEqual(["10.0.0.1:80"])
    expect(changes).toHaveLength(1)
  })

  test("that stands for more than the limit has so many, and says so once", async () => {
    const many = [1, 2, 3, 4, 5, 6].map((i) => `10.0.0.${i}`)
    const { discovery, names, lines, tick } = discovering({ web: v4(1, ...many) })
    await discovery.watch(pooled([web]), limits)
    await tick(1_000)
    expect(names(web)).toHaveLength(4)
    expect(lines.filter((line) => line.startsWith("warn"))).toEqual([
      "warn dns: dns+http://web:80: 2 more than dns.max_backends allows are left out",
    ])
  })

  test("keeps its answer over a reload, and is forgotten when nobody wants it", async () => {
    const { discovery, asked, names, tick } = discovering({ web: v4(1, "10.0.0.1") })
    await discovery.watch(pooled([web]), limits)
    await discovery.watch(pooled([{ ...web, weight: 5 }]), limits)
    expect(asked).toHaveLength(1)
    expect(discovery.expand([web], "default")[0]?.weight).toBe(5)
    await discovery.watch(pooled([]), limits)
    await tick(5_000)
    expect(asked).toHaveLength(1)
    expect(names(web)).toEqual([])
  })
})

test("an address stands once, first as it is named", async () => {
  const again = testBackend("dns+http://again:80", { discover: "dns", host: "again", port: 80 })
  const named = testBackend("10.0.0.2:80")
  const { discovery } = discovering({
    web: v4(1, "10.0.0.1", "10.0.0.2"),
    again: v4(1, "10.0.0.1", "10.0.0.3"),
  })
  await discovery.watch(pooled([web, again, named]), limits)
  const all = discovery.expand([web, again, named], "default")
  expect(all.map(({ name, member }) => `${name} ${member?.of ?? "named"}`)).toEqual([
    "10.0.0.1:80 dns+http://web:80",
    "10.0.0.3:80 dns+http://again:80",
    "10.0.0.2:80 named",
  ])
})

test("one that follows serves by what the one before it was told, until DNS answers", async () => {
  const first = discovering({ web: v4(1, "10.0.0.1") })
  await first.discovery.watch(pooled([web]), limits)
  const { discovery, zone, names, lines, tick } = discovering({ web: "ESERVFAIL" })
  const left = JSON.parse(JSON.stringify(first.discovery.handOver())) as []
  discovery.inherit(pooled([web, service]), left)
  expect(names(web)).toEqual(["10.0.0.1:80"])
  await discovery.watch(pooled([web, service]), limits)
  expect(names(web)).toEqual(["10.0.0.1:80"])
  expect(lines[0]).toContain("does not resolve (ESERVFAIL): keeping 1 backend")
  zone["web"] = v4(1, "10.0.0.2")
  await tick(1_000)
  expect(names(web)).toEqual(["10.0.0.2:80"])
})

describe("records", () => {
  const zone = (): Record<string, Answer> => ({
    "_s._tcp.x": [record("one.x", 81), record("two.x", 82, 10, 7)],
    "one.x": v4(5, "10.0.0.1", "10.0.0.11"),
    "two.x": v4(2, "10.0.0.2"),
  })

  test("name targets, whose addresses are looked up and whose TTL counts", async () => {
    const { discovery, asked, names, tick } = discovering(zone())
    await discovery.watch(pooled([service]), limits)
    expect(names(service)).toEqual(["10.0.0.1:81", "10.0.0.2:82", "10.0.0.11:81"])
    expect(discovery.expand([service], "default").map(({ backup }) => backup)).toEqual([
      false,
      true,
      false,
    ])
    await tick(1_999)
    expect(asked).toHaveLength(3)
    await tick(2_000)
    expect(asked).toHaveLength(6)
  })

  test("with a target that cannot be looked up: where it was, or nowhere yet", async () => {
    const { discovery, zone: now, names, tick, lines } = discovering(zone())
    now["two.x"] = "ESERVFAIL"
    await discovery.watch(pooled([service]), limits)
    expect(names(service)).toEqual(["10.0.0.1:81", "10.0.0.11:81"])
    now["two.x"] = v4(1, "10.0.0.2")
    await tick(5_000)
    now["one.x"] = "ESERVFAIL"
    await tick(6_000)
    expect(names(service)).toEqual(["10.0.0.1:81", "10.0.0.2:82", "10.0.0.11:81"])
    expect(lines.filter((line) => line.startsWith("warn"))).toEqual([])
    now["_s._tcp.x"] = [record("two.x", 82)]
    await tick(11_000)
    expect(names(service)).toEqual(["10.0.0.2:82"])
  })

  test("that say there is no such service are an empty answer", async () => {
    const { discovery, zone: now, names, tick } = discovering(zone())
    await discovery.watch(pooled([service]), limits)
    now["_s._tcp.x"] = [record("", 0)]
    await tick(2_000)
    // Nor is there one at port 0.
    now["_s._tcp.x"] = [record("one.x", 0)]
    await tick(4_000)
    expect(names(service)).toHaveLength(3)
    expect(discovery.list()[0]?.lookups).toEqual({ ok: 1, empty: 2, failed: 0 })
  })
})

test("a name in two pools has members in each, and is looked up once for both", async () => {
  const { discovery, asked, lines, tick, zone } = discovering({ web: v4(5, "10.0.0.1") })
  const heavy = { ...web, weight: 7, tls: true }
  await discovery.watch(
    { pools: [...pooled([web]).pools, ...pooled([heavy], "api").pools] },
    limits,
  )
  expect(asked).toEqual(["web"])
  expect(lines).toEqual([
    "info dns: dns+http://web:80: 1 backend, new 10.0.0.1:80",
    "info dns: api/dns+http://web:80: 1 backend, new 10.0.0.1:80",
  ])
  const shown = (pool: string, backend: BackendSettings) =>
    discovery.expand([backend], pool).map(({ name, weight, tls }) => [name, weight, tls])
  expect(shown("default", web)).toEqual([["10.0.0.1:80", 1, false]])
  expect(shown("api", heavy)).toEqual([["10.0.0.1:80", 7, true]])
  expect(discovery.list().map(({ name, members }) => [name, members])).toEqual([
    ["dns+http://web:80", ["10.0.0.1:80"]],
    ["api/dns+http://web:80", ["api/10.0.0.1:80"]],
  ])
  zone["web"] = v4(5, "10.0.0.2")
  await tick(5_000)
  expect(asked).toEqual(["web", "web"])
  expect(shown("api", heavy)).toEqual([["10.0.0.2:80", 7, true]])
  const next = discovering({})
  next.discovery.inherit(pooled([heavy], "api"), discovery.handOver())
  expect(next.discovery.expand([heavy], "api").map(({ name }) => name)).toEqual(["10.0.0.2:80"])
  expect(next.names(web)).toEqual([])
})
