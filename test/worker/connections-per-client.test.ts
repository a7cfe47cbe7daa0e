/** Scenario 34: one address has as many connections as it may, and others do not notice. */
import { describe, expect, test } from "bun:test"
import { ConnectionsPerClient } from "../../src/worker/connections-per-client.ts"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { rng, until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const limits = (connectionsPerClient: number): SettingsPart => ({
  limits: { connectionsPerClient },
})

async function connect(balancer: TestBalancer, count: number, from = "127.0.0.1") {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    clients.push(await RawClient.connect(balancer.port, "127.0.0.1", { from }))
  }
  return clients
}

async function statusesOf(clients: readonly RawClient[]): Promise<number[]> {
  const statuses: number[] = []
  for (const client of clients) statuses.push((await client.exchange(get)).status)
  return statuses
}

const refused = (balancer: TestBalancer): number =>
  balancer.figure("bunlb_rejected_requests_total", 'reason="crowd"')

describe("34: limits.connections_per_client", () => {
  onLinux("clients at 127.0.0.2", "it is no address there")(
    "is kept for each address: one more is told so and closed, others are served",
    async () => {
      using backend = await ScriptedBackend.start(answering(() => "a"))
      const balancer = await TestBalancer.start([backend.port], limits(3))
      const clients = await connect(balancer, 3)
      const [tooMany] = await connect(balancer, 1)
      const response = await tooMany?.receiveResponse()
      expect([response?.status, response?.field("connection")]).toEqual([429, "close"])
      expect(response?.body.toString()).toBe("429 too many connections from this address\n")
      expect((await tooMany?.receiveRest())?.length).toBe(0)
      const others = await connect(balancer, 3, "127.0.0.2")
      expect(await statusesOf([...clients, ...others])).toEqual(Array(6).fill(200))
      expect(refused(balancer)).toBe(1)
      await tooMany?.close()
      await clients.pop()?.close()
      // Whoever leaves makes room.
      const served = async (): Promise<boolean> => {
        const [next] = await connect(balancer, 1)
        const status = await next?.exchange(get)
        await next?.close()
        return status?.status === 200
      }
      await until(served, 3000, "room for one")
      for (const client of [...clients, ...others]) await client.close()
      await comesToRest(balancer)
    },
  )

  test("does not count for trusted proxies, who bring many clients", async () => {
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const part = { ...limits(1), trustedProxies: ["127.0.0.1"] }
    const balancer = await TestBalancer.start([backend.port], part)
    const clients = await connect(balancer, 10)
    expect(await statusesOf(clients)).toEqual(Array(10).fill(200))
    for (const client of clients) await client.close()
    await comesToRest(balancer)
  })

  test("may come and go with a reload: who is in stays", async () => {
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const balancer = await TestBalancer.start([backend.port])
    const clients = await connect(balancer, 5)
    expect(await statusesOf(clients)).toEqual(Array(5).fill(200))
    await balancer.apply([backend.port], limits(2))
    expect(await statusesOf(clients)).toEqual(Array(5).fill(200))
    const late = await connect(balancer, 1)
    expect((await late[0]?.receiveResponse())?.status).toBe(429)
    await balancer.apply([backend.port], limits(0))
    late.push(...(await connect(balancer, 1)))
    expect(await statusesOf(late.slice(1))).toEqual([200])
    for (const client of [...clients, ...late]) await client.close()
    await comesToRest(balancer)
  })

  onLinux("a flood beside 127.0.0.2", "it is no address there")(
    "holds against a flood from one address, and the counts return to nothing",
    async () => {
      using backend = await ScriptedBackend.start(answering(() => "a"))
      const balancer = await TestBalancer.start([backend.port], limits(10))
      const [honest] = await connect(balancer, 1, "127.0.0.2")
      const flood = await connect(balancer, 300)
      expect((await honest?.exchange(get))?.status).toBe(200)
      await until(() => refused(balancer) === 290, 3000, "refusals")
      for (const client of flood) client.reset()
      await honest?.close()
      await comesToRest(balancer)
      const again = await connect(balancer, 10)
      expect(await statusesOf(again)).toEqual(Array(10).fill(200))
      for (const client of again) await client.close()
    },
  )
})

test("a crowd is forgotten when the last of it has left", () => {
  const crowds = new ConnectionsPerClient()
  const inside: string[] = []
  const chance = rng(34)
  for (let step = 0; step < 10_000; step++) {
    if (inside.length > 0 && chance.between(0, 1) === 0) {
      const [gone = ""] = inside.splice(chance.between(0, inside.length - 1), 1)
      crowds.leave(gone)
    } else {
      const address = `10.0.0.${chance.between(0, 9)}`
      inside.push(address)
      expect(crowds.enter(address)).toBe(inside.filter((each) => each === address).length)
    }
    expect(crowds.size).toBe(new Set(inside).size)
  }
  for (const address of inside) crowds.leave(address)
  expect(crowds.size).toBe(0)
})
