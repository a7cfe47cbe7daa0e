/**
 * Backends that come, leave while they are busy, and return, under traffic, with names whose look-ups take their time:
 * no request fails, the counters add up, and in the end everybody has an equal share.
 */
import { expect, test } from "bun:test"
import type { Lookup } from "../../src/net/names/resolver.ts"
import { type BackendPart, TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend } from "../support/scripted-backend.ts"
import { PATIENCE_MS, rng, until } from "../support/until.ts"

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const CHANGES = 60

test("44: membership changes at random under traffic", async () => {
  const random = rng(44)
  const all = await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      const server = await ScriptedBackend.start(async (connection) => {
        for (;;) {
          await connection.receiveRequest()
          if (random.next() < 0.3) await Bun.sleep(random.between(1, 15))
          await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${i}`)
        }
      })
      const part: BackendPart = {
        port: server.port,
        host: `h${i}.test`,
        name: `h${i}.test:${server.port}`,
      }
      return { server, part }
    }),
  )
  using stack = new DisposableStack()
  for (const { server } of all) stack.use(server)
  const lookup: Lookup = async () => {
    await Bun.sleep(random.between(0, 4))
    return [{ address: "127.0.0.1", family: 4, ttl: 1 }]
  }
  const parts = all.map(({ part }) => part)
  const balancer = await TestBalancer.start(parts, {}, null, lookup)
  let running = true
  const answers: string[] = []
  const client = async (): Promise<void> => {
    const connection = await RawClient.connect(balancer.port)
    while (running) {
      const { status, body } = await connection.exchange(GET)
      answers.push(status === 200 ? body.toString() : String(status))
    }
    await connection.close()
  }
  const clients = Array.from({ length: 8 }, client)
  for (let change = 0; change < CHANGES; change++) {
    const chosen = parts.filter(() => random.next() < 0.5)
    const weight = random.between(1, 3)
    await balancer.apply((chosen.length > 0 ? chosen : parts).map((part) => ({ ...part, weight })))
    await Bun.sleep(random.between(0, 10))
  }
  await balancer.apply(parts)
  running = false
  await Promise.all(clients)
  expect(answers.filter((answer) => !/^[0-5]$/.test(answer))).toEqual([])
  expect(new Set(answers).size).toBe(6)
  await until(() => balancer.report().backends.length === 6, PATIENCE_MS, "those that have left")
  expect(balancer.figure("bunlb_requests_total", "backend=")).toBe(answers.length)
  // Everybody has a share again, and an equal one.
  const last: string[] = []
  const connection = await RawClient.connect(balancer.port)
  for (let i = 0; i < 24; i++) last.push((await connection.exchange(GET)).body.toString())
  for (const name of "012345") expect(last.filter((each) => each === name)).toHaveLength(4)
}, 20_000)
