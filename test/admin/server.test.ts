/** The admin listener over real sockets. */
import { describe, expect, test } from "bun:test"
import { startAdmin } from "../../src/admin/server.ts"
import { RawClient } from "../support/raw-client.ts"
import { EventReader } from "./event-reader.ts"
import type { AdminSource } from "../../src/admin/server.ts"
import type { Live } from "../../src/master/figures/live.ts"
import type { FleetStatus } from "../../src/master/figures/status.ts"

const status: FleetStatus = {
  ...{ version: "1.2.3", mode: "mp", port: 80, uptime: 1, draining: false },
  ...{ workers: [], backends: [] },
}
const live: Live = {
  ...{ at: 5, status, backends: [], moment: [5, 1, 0, 0, 0, 2, 3, 4, 5] },
  whole: {
    ...{ requests: 1, classes: [0, 1, 0, 0, 0], p50: 2, p99: 3 },
    ...{ reuse: null, failures: 0, received: 0, sent: 0, cut: 0 },
  },
}
const source: AdminSource = {
  health: () => ({ ok: true, reason: "ok" }),
  ready: () => ({ ok: true, reason: "ok" }),
  pulse: async () => ({ ok: true, reason: "ok" }),
  metrics: async () => ["bunlb_work", "ers 2\n"].map((text) => new TextEncoder().encode(text)),
  status: async () => status,
  live: async () => live,
  past: () => ({ moments: [live.moment], journal: [] }),
}

async function listen(more: Partial<AdminSource> = {}) {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, { ...source, ...more })
  const ask = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${admin.port}${path}`, init)
  return { ask, port: admin.port ?? 0, [Symbol.asyncDispose]: () => admin.stop() }
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
  const ready = await admin.ask("/health/ready")
  expect([ready.status, await ready.text()]).toEqual([200, "ok\n"])
})

test("/api/v1/live, and /api/v1/events with what was and what is", async () => {
  await using admin = await listen()
  expect(await (await admin.ask("/api/v1/live")).json()).toEqual(live)
  const events = await admin.ask("/api/v1/events")
  expect(events.headers.get("content-type")).toBe("text/event-stream")
  const reader = new EventReader(events)
  expect(await reader.next()).toEqual(["past", { moments: [live.moment], journal: [] }])
  for (let i = 0; i < 2; i++)
    expect(await reader.next()).toEqual(["live", { ...live, journal: [] }])
  await reader.leave()
})

test("the page at / runs its own style and script, and nothing else", async () => {
  await using admin = await listen()
  const page = await admin.ask("/")
  const html = await page.text()
  const policy = page.headers.get("content-security-policy") ?? ""
  expect(policy).toStartWith("default-src 'none'; ")
  expect(policy).not.toContain("unsafe")
  for (const tag of ["script", "style"]) {
    const texts = [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>(.*?)</${tag}>`, "gs"))]
    const hash = new Bun.CryptoHasher("sha256").update(texts[0]?.[1] ?? "").digest("base64")
    expect([tag, texts.length, policy.includes(`${tag}-src 'sha256-${hash}'`)]).toEqual([
      tag,
      1,
      true,
    ])
  }
  const addresses = [...html.matchAll(/https?:\/\/[^'" )]+/g)].map(([address]) => address)
  expect(new Set(addresses)).toEqual(new Set(["http://www.w3.org/2000/svg"]))
  expect(html).not.toMatch(
    /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function/,
  )
  expect(html).not.toMatch(/\sstyle="|\son[a-z]+="/)
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

test("nothing but health is told to who asks for another machine: a name that was made to point here", async () => {
  await using admin = await listen()
  const headers = { host: "rebound.example:9900" }
  for (const path of ["/", "/metrics", "/api/v1/status", "/api/v1/events", "/nothing"]) {
    const response = await admin.ask(path, { headers })
    expect([path, response.status, ((await response.json()) as Fault).error.code]).toEqual([
      path,
      403,
      "bad_host",
    ])
  }
  expect((await admin.ask("/health", { headers })).status).toBe(200)
  for (const host of ["localhost:1", "127.0.0.1", "[::1]:9900"]) {
    expect((await admin.ask("/metrics", { headers: { host } })).status).toBe(200)
  }
})

interface Fault {
  readonly error: { readonly code: string }
}

describe("an odd Host field", () => {
  const statusFor = async (port: number, path: string, host: string | null): Promise<number> => {
    const client = await RawClient.connect(port)
    const field = host === null ? "" : `Host: ${host}\r\n`
    const version = host === null ? "1.0" : "1.1"
    const { status } = await client.exchange(
      `GET ${path} HTTP/${version}\r\n${field}Connection: close\r\n\r\n`,
    )
    client.reset()
    return status
  }
  const odd = [
    ..."127.0.0.1:99999|a b|[|[::1|]|::1|[::1]:x|a:b:c|%zz|%00|a/b|a?b|a#b|a@b|@|\\|a\\b".split(
      "|",
    ),
    ..."<x> : xn-- \u00e9 1.2.3.4.5 256.256.256.256 localhost:abc localhost:-1 [zz]".split(" "),
    ..."a^b a`b {} http://x localhost#".split(" "),
    ...["a\tb", "a|b"],
  ]

  test("is 400 for every page", async () => {
    await using admin = await listen()
    for (const host of odd) {
      for (const path of ["/health", "/metrics", "//", "/api/v1/explain?x=1"]) {
        expect([host, path, await statusFor(admin.port, path, host)]).toEqual([host, path, 400])
      }
    }
  })

  test("none at all, as in HTTP/1.0, is answered where no name matters", async () => {
    await using admin = await listen()
    for (const host of [null, "", "  "]) {
      expect(await statusFor(admin.port, "/health", host)).toBe(200)
      expect(await statusFor(admin.port, "/metrics", host)).toBe(403)
      expect(await statusFor(admin.port, "//other/health", host)).toBe(403)
    }
  })
})

test("a crowd that asks for the same figures gets them made once, or is told to come again", async () => {
  const made = { metrics: 0, status: 0, live: 0, pulse: 0 }
  const slow =
    <T>(name: keyof typeof made, value: T) =>
    async (): Promise<T> => {
      made[name]++
      await Bun.sleep(100)
      return value
    }
  await using admin = await listen({
    metrics: slow("metrics", [new TextEncoder().encode("figures")]),
    status: slow("status", status),
    live: slow("live", live),
    pulse: slow("pulse", { ok: true, reason: "ok" }),
  })
  const crowd = async (path: string): Promise<Response[]> =>
    await Promise.all(Array.from({ length: 60 }, () => admin.ask(path)))
  for (const path of ["/metrics", "/api/v1/status", "/api/v1/live"]) {
    const answers = await crowd(path)
    expect(answers.some((each) => each.status === 200)).toBe(true)
    for (const each of answers) {
      expect([200, 503]).toContain(each.status)
      if (each.status === 503) expect(each.headers.get("retry-after")).toBe("1")
    }
  }
  for (const each of await crowd("/health/workers")) expect(each.status).toBe(200)
  for (const count of Object.values(made)) expect(count).toBeLessThan(10)
})
