/**
 * Scenario 24: a pooled connection that dies just when it is used again. What may be repeated is answered all the same;
 * a POST of which a byte may have left is never sent twice.
 */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection, ConnectionHandler } from "../support/scripted-backend.ts"
import { rng, type Rng } from "../support/until.ts"
import { crowd, turn } from "./driver.ts"

const TRIALS = 1000
const SEED = 20240601

const deaths = [
  "FIN",
  "half-closed",
  "RST",
  "FIN on request",
  "RST on request",
  "FIN within the request",
  "RST within the request",
] as const
type Death = (typeof deaths)[number]

/** How often each request has come to the backend, in part or whole. */
class Arrivals {
  readonly counts = new Map<string, number>()

  count(target: string): void {
    this.counts.set(target, (this.counts.get(target) ?? 0) + 1)
  }
}

/** Answers `/warm` and then dies as `choose` says; everything else is counted and answered. */
function mortal(chance: Rng, arrivals: Arrivals, choose: () => Death): ConnectionHandler {
  return async (connection) => {
    for (;;) {
      const { target, body } = await connection.receiveRequest()
      if (target !== "/warm") {
        arrivals.count(target)
        expect(["", "hello"]).toContain(body.toString())
      }
      await connection.send(answer(200, target))
      if (target !== "/warm") continue
      const death = choose()
      if (death.endsWith("on request")) {
        arrivals.count((await connection.receiveRequest()).target)
      } else if (death.endsWith("within the request")) {
        const line = (await connection.receiveUntil("\r\n", Infinity)).toString()
        arrivals.count(line.split(" ")[1] ?? "")
      } else {
        for (let turns = chance.between(0, 6); turns > 0; turns--) await turn()
      }
      return die(connection, death)
    }
  }
}

async function die(connection: BackendConnection, death: Death): Promise<void> {
  if (death.startsWith("RST")) connection.reset()
  else if (death.startsWith("half")) await connection.halfClose()
  else await connection.close()
}

/** Warms a connection up and sends `request(id)` on it while it dies. Returns the status. */
async function race(port: number, chance: Rng, request: string, id: string): Promise<number> {
  const client = await RawClient.connect(port)
  await client.exchange("GET /warm HTTP/1.1\r\nHost: x\r\n\r\n")
  for (let turns = chance.between(0, 6); turns > 0; turns--) await turn()
  const response = await client.exchange(request)
  if (response.status === 200) expect(response.body.toString()).toBe(id)
  await client.close()
  return response.status
}

/** Runs all trials of one method; returns the statuses and how often each request came to the backend. */
async function races(method: string, fields: string, body: string, death: Death | "all") {
  const chance = rng(SEED)
  const arrivals = new Arrivals()
  const choose = (): Death => (death === "all" ? chance.pick(deaths) : death)
  using backend = await ScriptedBackend.start(mortal(chance, arrivals, choose))
  const balancer = await TestBalancer.start([backend.port])
  const statuses = new Map<number, number>()
  const ids = Array.from({ length: TRIALS }, (_, index) => `/${method}/${index}`)
  await crowd(ids, async (id) => {
    const request = `${method} ${id} HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`
    const status = await race(balancer.port, chance, request, id)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  })
  arrivals.counts.delete("/warm")
  expect(balancer.figure("bunlb_backend_up")).toBe(1)
  await comesToRest(balancer)
  return {
    statuses,
    most: Math.max(...arrivals.counts.values()),
    stale: balancer.figure("bunlb_stale_retries_total"),
  }
}

describe(`24: ${TRIALS} requests on connections that die meanwhile (seed ${SEED}):`, () => {
  test.each(deaths)("every GET is answered: %s", async (death) => {
    const { statuses, most, stale } = await races("GET", "", "", death)
    expect([...statuses]).toEqual([[200, TRIALS]])
    expect(most).toBeLessThanOrEqual(2)
    // Deaths on a request cannot be seen in time: there were many, and they were repeated.
    if (death.includes("request")) expect(stale).toBeGreaterThan(TRIALS / 5)
  })

  test("every PUT is answered, with its body sent again", async () => {
    const { statuses, stale } = await races("PUT", "Content-Length: 5\r\n", "hello", "all")
    expect([...statuses]).toEqual([[200, TRIALS]])
    expect(stale).toBeGreaterThan(TRIALS / 5)
  })

  test.each(deaths)("no POST comes to the backend twice: %s", async (death) => {
    const { statuses, most } = await races("POST", "Content-Length: 5\r\n", "hello", death)
    expect(most).toBe(1)
    const answered = statuses.get(200) ?? 0
    expect(answered + (statuses.get(502) ?? 0)).toBe(TRIALS)
    // A death that the kernel knew of was seen in time.
    if (!death.includes("request")) expect(answered).toBeGreaterThan(TRIALS / 2)
    // One that it did not know of is seen once, and POSTs keep off such connections from then on.
    else expect(answered).toBeGreaterThan(TRIALS * 0.9)
  })

  test.each([
    ["chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
    ["no body", "", ""],
  ])("nor does a POST with %s", async (_what, fields, body) => {
    const { statuses, most } = await races("POST", fields, body, "all")
    expect(most).toBe(1)
    expect([...statuses.keys()].toSorted()).toEqual([200, 502])
  })
})

test(`24: ${TRIALS} requests, a third of them POSTs, when the backend closes after 1 s of idleness`, async () => {
  const IDLE_MS = 1000
  const chance = rng(SEED)
  const arrivals = new Arrivals()
  const warm = Promise.withResolvers<void>()
  let waiting = 0
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      arrivals.count(target)
      // All are at work at once, so that there are as many connections as requests.
      if (target === "/warm" && ++waiting === TRIALS) warm.resolve()
      if (target === "/warm") await warm.promise
      await connection.send(answer(200, target))
      if (target === "/warm")
        setTimeout(() => void connection.close(), IDLE_MS + chance.between(0, 300))
    }
  })
  const balancer = await TestBalancer.start([backend.port], { pool: { idle: TRIALS } })
  const ids = Array.from({ length: TRIALS }, (_, index) => index)
  const statuses: number[] = []
  await Promise.all(
    ids.map(async (index) => {
      const client = await RawClient.connect(balancer.port)
      await client.exchange("GET /warm HTTP/1.1\r\nHost: x\r\n\r\n")
      await Bun.sleep(IDLE_MS + chance.between(0, 300))
      const method = index % 3 === 0 ? "POST" : "GET"
      const { status } = await client.exchange(`${method} /${index} HTTP/1.1\r\nHost: x\r\n\r\n`)
      statuses.push(status)
      if (method === "GET") expect(status).toBe(200)
      else expect([200, 502]).toContain(status)
      expect(arrivals.counts.get(`/${index}`) ?? 0).toBeLessThanOrEqual(method === "POST" ? 1 : 2)
      await client.close()
    }),
  )
  expect(statuses).toHaveLength(TRIALS)
  await comesToRest(balancer)
}, 30_000)
