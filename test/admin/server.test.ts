/** The admin listener over real sockets. */
import { expect, test } from "bun:test"
import { startAdmin } from "../../src/admin/server.ts"
import type { AdminSource } from "../../src/admin/server.ts"
import type { FleetStatus } from "../../src/fleet/status.ts"

const status: FleetStatus = {
  ...{ version: "1.2.3", mode: "mp", port: 80, uptime: 1, draining: false },
  ...{ workers: [], backends: [] },
}
const source: AdminSource = {
  health: () => ({ ok: true, reason: "ok" }),
  metrics: async () => "bunlb_workers 2\n",
  status: async () => status,
}

async function listen(more: Partial<AdminSource> = {}) {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, { ...source, ...more })
  const ask = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${admin.port}${path}`, init)
  return { ask, port: admin.port, [Symbol.asyncDispose]: () => admin.stop() }
}

test("/metrics, /health and /api/v1/status", async () => {
  await using admin = await listen()
  const metrics = await admin.ask("/metrics")
  expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
  expect(await metrics.text()).toBe("bunlb_workers 2\n")
  const health = await admin.ask("/health")
  expect([health.status, await health.text()]).toEqual([200, "ok\n"])
  const shown = await admin.ask("/api/v1/status?pretty")
  expect(shown.headers.get("cache-control")).toBe("no-store")
  expect(await shown.json()).toEqual(status)
})

test("/health is 503 with the reason when nothing can be served", async () => {
  await using admin = await listen({ health: () => ({ ok: false, reason: "no worker serves" }) })
  const health = await admin.ask("/health")
  expect([health.status, await health.text()]).toEqual([503, "no worker serves\n"])
})

test("HEAD is GET without a body", async () => {
  await using admin = await listen()
  const head = await admin.ask("/metrics", { method: "HEAD" })
  expect([head.status, await head.text()]).toEqual([200, ""])
})

test("other paths are 404 and other methods 405, both as JSON", async () => {
  await using admin = await listen()
  const missing = await admin.ask("/nothing")
  expect(missing.status).toBe(404)
  expect(await missing.json()).toMatchObject({ error: { code: "not_found" } })
  const wrong = await admin.ask("/health", { method: "POST", body: "x" })
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"])
  expect(await wrong.json()).toMatchObject({ error: { code: "method_not_allowed" } })
})

test("a source that fails is a 500 without a stack trace", async () => {
  await using admin = await listen({ metrics: () => Promise.reject(new Error("secret")) })
  const failed = await admin.ask("/metrics")
  expect(failed.status).toBe(500)
  expect(await failed.text()).not.toContain("secret")
})

test("an address that cannot be bound is one line that names --admin", async () => {
  await using admin = await listen()
  expect(startAdmin({ host: "127.0.0.1", port: admin.port }, source)).rejects.toMatchObject({
    code: "BUNLB_E_PORT_IN_USE",
    message: expect.stringContaining("--admin off"),
  })
  expect(startAdmin({ host: "192.0.2.1", port: 0 }, source)).rejects.toMatchObject({
    code: "BUNLB_E_ADDRESS",
  })
})
