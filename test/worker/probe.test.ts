/** Probes on the wire: what they ask, what they accept, and that they keep to themselves. */
import { describe, expect, spyOn, test } from "bun:test"
import { libc } from "../../src/net/linux/libc.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { comesToRest } from "../faults/quiet.ts"
import { onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const fast = { type: "http", interval: 100, timeout: 150, failures: 2, successes: 2 } as const
const get = "GET /real HTTP/1.1\r\nHost: x\r\n\r\n"

/** A balancer that probes `handler`, and what it has found when `changes` changes of health have come. */
async function probing(handler: ConnectionHandler, health: SettingsPart["health"] = {}) {
  const backend = await ScriptedBackend.start(handler)
  const balancer = await TestBalancer.start([backend.port], { health: { ...fast, ...health } })
  const changed = (count: number): Promise<unknown> =>
    until(() => balancer.changes.length >= count, 3000, `change ${count} of health`)
  const ok = (count: number): Promise<unknown> =>
    until(() => balancer.figure("bunlb_probes_total", '"ok"') >= count, 3000, `${count} probes`)
  return { backend, balancer, changed, ok, [Symbol.dispose]: () => backend.stop() }
}

test("asks for the page, with Host, its name and Connection: close", async () => {
  using setup = await probing(
    answering(() => "fine"),
    { path: "/health?deep=1" },
  )
  await setup.ok(2)
  const [first] = setup.backend.requests
  expect(first?.target).toBe("/health?deep=1")
  expect(first?.field("host")).toBe(`127.0.0.1:${setup.backend.port}`)
  expect(first?.field("user-agent")).toBe("bunlb-probe")
  expect(first?.field("connection")).toBe("close")
  expect(setup.balancer.changes).toHaveLength(0)
})

test("asks with the Host that the settings name", async () => {
  using setup = await probing(
    answering(() => "fine"),
    { host: "app.example" },
  )
  await setup.ok(1)
  expect(setup.backend.requests[0]?.field("host")).toBe("app.example")
})

test("each probe has a connection of its own, which no request shares", async () => {
  using setup = await probing(answering(({ target }) => target))
  const client = await RawClient.connect(setup.balancer.port)
  for (let i = 1; i <= 4; i++) {
    expect((await client.exchange(get)).status).toBe(200)
    await setup.ok(i)
  }
  const real = setup.backend.requests.filter(({ target }) => target === "/real")
  const probes = setup.backend.requests.filter(({ target }) => target === "/")
  expect(new Set(real.map(({ connection }) => connection)).size).toBe(1)
  expect(new Set(probes.map(({ connection }) => connection)).size).toBe(probes.length)
  expect(setup.balancer.figure("bunlb_pool_reuses_total")).toBe(3)
  expect(setup.balancer.figure("bunlb_dials_total")).toBe(1)
  expect(setup.balancer.figure("bunlb_requests_total")).toBe(4)
  await client.close()
  await until(
    () => setup.backend.connections.filter(({ ending }) => ending === null).length <= 2,
    2000,
    "probes that close",
  )
})

describe("a backend becomes unhealthy, with its reason, when it", () => {
  const wrong: readonly [string, string, ConnectionHandler][] = [
    [
      "answers with an unexpected status",
      "status 503",
      async (connection) => {
        await connection.receiveRequest()
        await connection.send(answer(503, "no"))
      },
    ],
    [
      "redirects",
      "status 301",
      async (connection) => {
        await connection.receiveRequest()
        await connection.send(answer(301, "", "Location: /elsewhere"))
      },
    ],
    [
      "answers nothing",
      "no answer within 150ms",
      async (connection) => {
        await connection.receiveRequest()
      },
    ],
    [
      "answers one byte a time and never ends",
      "no answer within 150ms",
      async (connection) => {
        for (let i = 0; i < 50; i++) {
          await connection.send(i === 0 ? "HTTP/1.1 200 OK\r\nA: " : "x")
          await Bun.sleep(10)
        }
      },
    ],
    [
      "closes without an answer",
      "closed before a response",
      async (connection) => {
        await connection.receiveRequest()
        connection.close()
      },
    ],
    [
      "resets",
      "connection reset",
      async (connection) => {
        await connection.receiveRequest()
        connection.reset()
      },
    ],
    [
      "speaks no HTTP",
      "malformed response",
      async (connection) => {
        await connection.send("SSH-2.0-OpenSSH_9.2\r\n")
      },
    ],
    [
      "sends a head without end",
      "malformed response",
      async (connection) => {
        await connection.send(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(70_000)}`)
      },
    ],
  ]
  test.each(wrong)("%s", async (_what, reason, handler) => {
    using setup = await probing(handler)
    await setup.changed(1)
    const [change] = setup.balancer.changes
    expect([change?.healthy, change?.reason]).toEqual([false, `2 probes failed, last: ${reason}`])
    expect(setup.balancer.figure("bunlb_backend_up")).toBe(0)
    expect(setup.balancer.figure("bunlb_probes_total", '"failed"')).toBe(2)
    expect(setup.balancer.figure("bunlb_breaker_transitions_total", "unhealthy")).toBe(1)
    expect(setup.balancer.figure("bunlb_requests_total")).toBe(0)
  })

  test("refuses the connection", async () => {
    const balancer = await TestBalancer.start([refusedPort()], { health: fast })
    await until(() => balancer.changes.length > 0, 3000, "a change")
    expect(balancer.changes[0]?.reason).toBe("2 probes failed, last: connect refused")
    await comesToRest(balancer)
  })
})

test("a status is healthy when a range of `expect` holds it", async () => {
  const settings = {
    expect: [
      [200, 299],
      [401, 401],
    ] as const,
  }
  using setup = await probing(async (connection) => {
    await connection.receiveRequest()
    await connection.send(answer(401, ""))
  }, settings)
  await setup.ok(3)
  expect(setup.balancer.changes).toHaveLength(0)
})

test("interim responses before the verdict do not count", async () => {
  using setup = await probing(async (connection) => {
    await connection.receiveRequest()
    await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
    await connection.send(answer(200, "fine"))
  })
  await setup.ok(2)
  expect(setup.balancer.changes).toHaveLength(0)
})

test("type tcp is content with a connection", async () => {
  using setup = await probing(() => {}, { type: "tcp" })
  await setup.ok(3)
  expect(setup.backend.connections[0]?.bytesReceived).toBe(0)
  expect(setup.balancer.changes).toHaveLength(0)
})

test("an unhealthy backend gets no request, and serves again after `successes` good probes", async () => {
  let status = 500
  const handler: ConnectionHandler = async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      await connection.send(answer(target === "/" ? status : 200, "probed"))
    }
  }
  using backend = await ScriptedBackend.start(handler)
  using other = await ScriptedBackend.start(answering(() => "other"))
  const balancer = await TestBalancer.start([backend.port, other.port], { health: fast })
  await until(() => balancer.changes.length === 1, 3000, "the fall")
  const client = await RawClient.connect(balancer.port)
  const ask = async (): Promise<string> => (await client.exchange(get)).body.toString()
  for (let i = 0; i < 6; i++) expect(await ask()).toBe("other")
  status = 200
  await until(() => balancer.changes.length === 2, 3000, "the rise")
  expect(balancer.changes.map(({ healthy, reason }) => [healthy, reason])).toEqual([
    [false, "2 probes failed, last: status 500"],
    [true, "2 probes succeeded"],
  ])
  const answers = new Set([await ask(), await ask()])
  expect(answers).toEqual(new Set(["probed", "other"]))
  expect(balancer.figure("bunlb_breaker_transitions_total", "healthy")).toBe(2)
})

onLinux("a dial without descriptors", "only there does the kernel say so")(
  "no backend is blamed while bunlb itself is out of descriptors",
  async () => {
    // The kernel's answer to socket(2) is the one thing that is played here.
    const socket = spyOn(libc(), "socket").mockReturnValue(-1)
    try {
      using setup = await probing(
        answering(() => "fine"),
        { failures: 1 },
      )
      const client = await RawClient.connect(setup.balancer.port)
      const response = await client.exchange(get)
      expect([response.status, response.field("retry-after")]).toEqual([503, "1"])
      expect(response.body.toString()).toContain("out of descriptors")
      await Bun.sleep(300)
      expect(setup.balancer.changes).toEqual([])
      expect(setup.balancer.figure("bunlb_probes_total")).toBe(0)
      expect(setup.balancer.figure("bunlb_backend_failures_total")).toBe(0)
      socket.mockRestore()
      await setup.ok(1)
      expect((await client.exchange(get)).status).toBe(200)
    } finally {
      socket.mockRestore()
    }
  },
)

test("an idle connection to a backend that becomes unhealthy is closed", async () => {
  let status = 200
  using setup = await probing(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      await connection.send(answer(target === "/" ? status : 200, ""))
    }
  })
  const client = await RawClient.connect(setup.balancer.port)
  await client.exchange(get)
  const used = setup.backend.requests.find(({ target }) => target === "/real")
  status = 500
  await setup.changed(1)
  await setup.backend.connections[used?.connection ?? -1]?.closed()
  const idle = (): number => setup.balancer.figure("bunlb_backend_connections", 'state="idle"')
  await until(() => idle() === 0, PATIENCE_MS, "its end to be counted")
})
