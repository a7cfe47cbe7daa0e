/** What bunlb keeps in memory for a request that is under way. */
import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

/** Bytes of all buffers that something still refers to. */
function buffered(): number {
  Bun.gc(true)
  return heapStats().extraMemorySize
}

test("a body that has been sent and cannot be sent again is not kept until the response", async () => {
  const size = 400_000
  let arrived = 0
  using backend = await ScriptedBackend.start((connection) => {
    connection.sink((bytes) => void (arrived += bytes.length))
  })
  const balancer = await TestBalancer.start([backend.port])
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`
  const request = Buffer.from(head + "x".repeat(size))
  const before = buffered()
  const count = 20
  const clients: RawClient[] = []
  for (let i = 1; i <= count; i++) {
    const client = await RawClient.connect(balancer.port)
    clients.push(client)
    await client.send(request)
    await until(() => arrived > i * size, PATIENCE_MS, "the body")
  }
  expect(buffered() - before).toBeLessThan((count * size) / 8)
  for (const client of clients) client.reset()
})
