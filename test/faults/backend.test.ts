/**
 * Backends that fail in every way there is. After each: the client got the right answer or saw that there is none,
 * nothing stays connected or counted, and the next request on another backend is served.
 */
import { describe, expect } from "bun:test"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { blackhole } from "../support/blackhole.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection, ConnectionHandler } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"
import { comesToRest } from "./quiet.ts"
import { sideBySide } from "../support/side-by-side.ts"

const test = sideBySide()
const quick: SettingsPart = {
  timeouts: { connect: 250, responseHead: 250, backendBody: 250 },
  retries: { max: 0 },
}
const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
const half = "x".repeat(500)
const sized = `HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${half}`
const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n${half}\r\n`

/** Reads the request and then does `what`. */
const then =
  (what: (connection: BackendConnection) => unknown): ConnectionHandler =>
  async (connection) => {
    await connection.receiveRequest()
    await what(connection)
  }

async function facing(handler: ConnectionHandler) {
  const backend = await ScriptedBackend.start(handler)
  const balancer = await TestBalancer.start([backend.port], quick)
  const client = await RawClient.connect(balancer.port)
  await client.send(post)
  return { backend, balancer, client, [Symbol.dispose]: () => backend.stop() }
}

describe("before a response the client is told, and the backend is blamed:", () => {
  const faults: readonly [string, number, string, ConnectionHandler][] = [
    ["accepts and hangs", 504, "no response head in time", () => {}],
    ["reads and hangs", 504, "no response head in time", then(() => {})],
    ["reads and closes", 502, "closed before a response", then((c) => c.close())],
    ["reads and half-closes", 502, "closed before a response", then((c) => c.halfClose())],
    ["reads and resets", 502, "connection reset before a response", then((c) => c.reset())],
    ["resets at once", 502, "connection reset", (c) => c.reset()],
    [
      "sends half a head and hangs",
      504,
      "no response head in time",
      then((c) => c.send(sized.slice(0, 20))),
    ],
    [
      "sends half a head and closes",
      502,
      "closed before a response",
      then(async (c) => {
        await c.send(sized.slice(0, 20))
        await c.close()
      }),
    ],
    [
      "speaks another protocol",
      502,
      "malformed response head",
      then((c) => c.send("220 smtp ready\r\n")),
    ],
    [
      "sends random bytes",
      502,
      "malformed response head",
      then((c) => c.send("\x00\xff\x13\x37\r\n\r\n")),
    ],
    [
      "sends a head without end",
      502,
      "response head too large",
      then((c) => c.send(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(70_000)}`)),
    ],
    [
      "sends two lengths",
      502,
      "ambiguous response length",
      then((c) => c.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
    ],
    [
      "sends a bad first chunk",
      502,
      "malformed chunked body",
      then((c) => c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")),
    ],
    [
      "sends its head too slowly",
      504,
      "no response head in time",
      then(async (c) => {
        for (const byte of sized) {
          if (!(await c.send(byte))) return
          await Bun.sleep(10)
        }
      }),
    ],
  ]
  test.each(faults)("%s -> %d", async (_what, status, reason, handler) => {
    using setup = await facing(handler)
    const response = await setup.client.receiveResponse({}, 2000)
    expect(response.status).toBe(status)
    expect(response.body.toString()).toContain(reason)
    expect(setup.balancer.figure("bunlb_backend_failures_total", `reason="${reason}`)).toBe(1)
    expect(setup.balancer.figure("bunlb_requests_total", `code="${status}"`)).toBe(1)
    await setup.client.close()
    await comesToRest(setup.balancer)
    for (const connection of setup.backend.connections) await connection.closed()
  })

  test("refuses -> 502", async () => {
    const balancer = await TestBalancer.start([refusedPort()], quick)
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(post)).status).toBe(502)
    await client.close()
    await comesToRest(balancer)
  })
})

describe("in the middle of a response the client sees that it was cut short:", () => {
  const ends: readonly [string, (connection: BackendConnection) => unknown][] = [
    ["closes", (connection) => connection.close()],
    ["half-closes", (connection) => connection.halfClose()],
    ["resets", (connection) => connection.reset()],
    ["hangs", () => {}],
    ["goes on with garbage", (connection) => connection.send("not a chunk\r\n")],
  ]
  const cases = ends.flatMap(([what, end]) =>
    what.includes("garbage")
      ? [[what, "chunked", chunked, end] as const]
      : [[what, "sized", sized, end] as const, [what, "chunked", chunked, end] as const],
  )
  test.each(cases)("the backend %s after half a %s body", async (_what, _framing, bytes, end) => {
    using setup = await facing(
      then(async (connection) => {
        await connection.send(bytes)
        await Bun.sleep(20)
        await end(connection)
      }),
    )
    const head = await setup.client.receiveUntil("\r\n\r\n")
    expect(head.toString()).toStartWith("HTTP/1.1 200 OK\r\n")
    // The missing bytes, or the missing last chunk, show the cut: a reset could destroy what came before it.
    expect(await setup.client.closed(2000)).toEqual({ by: "end" })
    expect(setup.client.received.toString()).toEndWith(bytes.slice(bytes.indexOf("\r\n\r\n") + 4))
    expect(setup.client.received.toString()).not.toContain("\r\n0\r\n\r\n")
    expect(setup.balancer.figure("bunlb_truncated_responses_total")).toBe(1)
    await comesToRest(setup.balancer)
    for (const connection of setup.backend.connections) await connection.closed()
  })

  test("a body that should end with the connection, when it is reset", async () => {
    using setup = await facing(
      then(async (connection) => {
        await connection.send("HTTP/1.1 200 OK\r\n\r\nhalf")
        await Bun.sleep(20)
        connection.reset()
      }),
    )
    expect(await setup.client.closed()).toEqual({ by: "reset" })
    await comesToRest(setup.balancer)
  })
})

describe("honest but odd:", () => {
  test("a body slower than response_head, but never slower than backend_body, arrives", async () => {
    using setup = await facing(
      then(async (connection) => {
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for (const byte of "slowly") {
          await Bun.sleep(100)
          await connection.send(byte)
        }
      }),
    )
    expect((await setup.client.receiveResponse()).body.toString()).toBe("slowly")
  })

  test("a head that comes byte by byte, in time, arrives", async () => {
    using setup = await facing(
      then(async (connection) => {
        for (const byte of answer(200, "ok")) {
          await connection.send(byte)
          await new Promise((turn) => setImmediate(turn))
        }
      }),
    )
    expect((await setup.client.receiveResponse()).body.toString()).toBe("ok")
  })

  test("a second response nobody asked for goes to nobody", async () => {
    using setup = await facing(async (connection) => {
      for (;;) {
        await connection.receiveRequest()
        await connection.send(answer(200, `${connection.index}`) + answer(200, "poison"))
      }
    })
    expect((await setup.client.receiveResponse()).body.toString()).toBe("0")
    const other = await RawClient.connect(setup.balancer.port)
    expect((await other.exchange(post)).body.toString()).toBe("1")
    expect(setup.client.incoming.length).toBe(0)
    await setup.client.close()
    await other.close()
    await comesToRest(setup.balancer)
  })
})

describe("a blackhole", () => {
  test("alone -> 504 after the connect timeout", async () => {
    using hole = await blackhole()
    const balancer = await TestBalancer.start([hole.port], quick)
    const client = await RawClient.connect(balancer.port)
    const began = performance.now()
    expect((await client.exchange(post)).status).toBe(504)
    expect(performance.now() - began).toBeWithin(240, 1000)
    await client.close()
    await comesToRest(balancer)
  })

  test("whose client leaves is given up at once", async () => {
    using hole = await blackhole()
    const balancer = await TestBalancer.start([hole.port], { timeouts: { connect: 60_000 } })
    const client = await RawClient.connect(balancer.port)
    await client.send(post)
    const dialing = (): number => balancer.figure("bunlb_backend_connections", '"dialing"')
    await until(() => dialing() === 1, 2000, "the dial")
    client.reset()
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_client_aborts_total")).toBe(1)
  })

  test("beside a good backend costs one connect timeout, and the client goes away in between", async () => {
    using hole = await blackhole()
    using backend = await ScriptedBackend.start(then((c) => c.send(answer(200, "good"))))
    const balancer = await TestBalancer.start([hole.port, backend.port], {
      timeouts: { connect: 250 },
    })
    const client = await RawClient.connect(balancer.port)
    const began = performance.now()
    expect((await client.exchange(post)).body.toString()).toBe("good")
    expect(performance.now() - began).toBeWithin(240, 1000)
    const impatient = await RawClient.connect(balancer.port)
    const other = await RawClient.connect(balancer.port)
    await impatient.send(post)
    await other.send(post)
    impatient.reset()
    await other.receiveResponse()
    await client.close()
    await other.close()
    await comesToRest(balancer)
  })
})
