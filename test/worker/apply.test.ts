/** Other settings while a worker serves: what is untouched stays as it was, what is under way ends whole. */
import { describe, expect, test } from "bun:test"
import { heapStats } from "bun:jsc"
import type { BackendSettings } from "../../src/config/schema/settings.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { withPrograms } from "../support/left-out.ts"
import { over, tlsBackend } from "../tls/tls-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

async function named(name: string): Promise<ScriptedBackend> {
  return ScriptedBackend.start(answering(() => name))
}

/** The bodies of `count` answers on one connection. */
async function ask(balancer: TestBalancer, count: number): Promise<string[]> {
  const client = await RawClient.connect(balancer.port)
  const bodies: string[] = []
  for (let i = 0; i < count; i++) bodies.push((await client.exchange(GET)).body.toString())
  await client.close()
  return bodies
}

const counted = (bodies: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(bodies)].sort().map((name) => [name, tally(bodies, name)]))
const tally = (bodies: readonly string[], name: string): number =>
  bodies.filter((body) => body === name).length

describe("backends", () => {
  test("come and go: new ones serve, removed ones do not, the rest keeps pool, figures and health", async () => {
    using a = await named("a")
    using b = await named("b")
    using c = await named("c")
    const balancer = await TestBalancer.start([a.port, b.port])
    expect(counted(await ask(balancer, 8))).toEqual({ a: 4, b: 4 })
    await balancer.apply([b.port, c.port])
    expect(counted(await ask(balancer, 8))).toEqual({ b: 4, c: 4 })
    expect([a.accepted, b.accepted, c.accepted]).toEqual([1, 1, 1])
    expect(balancer.report().backends.map(({ requests }) => requests)).toEqual([4 + 4, 4])
    await until(
      () => a.connections[0]?.ending !== null,
      PATIENCE_MS,
      "the idle connection to close",
    )
    await balancer.apply([a.port])
    expect(counted(await ask(balancer, 3))).toEqual({ a: 3 })
    await balancer.apply([a.port, b.port, c.port])
    expect(counted(await ask(balancer, 9))).toEqual({ a: 3, b: 3, c: 3 })
  })

  test("a hundred changes later there is one backend, and it serves", async () => {
    using a = await named("a")
    using b = await named("b")
    const balancer = await TestBalancer.start([a.port])
    for (let i = 0; i < 100; i++) {
      const [one, name]: [number, string] = i % 2 === 0 ? [b.port, "b"] : [a.port, "a"]
      await balancer.apply([one])
      expect(await ask(balancer, 1)).toEqual([name])
    }
    expect(balancer.report().backends).toHaveLength(1)
  })

  test("a weight changes without a dial", async () => {
    using a = await named("a")
    using b = await named("b")
    const part: SettingsPart = { strategy: "weighted" }
    const balancer = await TestBalancer.start([a.port, b.port], part)
    await ask(balancer, 4)
    await balancer.apply([{ port: a.port, weight: 3 }, b.port], part)
    expect(counted(await ask(balancer, 8))).toEqual({ a: 6, b: 2 })
    expect([a.accepted, b.accepted]).toEqual([1, 1])
  })

  test("an unhealthy one stays so; one that comes anew begins healthy", async () => {
    using good = await named("good")
    const dead = refusedPort()
    const part: SettingsPart = { health: { type: "none", failures: 1, interval: 3_600_000 } }
    const balancer = await TestBalancer.start([good.port, dead], part)
    await ask(balancer, 4)
    const health = () => balancer.report().backends.map(({ healthy }) => healthy)
    expect(health()).toEqual([true, false])
    await balancer.apply([good.port, dead], { ...part, timeouts: { connect: 999 } })
    expect(health()).toEqual([true, false])
    await balancer.apply([good.port], part)
    await balancer.apply([good.port, dead], part)
    expect(health()).toEqual([true, true])
  })

  test("one that leaves ends its request, its tunnel and its upload first", async () => {
    using stays = await named("stays")
    const { promise: reached, resolve } = Promise.withResolvers<BackendConnection>()
    using leaves = await ScriptedBackend.start(async (connection) => {
      const { head } = await connection.receiveRequestHead()
      if (head.includes("Upgrade")) {
        await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await connection.send(await connection.receiveBytes(5))
        await connection.closed()
        await connection.close()
      } else if (head.startsWith("POST")) {
        const body = await connection.receiveBytes(10)
        await connection.send(answer(200, `got ${body}`))
      } else {
        resolve(connection)
      }
    })
    const balancer = await TestBalancer.start([leaves.port])
    const [slow, tunnel, upload] = [
      await RawClient.connect(balancer.port),
      await RawClient.connect(balancer.port),
      await RawClient.connect(balancer.port),
    ]
    void slow.send(GET)
    expect(
      (await tunnel.exchange(`${GET.slice(0, -2)}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`))
        .status,
    ).toBe(101)
    void upload.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
    const far = await reached
    await until(() => leaves.accepted === 3, PATIENCE_MS, "three connections")

    await balancer.apply([stays.port])
    expect(await ask(balancer, 2)).toEqual(["stays", "stays"])
    expect(balancer.report().backends.map(({ draining }) => draining)).toEqual([false, true])
    void upload.send("world")
    expect((await upload.receiveResponse()).body.toString()).toBe("got helloworld")
    void tunnel.send("12345")
    expect((await tunnel.receiveBytes(5)).toString()).toBe("12345")
    await far.send(answer(200, "at last"))
    expect((await slow.receiveResponse()).body.toString()).toBe("at last")
    await tunnel.close()
    await until(() => balancer.report().backends.length === 1, PATIENCE_MS, "the last to leave")
    expect(leaves.connections.every((each) => each.ending !== null)).toBe(true)
    await slow.close()
    await upload.close()
  })

  withPrograms("TLS to backends", "openssl")(
    "another CA makes it another backend: nothing that the old one vouched for is used again",
    async () => {
      using secure = await tlsBackend()
      const balancer = await TestBalancer.start([over(secure)])
      expect(await ask(balancer, 2)).toEqual(["secure", "secure"])
      await balancer.apply([over(secure)])
      expect(await ask(balancer, 1)).toEqual(["secure"])
      expect(secure.handshakes).toHaveLength(1)
      await balancer.apply([over(secure)], { insecure: true })
      expect(await ask(balancer, 1)).toEqual(["secure"])
      expect(secure.handshakes.map(({ resumed }) => resumed)).toEqual([false, false])
      expect(balancer.report().backends.map(({ requests }) => requests)).toEqual([4])

      const fails = balancer.apply([over(secure, { ca: "/no/such.pem" })])
      expect(fails).rejects.toMatchObject({ code: "BUNLB_E_CA_FILE" })
      await fails.catch(() => {})
      expect(await ask(balancer, 1)).toEqual(["secure"])
    },
  )

  test("on duty, lingering, drained and off", async () => {
    using a = await named("a")
    using b = await named("b")
    const part: SettingsPart = { strategy: "sticky" }
    const balancer = await TestBalancer.start([a.port, b.port], part)
    const client = await RawClient.connect(balancer.port)
    const first = await client.exchange(GET)
    expect(first.body.toString()).toBe("a")
    const again = `${GET.slice(0, -2)}Cookie: ${first.field("set-cookie")?.split(";")[0]}\r\n\r\n`
    const mine = async () => (await client.exchange(again)).body.toString()
    const held = async (duty: NonNullable<BackendSettings["duty"]>) =>
      balancer.apply([{ port: a.port, duty }, b.port], part)

    await held("linger")
    expect(await ask(balancer, 4)).toEqual(["b", "b", "b", "b"])
    expect([await mine(), await mine()]).toEqual(["a", "a"])
    await held("drain")
    expect([await mine(), await mine()]).toEqual(["b", "b"])
    await held("off")
    expect(await mine()).toBe("b")
    await balancer.apply([a.port, b.port], part)
    expect([await mine(), await mine()]).toEqual(["a", "a"])
    await client.close()
  })
})

test("another key: old cookies name no backend, and backends keep their connections", async () => {
  using a = await named("a")
  using b = await named("b")
  const keyed = (key: string): SettingsPart => ({ strategy: "sticky", sticky: { key } })
  const balancer = await TestBalancer.start([a.port, b.port], keyed("one-key-of-16-ch"))
  const client = await RawClient.connect(balancer.port)
  const cookieFor = async (cookie: string | null): Promise<string | undefined> => {
    const field = cookie === null ? "" : `Cookie: ${cookie}\r\n`
    const { fields } = await client.exchange(`${GET.slice(0, -2)}${field}\r\n`)
    return fields.find(([name]) => name.toLowerCase() === "set-cookie")?.[1].split(";")[0]
  }
  const old = await cookieFor(null)
  if (old === undefined) throw new Error("a new client gets a cookie")
  expect(await cookieFor(old)).toBeUndefined()
  const dials = balancer.figure("bunlb_dials_total")
  await balancer.apply([a.port, b.port], keyed("another-key-of-16"))
  const fresh = await cookieFor(old)
  expect(fresh).toMatch(/^bunlb=[0-9a-f]{12}$/)
  expect(fresh).not.toBe(old)
  expect(await cookieFor(fresh ?? "")).toBeUndefined()
  expect(balancer.figure("bunlb_dials_total") - dials).toBeLessThanOrEqual(1)
  await client.close()
})

test("a thousand changes leave no object behind", async () => {
  using a = await named("a")
  using b = await named("b")
  const balancer = await TestBalancer.start([a.port])
  const strategies = ["weighted", "sticky", "round_robin", "random"] as const
  const objects = async (changes: number): Promise<number> => {
    for (let i = 0; i < changes; i++) {
      const list = i % 3 === 0 ? [a.port] : [{ port: a.port, weight: 1 + (i % 5) }, b.port]
      await balancer.apply(list, { strategy: strategies[i % 4] ?? "random" })
    }
    await Bun.sleep(20)
    Bun.gc(true)
    return heapStats().objectCount
  }
  const before = await objects(200)
  expect((await objects(1_000)) - before).toBeLessThan(500)
})

describe("settings", () => {
  test("a connection that is open obeys new time limits, the cookie filter and the strategy", async () => {
    using silent = await ScriptedBackend.start(async (connection) => {
      await connection.send(answer(200, (await connection.receiveRequest()).field("cookie") ?? "-"))
      await connection.receiveRequest()
    })
    const balancer = await TestBalancer.start([silent.port])
    const client = await RawClient.connect(balancer.port)
    const cookie = `${GET.slice(0, -2)}Cookie: bunlb=0123456789ab\r\n\r\n`
    const part: SettingsPart = { strategy: "sticky", timeouts: { responseHead: 100 } }
    await balancer.apply([silent.port], part)
    const answered = await client.exchange(cookie)
    expect([answered.body.toString(), answered.field("set-cookie") !== null]).toEqual(["-", true])
    expect((await client.exchange(GET)).status).toBe(504)
    await client.close()
  })

  test("a head accepted under wider limits is still read when they have become narrow", async () => {
    const { promise: reached, resolve } = Promise.withResolvers<BackendConnection>()
    using first = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      resolve(connection)
    })
    using second = await named("second")
    const balancer = await TestBalancer.start([first.port, second.port])
    const client = await RawClient.connect(balancer.port)
    const many = Array.from({ length: 20 }, (_, at) => `X-${at}: ${at}\r\n`).join("")
    const request = `GET / HTTP/1.1\r\nHost: x\r\n${many}\r\n`
    void client.send(request)
    const far = await reached
    await balancer.apply([first.port, second.port], { limits: { headBytes: 1024, fields: 4 } })
    expect(await ask(balancer, 1)).toEqual(["second"])
    far.reset()
    expect((await client.receiveResponse()).body.toString()).toBe("second")
    expect(second.requests[1]?.field("x-19")).toBe("19")
    expect((await client.exchange(request)).status).toBe(431)
    await client.close()
  })

  test("probes begin and end", async () => {
    using a = await named("a")
    const balancer = await TestBalancer.start([a.port])
    await balancer.apply([a.port], { health: { type: "http", interval: 50 } })
    await until(() => a.requests.length > 2, PATIENCE_MS, "probes")
    await balancer.apply([{ port: a.port, duty: "off" }], {
      health: { type: "http", interval: 50 },
    })
    const before = a.requests.length
    await Bun.sleep(200)
    expect(a.requests.length - before).toBeLessThanOrEqual(1)
  })
})
