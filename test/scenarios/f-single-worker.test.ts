/** Scenarios 36, 37 and 40, as far as one worker can show them: sick backends under load, and facts of sockets. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { blackhole } from "../support/blackhole.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

interface Answer {
  readonly status: number
  readonly body: string
  readonly ms: number
}

/** `clients` clients send `each` requests one after the other, all at the same time. */
async function load(port: number, clients: number, each: number): Promise<Answer[]> {
  const answers: Answer[] = []
  const work = Array.from({ length: clients }, async () => {
    let client = await RawClient.connect(port)
    for (let i = 0; i < each; i++) {
      const began = performance.now()
      const { status, body, field } = await client.exchange(get)
      answers.push({ status, body: body.toString(), ms: performance.now() - began })
      if (field("connection") !== "close") continue
      await client.close()
      client = await RawClient.connect(port)
    }
    await client.close()
  })
  await Promise.all(work)
  return answers
}

const failed = (answers: readonly Answer[]): Answer[] =>
  answers.filter(({ status }) => status !== 200)

const slowest = (answers: readonly Answer[]): number => Math.max(...answers.map(({ ms }) => ms))

/** Two good backends and a sick one at `sick`, under a load of 400 requests, and later of 40 more. */
async function underLoad(sick: number, settings: SettingsPart = {}) {
  using good = await ScriptedBackend.start(answering(() => "good"))
  using better = await ScriptedBackend.start(answering(() => "better"))
  const balancer = await TestBalancer.start([sick, good.port, better.port], settings)
  const answers = await load(balancer.port, 8, 50)
  const later = await load(balancer.port, 4, 10)
  await comesToRest(balancer)
  return { balancer, answers, later }
}

describe("36: one of three backends", () => {
  test("refuses: no client sees it, and the breaker opens after 3", async () => {
    const { balancer, answers } = await underLoad(refusedPort())
    expect(failed(answers)).toEqual([])
    expect(balancer.changes.map(({ reason }) => reason)).toEqual([
      "3 requests failed, last: connect refused",
    ])
    // The dials that were under way when it opened come on top.
    expect(balancer.figure("bunlb_dials_total", '"failed"')).toBeWithin(3, 11)
  })

  test("is a blackhole: no client sees an error, and none waits longer than one connect timeout", async () => {
    using hole = await blackhole()
    const settings = { timeouts: { connect: 300 } }
    const { balancer, answers } = await underLoad(hole.port, settings)
    expect(failed(answers)).toEqual([])
    expect(slowest(answers)).toBeWithin(290, 900)
    // All 8 clients once, and 2 of them again before the third failure opens the breaker.
    expect(answers.filter(({ ms }) => ms > 250).length).toBeLessThanOrEqual(10)
    expect(balancer.changes[0]?.reason).toBe("3 requests failed, last: connect timed out")
  })

  test("accepts and hangs: 504 in time, then it gets no such request", async () => {
    using hanging = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
    })
    const settings = { timeouts: { responseHead: 300 } }
    const { balancer, answers, later } = await underLoad(hanging.port, settings)
    const errors = failed(answers)
    // All 8 clients once, and 2 of them again before the third failure opens the breaker.
    expect(errors.length).toBeWithin(3, 11)
    for (const { status, ms } of errors) {
      expect(status).toBe(504)
      expect(ms).toBeLessThan(900)
    }
    // One client asked for one page: that may be the page's fault, so it stays in for others.
    expect(balancer.changes).toEqual([])
    expect(balancer.lines.join("\n")).toContain(
      "requests of one client and one path go to other backends: " +
        "3 requests failed, last: no response head in time",
    )
    expect(failed(later)).toEqual([])
  })

  test("answers 500: its answers are passed on, and it stays", async () => {
    using failing = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        await connection.receiveRequest()
        await connection.send(answer(500, "sorry"))
      }
    })
    const { balancer, answers } = await underLoad(failing.port)
    expect(failed(answers).length).toBeWithin(133, 135)
    expect(failed(answers).every(({ body }) => body === "sorry")).toBe(true)
    expect(balancer.changes).toEqual([])
  })

  test("drops every fifth request: no client sees it, and the breaker stays closed", async () => {
    let count = 0
    const flapping: ConnectionHandler = async (connection) => {
      for (;;) {
        await connection.receiveRequest()
        if (++count % 5 === 0) return connection.reset()
        await connection.send(answer(200, "lucky"))
      }
    }
    using backend = await ScriptedBackend.start(flapping)
    const { balancer, answers } = await underLoad(backend.port)
    expect(failed(answers)).toEqual([])
    expect(balancer.figure("bunlb_retries_total")).toBeGreaterThan(20)
    expect(balancer.changes).toEqual([])
  })
})

describe("37: all backends", () => {
  test("are down: 503 with Retry-After at once, in both modes", async () => {
    for (const whenAllUnhealthy of ["try", "fail"] as const) {
      const ports = [refusedPort(), refusedPort(), refusedPort()]
      const balancer = await TestBalancer.start(ports, {
        whenAllUnhealthy,
        health: { failures: 1 },
      })
      await load(balancer.port, 1, 3)
      const answers = await load(balancer.port, 4, 50)
      expect(answers.every(({ status }) => status === 503)).toBe(true)
      expect(answers.toSorted((a, b) => a.ms - b.ms)[100]?.ms).toBeLessThan(10)
      const client = await RawClient.connect(balancer.port)
      expect((await client.exchange(get)).field("retry-after")).toBe("1")
      await client.close()
      await comesToRest(balancer)
    }
  })

  test("drop every request: no storm, at most 1.2 times what clients send", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      connection.reset()
    })
    const balancer = await TestBalancer.start([backend.port, backend.port], {
      retries: { budgetPercent: 20, budgetFloor: 0 },
    })
    const answers = await load(balancer.port, 8, 50)
    expect(answers).toHaveLength(400)
    expect(failed(answers)).toHaveLength(400)
    expect(backend.requests.length).toBeLessThanOrEqual(480)
    expect(backend.requests.length).toBeGreaterThan(400)
  })

  test("are slow: every request is answered, and nothing is retried", async () => {
    const slow: ConnectionHandler = async (connection) => {
      for (;;) {
        await connection.receiveRequest()
        await Bun.sleep(100)
        await connection.send(answer(200, "slow"))
      }
    }
    using one = await ScriptedBackend.start(slow)
    using two = await ScriptedBackend.start(slow)
    const balancer = await TestBalancer.start([one.port, two.port])
    expect(failed(await load(balancer.port, 40, 3))).toEqual([])
    expect(one.requests.length + two.requests.length).toBe(120)
    expect(one.requests.length).toBe(60)
  })

  test("restart at once: probes bring them back within rise x interval and a half", async () => {
    const ports = [refusedPort(), refusedPort()]
    const health = {
      type: "http",
      interval: 200,
      timeout: 200,
      failures: 2,
      successes: 2,
    } as const
    const balancer = await TestBalancer.start(ports, { health, whenAllUnhealthy: "fail" })
    await until(() => balancer.changes.length === 2, 3000, "both to be down")
    expect((await load(balancer.port, 1, 1))[0]?.status).toBe(503)
    const stack = new DisposableStack()
    for (const port of ports) {
      stack.use(
        await ScriptedBackend.start(
          answering(() => "back"),
          { port },
        ),
      )
    }
    const began = performance.now()
    await until(() => balancer.changes.length === 4, 3000, "both to be back")
    // Two probes, each up to a tenth late, and a sweep.
    expect(performance.now() - began).toBeLessThan(2 * 200 * 1.1 + 250)
    expect(failed(await load(balancer.port, 4, 10))).toEqual([])
    stack.dispose()
  })
})

describe("40: facts of sockets", () => {
  const BODY = Buffer.alloc(8 * 2 ** 20, "bunlb 40 ")
  const wanted = Bun.SHA256.hash(BODY, "hex")

  test.each([
    ["with a length", `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`],
    ["without a length", "HTTP/1.1 200 OK\r\n\r\n"],
  ])("8 MiB %s and a FIN arrive whole at a client that is still talking", async (_what, head) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      await connection.send(head)
      await connection.send(BODY)
      await connection.halfClose()
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
    const talk = setInterval(() => void client.send("still talking"), 1)
    const { body } = await client.receiveResponse()
    clearInterval(talk)
    expect(Bun.SHA256.hash(body, "hex")).toBe(wanted)
    await client.close()
    await comesToRest(balancer)
  })

  test("a backend's FIN while bytes wait for the client loses none of them", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n`)
      await connection.send(BODY)
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port])
    for (let step = 0; step < 10; step++) {
      const client = await RawClient.connect(balancer.port)
      client.pause()
      await client.send(get)
      await Bun.sleep(step * 3)
      client.resume()
      const { body } = await client.receiveResponse()
      expect(Bun.SHA256.hash(body, "hex")).toBe(wanted)
      await client.close()
    }
    await comesToRest(balancer)
  })

  test("100 idle clients and 100 idle backend connections cost next to no time", async () => {
    let release: () => void = () => {}
    const held = new Promise<void>((done) => (release = done))
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        await connection.receiveRequest()
        await held
        await connection.send(answer(200, "a"))
      }
    })
    const balancer = await TestBalancer.start([backend.port])
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => RawClient.connect(balancer.port)),
    )
    for (const client of clients) await client.send(get)
    await until(() => backend.requests.length === 100, 3000, "all requests")
    release()
    for (const client of clients) await client.receiveResponse()
    const before = process.cpuUsage()
    await Bun.sleep(1000)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1e6).toBeLessThan(0.15)
    for (const client of clients) await client.close()
    await comesToRest(balancer)
  })
})
