/**
 * A backend that closes kept connections without notice fails one POST, or a few, and not half of them: the worker
 * learns after how many requests, and after how long a rest, the connections of this backend are lost.
 */
import { describe, expect, test } from "bun:test"
import { ReuseLimit } from "../../../src/proxy/backend/reuse-limit.ts"
import { TestBalancer } from "../../support/balancer.ts"
import { RawClient } from "../../support/raw-client.ts"
import { ScriptedBackend, answer } from "../../support/scripted-backend.ts"
import type { ConnectionHandler } from "../../support/scripted-backend.ts"

const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

describe("the limits of reuse", () => {
  test("are none at first", () => {
    const limit = new ReuseLimit()
    expect(limit.allows(1e6, 1e9, 0)).toBeTrue()
  })

  test("are the number of requests and the rest of the connection that was lost", () => {
    const limit = new ReuseLimit()
    limit.lost(3, 1000, 0)
    expect(limit.allows(2, 800, 1)).toBeTrue()
    expect(limit.allows(3, 0, 1)).toBeFalse()
    expect(limit.allows(0, 950, 1)).toBeFalse()
  })

  test("do not count a rest so short that the connection was busy", () => {
    const limit = new ReuseLimit()
    limit.lost(3, 2, 0)
    expect(limit.allows(2, 5000, 1)).toBeTrue()
    expect(limit.allows(3, 0, 1)).toBeFalse()
  })

  test("are the narrowest of several losses", () => {
    const limit = new ReuseLimit()
    for (const [served, rest] of [
      [9, 3000],
      [4, 5000],
      [6, 1000],
    ] as const) {
      limit.lost(served, rest, 0)
    }
    expect([limit.allows(3, 100, 1), limit.allows(4, 100, 1)]).toEqual([true, false])
    expect([limit.allows(0, 899, 1), limit.allows(0, 900, 1)]).toEqual([true, false])
  })

  test("are disproved, each for itself, by answers on connections beyond them and by no others", () => {
    const limit = new ReuseLimit()
    limit.lost(1, 1000, 0)
    for (let i = 0; i < 100; i++) limit.answered(0, 10)
    expect(limit.allows(1, 10, 1)).toBeFalse()
    for (let i = 0; i < 16; i++) limit.answered(1, 10)
    expect(limit.allows(1, 10, 1)).toBeTrue()
    expect(limit.allows(1, 1000, 1)).toBeFalse()
    for (let i = 0; i < 16; i++) limit.answered(1, 1000)
    expect(limit.allows(1, 1000, 1)).toBeTrue()
  })

  test("are not disproved where some connections live on and others are lost", () => {
    const limit = new ReuseLimit()
    for (let i = 0; i < 100; i++) {
      if (i % 10 === 0) limit.lost(1, 0, i)
      limit.answered(1, 0)
    }
    expect(limit.allows(1, 0, 100)).toBeFalse()
  })

  test("are tried again after a minute, and after twice as long when that fails", () => {
    const limit = new ReuseLimit()
    limit.lost(1, 0, 0)
    expect(limit.allows(1, 0, 59_999)).toBeFalse()
    expect(limit.allows(1, 0, 60_000)).toBeTrue()
    limit.lost(1, 0, 60_000)
    expect(limit.allows(1, 0, 179_999)).toBeFalse()
    expect(limit.allows(1, 0, 180_000)).toBeTrue()
  })

  test("are not kept for longer by many losses at once, as of a backend that restarts", () => {
    const limit = new ReuseLimit()
    for (let i = 0; i < 100; i++) limit.lost(1, 0, i)
    expect(limit.allows(1, 0, 60_099)).toBeTrue()
  })

  test("are never kept for longer than an hour, and begin anew after a long time without a loss", () => {
    const limit = new ReuseLimit()
    let now = 0
    for (let i = 0; i < 20; i++) {
      limit.lost(1, 0, now)
      now += 3_600_000
      expect(limit.allows(1, 0, now)).toBeTrue()
    }
    now += 5 * 3_600_000
    limit.lost(1, 0, now)
    expect(limit.allows(1, 0, now + 60_000)).toBeTrue()
  })
})

/** Answers so many requests of each connection, then ends it when the next one has come. */
function ending(requests: number, end: "close" | "reset", ...fields: string[]): ConnectionHandler {
  return async (connection) => {
    for (let i = 0; i < requests; i++) {
      await connection.receiveRequest()
      await connection.send(answer(200, String(connection.index), ...fields))
    }
    await connection.receiveRequest()
    if (end === "reset") connection.reset()
    else await connection.close()
  }
}

async function setup(handler: ConnectionHandler) {
  const backend = await ScriptedBackend.start(handler)
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const statuses = async (count: number, request: string): Promise<number[]> => {
    const got: number[] = []
    for (let i = 0; i < count; i++) got.push((await client.exchange(request)).status)
    return got
  }
  const failed = (got: readonly number[]): number => got.filter((status) => status !== 200).length
  return { backend, balancer, statuses, failed, [Symbol.dispose]: () => backend.stop() }
}

describe("of many POSTs", () => {
  test.each([
    [1, "close"],
    [1, "reset"],
    [2, "close"],
    [7, "reset"],
  ] as const)("one fails where connections end after %d requests by %s", async (requests, end) => {
    using at = await setup(ending(requests, end))
    const got = await at.statuses(40, post)
    expect(at.failed(got)).toBe(1)
    // None is sent twice, and the connections are used as often as they can be.
    expect(at.backend.requests).toHaveLength(40)
    if (requests > 1) expect(at.backend.accepted).toBeLessThan(40 / (requests - 1))
    expect(at.balancer.figure("bunlb_reuse_losses_total")).toBe(1)
    const told = at.balancer.lines.filter((line) => line.includes("timeouts.pool_idle"))
    expect(told).toHaveLength(1)
    expect(told[0]).toStartWith("warn: ")
    expect(told[0]).toContain(`after ${requests} request`)
  })

  test("none fails where a GET has been lost before", async () => {
    using at = await setup(ending(1, "close"))
    expect(at.failed(await at.statuses(2, get))).toBe(0)
    expect(at.failed(await at.statuses(20, post))).toBe(0)
    expect(at.balancer.figure("bunlb_reuse_losses_total")).toBe(0)
  })

  test("one fails between GETs, which do not stop using kept connections", async () => {
    using at = await setup(ending(1, "reset"))
    const got: number[] = []
    for (let i = 0; i < 10; i++) {
      got.push(...(await at.statuses(1, post)), ...(await at.statuses(1, get)))
    }
    expect(at.failed(got)).toBeLessThanOrEqual(1)
    expect(at.balancer.figure("bunlb_stale_retries_total")).toBeGreaterThan(5)
  })

  test("one fails over HTTP/1.0 with keep-alive", async () => {
    using at = await setup(async (connection) => {
      await connection.receiveRequest()
      const lines = ["HTTP/1.0 200 OK", "Content-Length: 0", "Connection: keep-alive"]
      await connection.send([...lines, "", ""].join("\r\n"))
      await connection.receiveRequest()
      await connection.close()
    })
    expect(at.failed(await at.statuses(20, post))).toBe(1)
  })

  test("one fails where a connection ends by itself a moment after its answer", async () => {
    using at = await setup(async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(200, String(connection.index)))
      await Bun.sleep(20)
      connection.reset()
    })
    // None where the end comes before the next request, because the machine is busy.
    expect(at.failed(await at.statuses(20, post))).toBeLessThanOrEqual(1)
  })

  test("one fails where connections are dead after a rest, without a word until they are used", async () => {
    using at = await setup(async (connection) => {
      for (let last = Infinity; ; last = performance.now()) {
        await connection.receiveRequest()
        if (performance.now() - last > 100) return connection.reset()
        await connection.send(answer(200, String(connection.index)))
      }
    })
    const got = await at.statuses(5, post)
    for (let i = 0; i < 8; i++) {
      await Bun.sleep(150)
      got.push(...(await at.statuses(3, post)))
    }
    // Half of 24 without the limit; a second one where the machine made a rest longer than the limit.
    expect(at.failed(got)).toBeLessThanOrEqual(2)
  })

  test("kept connections carry them again once GETs have shown that they live", async () => {
    let good = false
    using at = await setup(async (connection) => {
      for (let i = 0; ; i++) {
        await connection.receiveRequest()
        if (!good && i > 0) return connection.reset()
        await connection.send(answer(200, String(connection.index)))
      }
    })
    expect(at.failed(await at.statuses(10, post))).toBe(1)
    good = true
    await at.statuses(20, get)
    const before = at.backend.accepted
    expect(at.failed(await at.statuses(20, post))).toBe(0)
    expect(at.backend.accepted).toBe(before)
  })

  test("a connection is lost to another fault only if no byte of an answer has come", async () => {
    using at = await setup(async (connection) => {
      for (let i = 0; ; i++) {
        await connection.receiveRequest()
        if (i === 1) {
          await connection.send("HTTP/1.1 200")
          return connection.reset()
        }
        await connection.send(answer(200, String(connection.index)))
      }
    })
    await at.statuses(2, post)
    expect(at.balancer.figure("bunlb_reuse_losses_total")).toBe(0)
    expect(at.balancer.figure("bunlb_backend_failures_total")).toBe(1)
  })
})
