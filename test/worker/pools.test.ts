/**
 * Several pools in one worker: each listener's requests go to its pool, each pool has its own rules and its own
 * verdicts, and a change of one leaves the others alone.
 */
import { describe, expect, test } from "bun:test"
import { defaultSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import type { ListenerSettings, PoolSettings } from "../../src/config/schema/settings.ts"
import { AccessLogFile } from "../support/access-log.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { present } from "../support/present.ts"
import { RawClient, type RawResponse } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import {
  type BackendConnection,
  ScriptedBackend,
  answer,
  answering,
} from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const defaults = withDefaults(defaultSettings({ platform: "linux", cpus: 2 }))
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const UPGRADE = `${GET.slice(0, -2)}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`

function poolOf(name: string, ports: readonly number[], part: Partial<PoolSettings> = {}) {
  const pool = present(defaults.pools[0])
  const backends = ports.map((port) => ({
    ...{ name: `127.0.0.1:${port}`, host: "127.0.0.1", port },
    ...{ tls: false, weight: 1, backup: false, ca: null },
  }))
  return { ...pool, health: { ...pool.health, type: "none" as const }, name, backends, ...part }
}

function listenerOf(name: string, pool = name): ListenerSettings {
  return { ...present(defaults.listeners[0]), host: "127.0.0.1", port: 0, name, pool }
}

/** One listener for each pool, of its name, unless others are given. */
function partOf(
  pools: readonly PoolSettings[],
  listeners = pools.map(({ name }) => listenerOf(name)),
): SettingsPart {
  return { pools, listeners }
}

async function start(...pools: readonly PoolSettings[]): Promise<TestBalancer> {
  return TestBalancer.start([], partOf(pools))
}

async function named(name: string): Promise<ScriptedBackend> {
  return ScriptedBackend.start(answering(() => name))
}

async function ask(port: number, request = GET): Promise<RawResponse> {
  const client = await RawClient.connect(port)
  const response = await client.exchange(request)
  await client.close()
  return response
}

async function bodies(port: number, count: number): Promise<string[]> {
  const all: string[] = []
  for (let i = 0; i < count; i++) all.push((await ask(port)).body.toString())
  return all
}

/** Requests that a backend has answered, by its label. */
function requestsOf(balancer: TestBalancer): Record<string, number> {
  return Object.fromEntries(
    balancer.report().backends.map(({ name, requests }) => [name, requests]),
  )
}

describe("each pool", () => {
  test("serves the listeners that name it, and no others", async () => {
    using a = await named("a")
    using b = await named("b")
    using c = await named("c")
    const pools = [poolOf("one", [a.port, b.port]), poolOf("two", [c.port])]
    const names = [listenerOf("x", "one"), listenerOf("y", "two"), listenerOf("z", "one")]
    const balancer = await TestBalancer.start([], partOf(pools, names))
    expect(await bodies(balancer.portOf("x"), 4)).toEqual(["a", "b", "a", "b"])
    expect(await bodies(balancer.portOf("y"), 2)).toEqual(["c", "c"])
    expect(await bodies(balancer.portOf("z"), 2)).toEqual(["a", "b"])
  })

  test("has its own strategy, Host field, cookie and keep of connections", async () => {
    const hosts = (connection: BackendConnection) =>
      answering(({ head }) => /^host: (.*)$/im.exec(head)?.[1] ?? "")(connection)
    using backend = await ScriptedBackend.start(hosts)
    const sticky = present(defaults.pools[0]).sticky
    const one = poolOf("one", [backend.port], {
      ...{ hostHeader: "one.test", strategy: "sticky", sticky: { ...sticky, cookie: "bunlb_one" } },
      connections: { idle: 0, maxAge: 1000 },
    })
    const two = poolOf("two", [backend.port], { hostHeader: "two.test" })
    const balancer = await start(one, two)
    const cookie = `${GET.slice(0, -2)}Cookie: bunlb_one=0123456789ab; other=1\r\n\r\n`
    const answers = await Promise.all([
      ask(balancer.portOf("one"), cookie),
      ask(balancer.portOf("two"), cookie),
    ])
    expect(answers.map(({ body }) => body.toString())).toEqual(["one.test", "two.test"])
    expect(answers.map((each) => each.field("set-cookie")?.split("=")[0] ?? null)).toEqual([
      "bunlb_one",
      null,
    ])
    const idle = balancer.report().backends.map((each) => [each.pool, each.idle])
    expect(idle).toEqual([
      ["one", 0],
      ["two", 1],
    ])
  })

  test("has its own time limits", async () => {
    using silent = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.closed()
    })
    const { timeouts } = present(defaults.pools[0])
    const quick = poolOf("quick", [silent.port], { timeouts: { ...timeouts, responseHead: 100 } })
    const balancer = await start(poolOf("slow", [silent.port]), quick)
    const slow = await RawClient.connect(balancer.portOf("slow"))
    void slow.send(GET)
    expect((await ask(balancer.portOf("quick"))).status).toBe(504)
    await slow.close()
  })

  /** One address in two pools is two backends: caddy#7870. */
  test("has its own verdict on an address that another pool has too, and its own figures", async () => {
    using good = await named("good")
    const dead = refusedPort()
    const { health } = present(defaults.pools[0])
    const never = { ...health, type: "none", failures: 1, interval: 3_600_000 } as const
    const patient = { ...never, failures: 1000 }
    const one = poolOf("one", [good.port, dead], { health: never })
    const two = poolOf("two", [good.port, dead], { health: patient })
    const balancer = await start(one, two)
    expect(await bodies(balancer.portOf("one"), 4)).toEqual(Array(4).fill("good"))
    expect(await bodies(balancer.portOf("two"), 4)).toEqual(Array(4).fill("good"))
    const rows = balancer.report().backends.map(({ name, healthy }) => [name, healthy])
    expect(Object.fromEntries(rows)).toEqual({
      [`one/127.0.0.1:${good.port}`]: true,
      [`one/127.0.0.1:${dead}`]: false,
      [`two/127.0.0.1:${good.port}`]: true,
      [`two/127.0.0.1:${dead}`]: true,
    })
    expect(balancer.changes.map(({ backend, healthy }) => [backend, healthy])).toEqual([
      [`one/127.0.0.1:${dead}`, false],
    ])
    expect(requestsOf(balancer)).toMatchObject({
      [`one/127.0.0.1:${good.port}`]: 4,
      [`two/127.0.0.1:${good.port}`]: 4,
    })
    expect(balancer.figure("bunlb_requests_total", `backend="one/`)).toBe(4)
  })

  test("has its own retry budget and number of retries", async () => {
    using cuts = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.reset()
    })
    using good = await named("good")
    const { retries } = present(defaults.pools[0])
    const balancer = await start(
      poolOf("one", [cuts.port, good.port], { retries: { ...retries, max: 0 } }),
      poolOf("two", [cuts.port, good.port]),
    )
    expect((await ask(balancer.portOf("one"))).status).toBe(502)
    expect((await ask(balancer.portOf("two"))).body.toString()).toBe("good")
  })
})

test("the access log and the log of a worker name a backend with its pool", async () => {
  using a = await named("a")
  using file = new AccessLogFile()
  const accessLog = { ...defaults.accessLog, format: "json", path: file.path } as const
  const part = partOf([poolOf("one", [a.port]), poolOf("default", [a.port])])
  const balancer = await TestBalancer.start([], { ...part, accessLog })
  for (const name of ["one", "default"]) await ask(balancer.portOf(name))
  const entries = (await file.lines(2)).map((line) => line["backend"])
  expect(entries).toEqual([`one/127.0.0.1:${a.port}`, `127.0.0.1:${a.port}`])
})

describe("a change", () => {
  test("of one pool leaves the other's connections, health and figures", async () => {
    using a = await named("a")
    using b = await named("b")
    using c = await named("c")
    const two = poolOf("two", [b.port])
    const balancer = await start(poolOf("one", [a.port]), two)
    await bodies(balancer.portOf("one"), 2)
    await bodies(balancer.portOf("two"), 2)
    await balancer.apply([], partOf([poolOf("one", [c.port]), two]))
    expect(await bodies(balancer.portOf("one"), 2)).toEqual(["c", "c"])
    expect(await bodies(balancer.portOf("two"), 2)).toEqual(["b", "b"])
    expect([a.accepted, b.accepted, c.accepted]).toEqual([1, 1, 1])
    expect(requestsOf(balancer)).toMatchObject({ [`two/127.0.0.1:${b.port}`]: 4 })
  })

  test("that fails in one pool changes none", async () => {
    using a = await named("a")
    using b = await named("b")
    const balancer = await start(poolOf("one", [a.port]), poolOf("two", [a.port]))
    const secure = poolOf("two", [b.port])
    const [backend] = secure.backends
    const bad = { ...secure, backends: [{ ...present(backend), tls: true, ca: "/no/such.pem" }] }
    const failing = balancer.apply([], partOf([poolOf("one", [b.port]), bad]))
    await expect(failing).rejects.toThrow("/no/such.pem")
    expect(await bodies(balancer.portOf("one"), 1)).toEqual(["a"])
    await balancer.apply([], partOf([poolOf("one", [b.port]), poolOf("two", [b.port])]))
    expect(await bodies(balancer.portOf("one"), 1)).toEqual(["b"])
    expect(await bodies(balancer.portOf("two"), 1)).toEqual(["b"])
  })

  test("that turns a listener to a new pool serves each request by one or the other", async () => {
    using a = await named("a")
    using b = await named("b")
    const [one, two] = [poolOf("one", [a.port]), poolOf("two", [b.port])]
    const balancer = await TestBalancer.start([], partOf([one]))
    const port = balancer.portOf("one")
    const client = await RawClient.connect(port)
    const seen: string[] = []
    for (let round = 0; round < 20; round++) {
      const [pool, list] = round % 2 === 0 ? ["two", [two]] : ["one", [one]]
      const applied = balancer.apply(
        [],
        partOf(list as PoolSettings[], [listenerOf("one", pool as string)]),
      )
      seen.push((await client.exchange(GET)).body.toString())
      await applied
      expect((await client.exchange(GET)).body.toString()).toBe(pool === "two" ? "b" : "a")
    }
    for (const body of seen) expect(["a", "b"]).toContain(body)
    await client.close()
  })
})

/** NTLM binds a connection to a backend to its client. */
test("a client that is bound to a backend of one pool is not served by it in another pool", async () => {
  const bound = async (connection: BackendConnection): Promise<void> => {
    for (;;) {
      await connection.receiveRequest()
      await connection.send(answer(200, "bound", "WWW-Authenticate: NTLM"))
    }
  }
  using a = await ScriptedBackend.start(bound)
  using b = await named("b")
  const [one, two] = [poolOf("one", [a.port]), poolOf("two", [b.port])]
  const balancer = await start(one, two)
  const client = await RawClient.connect(balancer.portOf("one"))
  const authorized = `${GET.slice(0, -2)}Authorization: NTLM x\r\n\r\n`
  expect((await client.exchange(authorized)).body.toString()).toBe("bound")
  await balancer.apply([], partOf([one, two], [listenerOf("one", "two"), listenerOf("two")]))
  expect((await client.exchange(GET)).body.toString()).toBe("b")
  await until(() => a.connections[0]?.ending !== null, PATIENCE_MS, "the bound connection to end")
  expect((await client.exchange(GET)).body.toString()).toBe("b")
  await client.close()
})

describe("a pool that is removed", () => {
  /** Answers a GET when it is let go, and keeps tunnels. */
  async function holding() {
    const released = Promise.withResolvers<void>()
    const backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { head } = await connection.receiveRequestHead()
        if (head.includes("Upgrade")) {
          await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
          await connection.send(await connection.receiveBytes(5))
          await connection.closed()
          return connection.close()
        }
        await released.promise
        await connection.send(answer(200, "late"))
      }
    })
    return { backend, release: () => released.resolve() }
  }

  test("ends its exchanges and its tunnels in their own time, and then it is gone", async () => {
    const { backend, release } = await holding()
    using _ = backend
    using b = await named("b")
    const [one, two] = [poolOf("one", [backend.port]), poolOf("two", [b.port])]
    const balancer = await start(one, two)
    const port = balancer.portOf("one")
    const [slow, tunnel] = [await RawClient.connect(port), await RawClient.connect(port)]
    void slow.send(GET)
    expect((await tunnel.exchange(UPGRADE)).status).toBe(101)
    await until(() => backend.accepted === 2, PATIENCE_MS, "both connections")
    await balancer.apply([], partOf([two], [listenerOf("one", "two"), listenerOf("two")]))
    expect(await bodies(port, 2)).toEqual(["b", "b"])
    const draining = () => balancer.report().backends.filter(({ pool }) => pool === "one")
    expect(draining().map((each) => each.draining)).toEqual([true])
    void tunnel.send("hello")
    expect((await tunnel.receiveBytes(5)).toString()).toBe("hello")
    release()
    expect((await slow.receiveResponse()).body.toString()).toBe("late")
    expect((await slow.exchange(GET)).body.toString()).toBe("b")
    await Promise.all([slow.close(), tunnel.close()])
    await until(() => draining().length === 0, PATIENCE_MS, "the last of the pool to go")
    expect(balancer.figure("bunlb_requests_total", `backend="one/`)).toBe(2)
  })

  test("and comes back while it drains goes on with its connections and figures", async () => {
    const { backend, release } = await holding()
    using _ = backend
    using b = await named("b")
    const [one, two] = [poolOf("one", [backend.port]), poolOf("two", [b.port])]
    const balancer = await start(one, two)
    const port = balancer.portOf("one")
    const slow = await RawClient.connect(port)
    void slow.send(GET)
    await until(() => backend.accepted === 1, PATIENCE_MS, "the request")
    await balancer.apply([], partOf([two], [listenerOf("one", "two"), listenerOf("two")]))
    await balancer.apply([], partOf([one, two]))
    release()
    expect((await slow.receiveResponse()).body.toString()).toBe("late")
    expect(await bodies(port, 1)).toEqual(["late"])
    const label = `one/127.0.0.1:${backend.port}`
    await until(() => requestsOf(balancer)[label] === 2, PATIENCE_MS, "one row with both")
    expect(balancer.report().backends.map(({ draining }) => draining)).toEqual([false, false])
    await slow.close()
  })
})
