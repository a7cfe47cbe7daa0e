/** Reuse of backend connections, counted at the backend. */
import { expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

test("100 requests of one client travel on one connection to the backend", async () => {
  using backend = await ScriptedBackend.start(answering(({ target }) => target))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 100; i++) {
    await client.send(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await client.receiveResponse()).body.toString()).toBe(`/${i}`)
  }
  expect(backend.accepted).toBe(1)
  expect(balancer.figure("bunlb_pool_reuses_total")).toBe(99)
  expect(balancer.figure("bunlb_dials_total", 'result="ok"')).toBe(1)
})
