/** The Forwarded field (RFC 7239), for those who ask for it. */
import { expect, test } from "bun:test"
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
