/** The Forwarded field (RFC 7239) and Via, for those who ask for them, and the port that a client connected to. */
import { describe, expect, test } from "bun:test"
import { type SettingsPart, TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

async function forwardedSeen(part: SettingsPart, field: string): Promise<string | null> {
  using backend = await ScriptedBackend.start(answering(() => "ok"))
  const balancer = await TestBalancer.start([backend.port], part)
  const client = await RawClient.connect(balancer.port)
  await client.exchange(`GET / HTTP/1.1\r\nHost: x\r\n${field}\r\n`)
  client.close()
  return backend.requests[0]?.field("forwarded") ?? null
}

const claim = "Forwarded: for=10.0.0.9;proto=https\r\n"

test("off by default: what an untrusted client claims is dropped and nothing is added", async () => {
  expect(await forwardedSeen({}, claim)).toBeNull()
})

test("on: an untrusted client's claim is replaced", async () => {
  expect(await forwardedSeen({ forwarded: true }, claim)).toBe("for=127.0.0.1;proto=http")
})

test("on: a trusted proxy's list goes on", async () => {
  const part = { forwarded: true, trustedProxies: ["127.0.0.1"] }
  expect(await forwardedSeen(part, claim)).toBe(
    "for=10.0.0.9;proto=https, for=127.0.0.1;proto=http",
  )
})

describe("Via", () => {
  const settings = ["off", "request", "response", "both"] as const
  test.each(settings)("%s: in the messages that are asked for", async (via) => {
    using backend = await ScriptedBackend.start(answering(() => "ok"))
    const balancer = await TestBalancer.start([backend.port], { via })
    const client = await RawClient.connect(balancer.port)
    const response = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.close()
    const wanted = (kind: string) => (via === kind || via === "both" ? "1.1 bunlb" : null)
    expect(backend.requests[0]?.field("via")).toBe(wanted("request"))
    expect(response.field("via")).toBe(wanted("response"))
    expect(response.body.toString()).toBe("ok")
  })

  test("a reload turns it on for connections that are open", async () => {
    using backend = await ScriptedBackend.start(answering(() => "ok"))
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await balancer.apply([backend.port], { via: "both", forwardedKeep: ["x-forwarded-prefix"] })
    const text = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Prefix: /a\r\n\r\n"
    expect((await client.exchange(text)).field("via")).toBe("1.1 bunlb")
    await client.close()
    const [first, second] = backend.requests
    expect([first?.field("via"), second?.field("via")]).toEqual([null, "1.1 bunlb"])
    expect(second?.field("x-forwarded-prefix")).toBe("/a")
  })
})

test("HTTP/1.0 without a host tells the port where bunlb listens", async () => {
  using backend = await ScriptedBackend.start(answering(() => "ok"))
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  await client.exchange("GET / HTTP/1.0\r\n\r\n")
  await client.close()
  expect(backend.requests[0]?.field("x-forwarded-port")).toBe(String(balancer.port))
})
