/** A TLS backend whose name has two addresses: a bad certificate at one of them hides neither the other nor itself. */
import { expect } from "bun:test"
import type { Lookup } from "../../src/net/names/resolver.ts"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import { isLinux, withPrograms } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { GET } from "./tls-backend.ts"

const withOpenssl = withPrograms("TLS to backends", "openssl")
/** Elsewhere 127.0.0.2 is no address. */
const linux = isLinux ? withOpenssl : withOpenssl.skip
const health = { type: "http", interval: 50, failures: 2 } as const
const lookup: Lookup = async () => [
  { address: "127.0.0.1", family: 4, ttl: 30 },
  { address: "127.0.0.2", family: 4, ttl: 30 },
]

async function balancerTo(port: number) {
  const part = { port, host: "localhost", tls: true, ca: certificates().caFile }
  const balancer = await TestBalancer.start([part], { health, pool: { idle: 0 } }, null, lookup)
  return { balancer, client: await RawClient.connect(balancer.port) }
}

linux("the address with a good certificate serves, and the backend stays healthy", async () => {
  const { good, expired } = certificates()
  using bad = await ScriptedBackend.start(
    answering(() => "bad"),
    { tls: expired },
  )
  using _good = await ScriptedBackend.start(
    answering(() => "good"),
    { tls: good, host: "127.0.0.2", port: bad.port },
  )
  const { balancer, client } = await balancerTo(bad.port)
  for (let i = 0; i < 6; i++) {
    const { status, body } = await client.exchange(GET)
    expect([status, body.toString()]).toEqual([200, "good"])
  }
  await until(() => balancer.figure("bunlb_probes_total", '"ok"') >= 4, PATIENCE_MS, "4 probes")
  expect(balancer.changes).toEqual([])
  expect(bad.connections.every(({ bytesReceived }) => bytesReceived === 0)).toBe(true)
})

linux("where the other address is refused, the certificate's fault is told", async () => {
  using bad = await ScriptedBackend.start(
    answering(() => "bad"),
    { tls: certificates().expired },
  )
  const { balancer, client } = await balancerTo(bad.port)
  for (let i = 0; i < 2; i++) {
    const { status, body } = await client.exchange(GET)
    expect([status, body.toString()]).toEqual([502, expect.stringContaining("certificate expired")])
  }
  await until(() => balancer.changes.length > 0, PATIENCE_MS, "a change of health")
  expect(balancer.changes[0]?.reason).toContain("certificate expired")
})
