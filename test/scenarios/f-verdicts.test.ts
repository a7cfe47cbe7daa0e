/** Scenarios 36 and 37: what probes say of a backend, and what requests say of it, under traffic. */
import { describe, expect } from "bun:test"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { sideBySide } from "../support/side-by-side.ts"

const test = sideBySide()

const health = { type: "http", path: "/healthz", interval: 100, timeout: 1000 } as const

/** Answers its name; what its health page says, and what becomes of other requests, is the test's. */
interface App {
  status: number
  /** Requests for other pages are cut, before a response or within it. */
  cuts: boolean | "within"
}

function app(name: string, state: App): ConnectionHandler {
  return async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      if (target === "/healthz") await connection.send(answer(state.status, ""))
      else if (state.cuts === "within") {
        await connection.send("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf")
        return connection.reset()
      } else if (state.cuts || target === "/crash") return connection.reset()
      else if (target === "/wrong")
        await connection.send("HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n")
      else await connection.send(answer(200, name))
    }
  }
}

/** Apps a, b, c... */
async function apps(count: number, port?: number) {
  const states = Array.from({ length: count }, (): App => ({ status: 200, cuts: false }))
  const backends = await Promise.all(
    states.map((state, at) =>
      ScriptedBackend.start(app("abcdef"[at] ?? "x", state), port === undefined ? {} : { port }),
    ),
  )
  const at = <Item>(items: readonly Item[], index: number): Item => {
    const item = items[index]
    if (item === undefined) throw new RangeError(`no app ${index}`)
    return item
  }
  return {
    state: (index: number) => at(states, index),
    backend: (index: number) => at(backends, index),
    states,
    backends,
    ports: backends.map((backend) => backend.port),
    [Symbol.dispose]: () => backends.forEach((backend) => backend.stop()),
  }
}

async function ask(port: number, target = "/", method = "GET", from = "127.0.0.1") {
  const client = await RawClient.connect(port, "127.0.0.1", { from })
  const length = method === "POST" ? "Content-Length: 0\r\n" : ""
  const request = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${length}\r\n`
  const { status, body } = await client.exchange(request)
  await client.close()
  return { status, body: body.toString() }
}

async function names(port: number, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const { status, body } = await ask(port)
    const name = status === 200 ? body : String(status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** Requests one after the other until `stop` is called. */
function traffic(port: number) {
  let on = true
  const answers: number[] = []
  const work = (async () => {
    while (on) answers.push((await ask(port)).status)
  })()
  return {
    answers,
    stop: async () => {
      on = false
      await work
    },
  }
}

const start = (ports: readonly number[], part: SettingsPart = {}): Promise<TestBalancer> =>
  TestBalancer.start(ports, { ...part, health: { ...health, ...part.health } })

test("36: a health page that fails takes the backend out under traffic, until it is well", async () => {
  using pool = await apps(2)
  const balancer = await start(pool.ports)
  const load = traffic(balancer.port)
  await until(() => load.answers.length > 20, PATIENCE_MS, "traffic")
  pool.state(0).status = 503
  await until(() => balancer.changes.length === 1, PATIENCE_MS, "the page to be seen")
  const asked = pool.backend(0).requests.filter(({ target }) => target === "/").length
  const before = load.answers.length
  await until(() => load.answers.length > before + 50, PATIENCE_MS, "more traffic")
  const later = pool.backend(0).requests.filter(({ target }) => target === "/").length
  expect(later - asked).toBeLessThanOrEqual(1)
  pool.state(0).status = 200
  await until(() => balancer.changes.length === 2, PATIENCE_MS, "its return")
  await load.stop()
  expect(balancer.changes.map(({ against, reason }) => [against, reason])).toEqual([
    ["page", "3 probes failed, last: status 503"],
    [null, "2 probes succeeded"],
  ])
  expect(load.answers.every((status) => status === 200)).toBe(true)
})

test.each([404, 302, 401])(
  "36: four backends whose page answers %d share evenly",
  async (status) => {
    using pool = await apps(4)
    for (const state of pool.states) state.status = status
    const balancer = await start(pool.ports)
    await until(() => balancer.changes.length === 4, PATIENCE_MS, "all to be out")
    expect(await names(balancer.port, 80)).toEqual({ a: 20, b: 20, c: 20, d: 20 })
    expect(balancer.changes.length).toBe(4)
    expect(balancer.figure("bunlb_panic_picks_total")).toBe(80)
  },
)

test("36: the only backend with a good page dies, and the other one answers in the same request", async () => {
  using pool = await apps(2)
  pool.state(1).status = 404
  const balancer = await start(pool.ports, { health: { interval: 100, failures: 3 } })
  await until(() => balancer.changes.length === 1, PATIENCE_MS, "the page to be seen")
  expect(await names(balancer.port, 4)).toEqual({ a: 4 })
  pool.backend(0).stop()
  const answers: number[] = []
  for (let i = 0; i < 12; i++) {
    answers.push((await ask(balancer.port, "/", i % 2 === 0 ? "GET" : "POST")).status)
  }
  expect(answers).toEqual(Array<number>(12).fill(200))
})

test.each([
  ["cut", true],
  ["cut within its response", "within"],
] as const)(
  "36: the page is well and every request is %s: out, and not back by probes",
  async (_what, cuts) => {
    using pool = await apps(2)
    pool.state(0).cuts = cuts
    const balancer = await start(pool.ports)
    const failed: number[] = []
    for (let i = 0; i < 24; i++) {
      // A probe comes between two failures.
      const probes = balancer.figure("bunlb_probes_total", String(pool.ports[0]))
      const asked = ask(balancer.port, `/${i}`, "POST", `127.0.0.${1 + (i % 5)}`)
      const status = await asked.then(
        (answered) => answered.status,
        () => 0,
      )
      if (status !== 200) failed.push(i)
      if (i > 12) continue
      await until(
        () => balancer.figure("bunlb_probes_total", String(pool.ports[0])) > probes,
        PATIENCE_MS,
        "a probe",
      )
    }
    expect(failed.length).toBe(3)
    expect(balancer.changes.map(({ against }) => against)).toEqual(["requests"])
  },
)

describe("36: requests of one client, or for one page,", () => {
  const bad = ["/crash", "/wrong"] as const

  test.each(bad)("for %s take no backend out, whatever is to be done without any", async (page) => {
    using pool = await apps(2)
    for (const whenAllUnhealthy of ["try", "fail"] as const) {
      const balancer = await start(pool.ports, { whenAllUnhealthy })
      await Promise.all(Array.from({ length: 8 }, () => ask(balancer.port, page)))
      for (let i = 0; i < 8; i++) await ask(balancer.port, page, "GET", `127.0.0.${1 + i}`)
      expect(await names(balancer.port, 8)).toEqual({ a: 4, b: 4 })
      expect(balancer.changes).toEqual([])
    }
  })

  test("take none out even for two pages, and those of several clients for several pages do", async () => {
    using pool = await apps(1)
    const balancer = await start(pool.ports)
    for (let i = 0; i < 8; i++) await ask(balancer.port, bad[i % 2], "POST")
    expect(balancer.changes).toEqual([])
    await ask(balancer.port, "/")
    // The first one may meet a pooled connection, whose end says nothing.
    for (let i = 0; i < 4; i++) await ask(balancer.port, bad[i % 2], "POST", `127.0.0.${2 + i}`)
    expect(balancer.changes.map(({ against }) => against)).toEqual(["requests"])
  })

  test("that fail on one backend alone go to the other, and nobody else's do", async () => {
    using pool = await apps(2)
    pool.state(0).cuts = true
    const balancer = await start(pool.ports)
    const answers: number[] = []
    for (let i = 0; i < 20; i++) answers.push((await ask(balancer.port, "/x", "POST")).status)
    expect(answers.filter((status) => status !== 200).length).toBe(3)
    pool.state(0).cuts = false
    expect(balancer.changes).toEqual([])
    const other = await Promise.all(
      Array.from({ length: 10 }, () => ask(balancer.port, "/x", "POST", "127.0.0.9")),
    )
    expect(other.filter(({ body }) => body === "a").length).toBe(5)
    expect(balancer.lines.join("\n")).toContain(
      "requests of one client and one path go to other backends: 3 requests failed, last: ",
    )
  })

  test("move no session of a sticky client", async () => {
    using pool = await apps(2)
    const balancer = await start(pool.ports, { strategy: "sticky" })
    const client = await RawClient.connect(balancer.port)
    const get = (target: string, cookie: string) =>
      client.exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`)
    const [cookie = ""] = (await get("/", "a=b")).field("set-cookie")?.split(";") ?? []
    for (let i = 0; i < 4; i++) expect((await get("/crash", cookie)).status).toBe(502)
    const { status, field } = await get("/", cookie)
    expect([status, field("set-cookie")]).toEqual([200, null])
    await client.close()
  })
})

test("36: a sticky client whose request is lost keeps its session while its backend serves others", async () => {
  using pool = await apps(2)
  const balancer = await start(pool.ports, { strategy: "sticky", health: { interval: 3_600_000 } })
  const get = async (cookie: string, target: string, from: string) => {
    const client = await RawClient.connect(balancer.port, "127.0.0.1", { from })
    const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`
    const { status, body, field } = await client.exchange(request)
    await client.close()
    return { status, body: body.toString(), cookie: field("set-cookie")?.split(";")[0] ?? null }
  }
  const { body: name, cookie } = await get("a=b", "/", "127.0.0.1")
  if (cookie === null) throw new Error("no cookie")
  const own = pool.state(name === "a" ? 0 : 1)
  const other = name === "a" ? "b" : "a"
  own.cuts = true
  for (let i = 0; i < 2; i++) {
    const moved = await get(cookie, "/x", "127.0.0.1")
    expect(moved).toEqual({ status: 200, body: other, cookie: null })
  }
  own.cuts = false
  expect(await get(cookie, "/", "127.0.0.1")).toEqual({ status: 200, body: name, cookie: null })
  // It fails for everybody: now the session moves.
  own.cuts = true
  for (let i = 0; i < 5; i++) await get(cookie, `/${i}`, `127.0.0.${2 + i}`)
  expect(balancer.changes.length).toBe(1)
  const moved = await get(cookie, "/", "127.0.0.1")
  expect([moved.status, moved.body, moved.cookie === null]).toEqual([200, other, false])
})

test("36: a sticky client for whom every page fails is answered elsewhere, and its session stays", async () => {
  using pool = await apps(2)
  const balancer = await start(pool.ports, { strategy: "sticky" })
  const client = await RawClient.connect(balancer.port)
  const send = async (target: string, cookie: string, method = "POST") => {
    const { status, body, field } = await client.exchange(
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Length: 0\r\n\r\n`,
    )
    return { status, body: body.toString(), cookie: field("set-cookie")?.split(";")[0] ?? null }
  }
  const { body: name, cookie } = await send("/", "a=b")
  if (cookie === null) throw new Error("no cookie")
  pool.state(name === "a" ? 0 : 1).cuts = true
  // The first one is lost with the pooled connection, which proves nothing.
  for (let i = 0; i < 4; i++) expect((await send(`/${i}`, cookie)).status).toBe(502)
  const other = { status: 200, body: name === "a" ? "b" : "a", cookie: null }
  for (let i = 0; i < 3; i++) expect(await send(`/${i}`, cookie)).toEqual(other)
  // Nobody else's session moves, and nothing is out.
  expect(balancer.changes).toEqual([])
  await client.close()
})

test("36: answers to requests sent before the breaker opened do not close it", async () => {
  const held: (() => void)[] = []
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await new Promise<void>((resolve) => held.push(resolve))
    await connection.send(answer(200, "late"))
  })
  const balancer = await TestBalancer.start([backend.port], {
    health: { type: "none", interval: 3_600_000, failures: 3, successes: 2 },
  })
  const waiting = Array.from({ length: 4 }, () => ask(balancer.port))
  await until(() => held.length === 4, PATIENCE_MS, "the requests to be there")
  backend.refuse()
  for (let i = 0; i < 3; i++) await ask(balancer.port)
  expect(balancer.changes.length).toBe(1)
  for (const release of held) release()
  for (const { status } of await Promise.all(waiting)) expect(status).toBe(200)
  expect(balancer.changes.length).toBe(1)
})

test("37: after all were down the first one back does not keep everything until probes see the others", async () => {
  using pool = await apps(4)
  // Probes come too seldom to help.
  const part: SettingsPart = { health: { interval: 3_600_000, failures: 3, successes: 2 } }
  const balancer = await start(pool.ports, part)
  await names(balancer.port, 8)
  for (const backend of pool.backends) backend.stop()
  while (balancer.changes.length < 4)
    expect((await ask(balancer.port)).status).toBeOneOf([502, 503])
  const load = traffic(balancer.port)
  const back: ScriptedBackend[] = []
  for (const [at, port] of pool.ports.entries()) {
    const state = { status: 200, cuts: false }
    back.push(await ScriptedBackend.start(app("abcd"[at] ?? "", state), { port }))
    await Bun.sleep(50)
  }
  try {
    await until(
      () => balancer.changes.filter(({ healthy }) => healthy).length === 4,
      PATIENCE_MS,
      "all to be back",
    )
    await load.stop()
    expect(await names(balancer.port, 40)).toEqual({ a: 10, b: 10, c: 10, d: 10 })
    expect(balancer.changes.at(-1)?.reason).toBe("2 requests answered")
  } finally {
    await load.stop()
    for (const backend of back) backend.stop()
  }
})
