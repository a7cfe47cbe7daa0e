/** A backend whose machine has vanished: probes find it out, and requests that wait for it do not go on waiting. */
import { describe, expect } from "bun:test"
import { dropNewConnectionsTo } from "../support/port-sockets.ts"
import { SILENT_MS } from "../../src/net/linux/keepalive.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { sideBySide } from "../support/side-by-side.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"
import { vanishAt } from "../support/vanish.ts"

const test = sideBySide(
  onLinux("a backend that vanishes", "its kernel can drop packets by their hops"),
)
const get = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
const post = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
const put = post.replace("POST", "PUT")

/** A backend that says nothing after `words`, another that takes over, and a client. No time limit is near. */
async function scene(words: string = "", part: SettingsPart = {}) {
  const backend = await ScriptedBackend.start(async (connection: BackendConnection) => {
    const { target } = await connection.receiveRequestHead()
    if (target === "/slow") await connection.send(words)
  })
  const other = await ScriptedBackend.start(answering(({ method }) => `other ${method}`))
  const balancer = await TestBalancer.start([backend.port, { port: other.port, backup: true }], {
    health: { type: "tcp", interval: 100, timeout: 200, failures: 3 },
    ...part,
  })
  const client = await RawClient.connect(balancer.port)
  const arrived = (): Promise<unknown> =>
    until(() => backend.connections.some((each) => each.bytesReceived > 0), 3000, "the request")
  const close = (): void => {
    backend.stop()
    other.stop()
  }
  return { backend, other, balancer, client, arrived, [Symbol.dispose]: close }
}

/** Nobody is served any more; the probe that is always under way does not count. */
async function rests(balancer: TestBalancer): Promise<void> {
  const busy = (): number =>
    balancer.figure("bunlb_client_connections") +
    balancer.figure("bunlb_backend_connections", 'state="active"')
  await until(() => busy() === 0, 3000, "rest")
}

describe("a request that waits for a backend that probes find vanished", () => {
  test.each([
    ["GET", get],
    ["PUT", put],
  ])("goes to another: %s", async (method, request) => {
    using at = await scene()
    await at.client.send(request)
    await at.arrived()
    vanishAt(at.backend.port)
    const response = await at.client.receiveResponse()
    expect([response.status, response.body.toString()]).toEqual([200, `other ${method}`])
    expect(at.balancer.figure("bunlb_retries_total")).toBe(1)
    await at.client.close()
    await rests(at.balancer)
  })

  test.each([
    ["is a POST", post, {}],
    ["has no budget left", get, { retries: { budgetPercent: 0, budgetFloor: 0 } }],
  ])("fails at once when it %s", async (_why, request, part) => {
    using at = await scene("", part)
    await at.client.send(request)
    await at.arrived()
    vanishAt(at.backend.port)
    expect((await at.client.receiveResponse()).status).toBe(502)
    expect(at.other.requests).toHaveLength(0)
    await at.client.close()
    await rests(at.balancer)
  })

  test("goes on when its response has begun", async () => {
    using at = await scene("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
    await at.client.send(get)
    await at.client.receiveUntil("ha")
    vanishAt(at.backend.port)
    const down = (): boolean =>
      at.balancer.figure("bunlb_backend_up", `backend="127.0.0.1:${at.backend.port}"`) === 0
    await until(down, 5000, "the verdict")
    await Bun.sleep(300)
    expect(at.client.ending).toBeNull()
    expect(at.balancer.figure("bunlb_backend_connections", 'state="active"')).toBe(1)
    at.client.reset()
    await rests(at.balancer)
  })
})

/** So it is when its queue of new connections is full: the kernel drops what would connect. */
test("a backend that nobody new can reach may finish what it has begun", async () => {
  const go = Promise.withResolvers<void>()
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    await go.promise
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
  })
  const balancer = await TestBalancer.start([backend.port], {
    health: { type: "tcp", interval: 100, timeout: 200, failures: 3 },
  })
  const client = await RawClient.connect(balancer.port)
  await client.send(post)
  await until(() => backend.connections.some((each) => each.bytesReceived > 0), 3000, "the request")
  dropNewConnectionsTo(backend.port)
  const name = `backend="127.0.0.1:${backend.port}"`
  await until(() => balancer.figure("bunlb_backend_up", name) === 0, 5000, "the verdict")
  // Longer than it takes to find out that one has vanished.
  await Bun.sleep(SILENT_MS + 2000)
  go.resolve()
  expect((await client.receiveResponse()).body.toString()).toBe("done")
  await client.close()
})

test.each([
  ["refuses probes", "tcp"],
  ["answers them badly", "http"],
] as const)("a backend that %s may finish what it has begun", async (_what, type) => {
  const go = Promise.withResolvers<void>()
  using backend = await ScriptedBackend.start(async (connection) => {
    const { target } = await connection.receiveRequestHead()
    if (target !== "/slow") {
      await connection.send("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
      return
    }
    await go.promise
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
  })
  using other = await ScriptedBackend.start(answering(() => "other"))
  const health = { type: "none" as const, interval: 100, timeout: 200, failures: 3 }
  const backends = [backend.port, { port: other.port, backup: true }]
  const balancer = await TestBalancer.start(backends, { health })
  const client = await RawClient.connect(balancer.port)
  await client.send(get)
  await until(() => backend.accepted === 1, 3000, "the request")
  const name = `backend="127.0.0.1:${backend.port}"`
  if (type === "tcp") backend.refuse()
  await balancer.apply(backends, { health: { ...health, type } })
  await until(() => balancer.figure("bunlb_backend_up", name) === 0, 5000, "the verdict")
  await Bun.sleep(400)
  go.resolve()
  expect((await client.receiveResponse()).body.toString()).toBe("done")
  await client.close()
})
