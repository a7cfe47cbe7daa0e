/** A backend that takes a request slowly is slow, not late: it is judged by what it has acknowledged. */
import { expect } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import { SlowReader } from "../support/slow-reader.ts"

const test = onLinux("slow backends", "the reader's socket is made of calls of Linux")
const timeouts = { backendBody: 400, responseHead: 400, clientBody: 400 }

/** Reads each body in steps of `bytes` for a while, then the rest, and answers with its length. */
async function slow(length: number, bytes: number) {
  return ScriptedBackend.start(async (connection) => {
    connection.pause()
    const reader = SlowReader.over(connection.socket, 64 * 1024)
    await reader.receive(bytes)
    const end = reader.received.indexOf("\r\n\r\n") + 4
    for (let step = 0; step < 40; step++) {
      await reader.receive(bytes)
      await Bun.sleep(50)
    }
    await reader.receive(end + length - reader.taken)
    await connection.send(answer(200, String(reader.taken - end)))
  })
}

const post = (length: number): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`

test.each([
  ["all of which the kernel holds", 900_000, 16_384],
  ["of which a part waits in bunlb", 12_000_000, 16_384],
] as const)("a body %s is taken slowly", async (_where, length, step) => {
  using backend = await slow(length, step)
  const balancer = await TestBalancer.start([backend.port], { timeouts })
  const client = await RawClient.connect(balancer.port)
  void client.send(post(length))
  void client.send(Buffer.alloc(length, "x"))
  const response = await client.receiveResponse({}, 15_000)
  expect([response.status, response.body.toString()]).toEqual([200, String(length)])
  await client.close()
  await comesToRest(balancer)
})

test.each([600_000, 12_000_000])("one that stops taking %d bytes is late", async (length) => {
  using backend = await ScriptedBackend.start((connection) => connection.pause())
  const balancer = await TestBalancer.start([backend.port], { timeouts })
  const client = await RawClient.connect(balancer.port)
  void client.send(post(length))
  void client.send(Buffer.alloc(length, "x"))
  const began = performance.now()
  expect((await client.receiveResponse()).status).toBe(504)
  expect(performance.now() - began).toBeGreaterThan(350)
  client.reset()
  await comesToRest(balancer)
})

test("one that thinks for longer than response_head is late, as before", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
  })
  const balancer = await TestBalancer.start([backend.port], { timeouts })
  const client = await RawClient.connect(balancer.port)
  const began = performance.now()
  expect((await client.exchange(`${post(4)}body`)).status).toBe(504)
  expect(performance.now() - began).toBeLessThan(2000)
  await client.close()
  await comesToRest(balancer)
})
