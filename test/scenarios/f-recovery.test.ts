/** Scenarios 36 and 37: backends that come back, again and again, and how much they get then. */
import { expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/** Answers everything with `status()`. */
function sickly(status: () => number): Promise<ScriptedBackend> {
  return ScriptedBackend.start(async (connection) => {
    for (;;) {
      await connection.receiveRequest()
      await connection.send(answer(status(), "sickly"))
    }
  })
}

test("36: a backend that flaps has to be well for longer each time, and clients do not notice", async () => {
  let well = true
  using flapping = await sickly(() => (well ? 200 : 500))
  using steady = await ScriptedBackend.start(answering(() => "steady"))
  const balancer = await TestBalancer.start([flapping.port, steady.port], {
    health: { type: "http", interval: 100, timeout: 1000, failures: 1, successes: 1, backoff: 4 },
  })
  for (let time = 0; time < 4; time++) {
    const changes = balancer.changes.length
    well = false
    await until(() => balancer.changes.length > changes, PATIENCE_MS, "the failure to be seen")
    well = true
    const client = await RawClient.connect(balancer.port)
    while (balancer.changes.length === changes + 1) {
      expect((await client.exchange(get)).body.toString()).toBe("steady")
      await new Promise((turn) => setImmediate(turn))
    }
    await client.close()
  }
  const returns = balancer.changes.filter(({ healthy }) => healthy)
  expect(returns.map(({ reason }) => reason)).toEqual([
    "1 probe succeeded",
    "2 probes succeeded",
    "4 probes succeeded",
    "4 probes succeeded",
  ])
})

test("37: a backend that has come back is given a little at first, and its whole share in the end", async () => {
  const SLOW_START = 1000
  let well = true
  using back = await sickly(() => (well ? 200 : 500))
  using steady = await ScriptedBackend.start(answering(() => "steady"))
  const balancer = await TestBalancer.start([back.port, steady.port], {
    health: {
      ...{ type: "http", interval: 100, timeout: 1000, failures: 1, successes: 1 },
      slowStart: SLOW_START,
    },
  })
  const client = await RawClient.connect(balancer.port)
  const shareOf = async (requests: number): Promise<number> => {
    let got = 0
    for (let i = 0; i < requests; i++) {
      if ((await client.exchange(get)).body.toString() === "sickly") got++
    }
    return got / requests
  }
  expect(await shareOf(100)).toBe(0.5)
  well = false
  await until(() => balancer.changes.length === 1, PATIENCE_MS, "the failure to be seen")
  expect(await shareOf(100)).toBe(0)
  well = true
  await until(() => balancer.changes.length === 2, PATIENCE_MS, "its return")
  const began = performance.now()
  const first = await shareOf(100)
  // Half of a share that is a tenth at first: a slow machine sees more of it.
  const share = Math.max(0.1, (performance.now() - began) / SLOW_START)
  expect(first).toBeLessThan(0.5 * share + 0.15)
  await Bun.sleep(SLOW_START + 50 - (performance.now() - began))
  await shareOf(4)
  expect(await shareOf(100)).toBe(0.5)
  await client.close()
})
