/** Which backend gets a request, seen from the client: the answer names its backend. */
import { describe, expect, test } from "bun:test"
import { TestBalancer, type BackendPart, type SettingsPart } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { refusedPort } from "../support/refused-port.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/** Backends "a", "b", ... and a balancer in front of them; `part` says more of each. */
async function balance(
  count: number,
  settings: SettingsPart,
  part: (index: number) => Partial<BackendPart & object> = () => ({}),
) {
  const stack = new DisposableStack()
  const parts: BackendPart[] = []
  for (let i = 0; i < count; i++) {
    const name = String.fromCharCode(97 + i)
    const backend = stack.use(await ScriptedBackend.start(answering(() => name)))
    parts.push({ port: backend.port, ...part(i) })
  }
  const balancer = await TestBalancer.start(parts, settings)
  return { balancer, [Symbol.dispose]: () => stack.dispose() }
}

/** The names of the backends that answered `count` requests of one client. */
async function askedInTurn(balancer: TestBalancer, count: number): Promise<string> {
  const client = await RawClient.connect(balancer.port)
  let names = ""
  for (let i = 0; i < count; i++) names += (await client.exchange(get)).body.toString()
  return names
}

const countsOf = (names: string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test("round robin gives 9 requests to 3 backends as 3, 3 and 3, in rotation", async () => {
  using setup = await balance(3, {})
  const names = await askedInTurn(setup.balancer, 9)
  expect(countsOf(names)).toEqual({ a: 3, b: 3, c: 3 })
  expect(names.slice(3)).toBe(names.slice(0, 6))
})

test("round robin counts requests, not connections: 9 clients of one request each", async () => {
  using setup = await balance(3, {})
  let names = ""
  for (let i = 0; i < 9; i++) names += await askedInTurn(setup.balancer, 1)
  expect(countsOf(names)).toEqual({ a: 3, b: 3, c: 3 })
})

test("weights 5, 1 and 1 give a a b a c a a", async () => {
  const weights = [5, 1, 1]
  using setup = await balance(3, { strategy: "weighted" }, (i) => ({ weight: weights[i] ?? 1 }))
  const names = await askedInTurn(setup.balancer, 14)
  expect(names).toBe("aabacaaaabacaa")
})

test("random reaches every backend and prefers none", async () => {
  using setup = await balance(3, { strategy: "random" })
  const counts = countsOf(await askedInTurn(setup.balancer, 600))
  // Six standard deviations of a fair choice among three: 200 +- 70.
  for (const name of ["a", "b", "c"]) {
    expect(counts[name]).toBeGreaterThan(130)
    expect(counts[name]).toBeLessThan(270)
  }
})

describe("backups", () => {
  test("serve nothing while a primary is healthy", async () => {
    using setup = await balance(3, {}, (i) => ({ backup: i === 2 }))
    expect(countsOf(await askedInTurn(setup.balancer, 6))).toEqual({ a: 3, b: 3 })
  })

  test("take over at once when the only primary refuses, before any breaker", async () => {
    using backend = await ScriptedBackend.start(answering(() => "backup"))
    const primary = refusedPort()
    const balancer = await TestBalancer.start([primary, { port: backend.port, backup: true }])
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < 5; i++) {
      const { status, body } = await client.exchange(get)
      expect([status, body.toString()]).toEqual([200, "backup"])
    }
    expect(balancer.figure("bunlb_failovers_total")).toBe(3)
    expect(balancer.figure("bunlb_backend_up")).toBe(1)
  })
})

describe("with every backend unhealthy", () => {
  const down = { health: { failures: 1 } } as const

  test("`try` asks one all the same and counts it; the answer makes no difference", async () => {
    const port = refusedPort()
    const balancer = await TestBalancer.start([port], down)
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(503)
    expect(balancer.figure("bunlb_backend_up")).toBe(0)
    using backend = await ScriptedBackend.start(
      answering(() => "back"),
      { port },
    )
    expect((await client.exchange(get)).body.toString()).toBe("back")
    expect(backend.accepted).toBe(1)
    expect(balancer.figure("bunlb_panic_picks_total")).toBe(1)
  })

  test("`fail` answers 503 with Retry-After within 10 ms and asks nobody", async () => {
    const port = refusedPort()
    const balancer = await TestBalancer.start([port], { ...down, whenAllUnhealthy: "fail" })
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(502)
    using backend = await ScriptedBackend.start(
      answering(() => "back"),
      { port },
    )
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      const began = performance.now()
      const { status, field } = await client.exchange(get)
      times.push(performance.now() - began)
      expect([status, field("retry-after")]).toEqual([503, "1"])
    }
    expect(Math.min(...times)).toBeLessThan(10)
    expect(backend.accepted).toBe(0)
    expect(balancer.figure("bunlb_panic_picks_total")).toBe(0)
  })

  test("without probes a backend is tried again after `health.successes` intervals", async () => {
    const port = refusedPort()
    const health = { failures: 1, successes: 2, interval: 100 }
    const balancer = await TestBalancer.start([port], { health, whenAllUnhealthy: "fail" })
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(502)
    expect((await client.exchange(get)).status).toBe(503)
    using backend = await ScriptedBackend.start(
      answering(() => "back"),
      { port },
    )
    while ((await client.exchange(get)).status !== 200) await Bun.sleep(10)
    expect(backend.accepted).toBe(1)
    expect(balancer.changes.map(({ healthy }) => healthy)).toEqual([false, true])
  })
})
