/** A request that may not be sent twice keeps off connections that their backend may be closing right now. */
import { describe, expect } from "bun:test"
import { IdleLimit } from "../../../src/proxy/backend/idle-limit.ts"
import { TestBalancer } from "../../support/balancer.ts"
import { RawClient } from "../../support/raw-client.ts"
import { ScriptedBackend, answer } from "../../support/scripted-backend.ts"
import { until } from "../../support/until.ts"
import { sideBySide } from "../../support/side-by-side.ts"

const test = sideBySide()

describe("the idle limit", () => {
  test("is unknown at first: no age is near it", () => {
    const limit = new IdleLimit()
    for (const age of [0, 1, 1e9]) expect(limit.isNear(age)).toBeFalse()
  })

  test("is near around an age at which a connection was closed", () => {
    const limit = new IdleLimit()
    limit.endedAt(5000)
    for (const age of [0, 4000, 4499]) expect(limit.isNear(age)).toBeFalse()
    for (const age of [4500, 5000, 5500]) expect(limit.isNear(age)).toBeTrue()
  })

  test("is none when a connection lives well beyond it, as after a restart", () => {
    const limit = new IdleLimit()
    limit.endedAt(700)
    expect(limit.isNear(690)).toBeTrue()
    expect(limit.isNear(900)).toBeFalse()
    expect(limit.isNear(690)).toBeFalse()
  })

  test("is not learned from connections that are closed while they are busy", () => {
    const limit = new IdleLimit()
    limit.endedAt(3)
    for (const age of [0, 3, 4]) expect(limit.isNear(age)).toBeFalse()
  })

  test("is near from a second before it on when it was announced, and from its half when it is short", () => {
    const limit = new IdleLimit()
    limit.announce(5)
    expect([3999, 4000, 60_000].map((age) => limit.isNear(age))).toEqual([false, true, true])
    limit.announce(1)
    expect([499, 500].map((age) => limit.isNear(age))).toEqual([false, true])
    limit.announce(0)
    expect(limit.isNear(0)).toBeTrue()
  })
})

const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

async function setup(...fields: string[]) {
  const backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      await connection.send(answer(200, String(connection.index), ...fields))
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const on = async (request: string) => Number((await client.exchange(request)).body)
  return { backend, balancer, on, [Symbol.dispose]: () => backend.stop() }
}

test("an announced limit is kept off by a POST, and not by a GET", async () => {
  using at = await setup("Keep-Alive: timeout=1")
  expect(await at.on(post)).toBe(0)
  await Bun.sleep(700)
  expect(await at.on(get)).toBe(0)
  await Bun.sleep(700)
  expect(await at.on(post)).toBe(1)
})

test("a limit that shows is kept off by a POST, and forgotten when a connection outlives it", async () => {
  using at = await setup()
  expect(await at.on(get)).toBe(0)
  await Bun.sleep(1000)
  await at.backend.connections[0]?.close()
  const idle = (): number => at.balancer.figure("bunlb_backend_connections", 'state="idle"')
  await until(() => idle() === 0, 3000, "the end of the connection")
  expect(await at.on(post)).toBe(1)
  await Bun.sleep(1000)
  // As old as the one that was closed.
  expect(await at.on(post)).toBe(2)
  await Bun.sleep(1500)
  expect(await at.on(post)).toBe(2)
  await Bun.sleep(1000)
  expect(await at.on(post)).toBe(2)
})
