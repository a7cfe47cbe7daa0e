/**
 * Scenario 22, at its narrowest: an answer that nobody asked for lies in the kernel, and bunlb has not read it yet,
 * when the next request is about to take the connection.
 */
import { expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

const TRIALS = 200
const other = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

test.each(["GET", "HEAD", "PUT", "POST"])(
  `22: of ${TRIALS} requests by %s none gets the answer that lies in the kernel`,
  async (method) => {
    using backend = await ScriptedBackend.start(answering(({ target }) => target))
    const balancer = await TestBalancer.start([backend.port])
    const head = method === "HEAD"
    let poisoned = 0
    for (let trial = 0; trial < TRIALS; trial++) {
      const client = await RawClient.connect(balancer.port)
      await client.exchange("GET /warm HTTP/1.1\r\nHost: x\r\n\r\n")
      const far = backend.connections.findLast(({ ending }) => ending === null)
      // In one turn and in this order: bunlb reads the request first, and the answer has come by then.
      const own = `/${trial}`
      void client.send(`${method} ${own} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      void far?.send(other)
      const response = await client.receiveResponse({ head })
      const length = response.field("content-length")
      if (head ? length === "6" : response.body.toString() !== own) poisoned++
      client.reset()
    }
    expect(poisoned).toBe(0)
  },
)
