/** What is counted for backends that have left: it stays, within bounds. */
import { expect, test } from "bun:test"
import type { Samples } from "../../src/observe/snapshot.ts"
import { PastBackends } from "../../src/worker/past-backends.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const figures = (name: string, requests: number) => {
  const labels = `backend="${name}",code="200"`
  const samples: Samples = {
    bunlb_requests_total: { [labels]: requests },
    bunlb_request_duration_seconds_count: { [labels]: requests },
    bunlb_backend_up: { [`backend="${name}"`]: 1 },
  }
  return { samples, requests, failures: 1 }
}

test("counters stay and gauges go; who leaves twice has both", () => {
  const past = new PastBackends()
  past.bury("a:80", figures("a:80", 5), () => false)
  past.bury("a:80", figures("a:80", 2), () => false)
  const labels = 'backend="a:80",code="200"'
  const samples: Samples = { bunlb_requests_total: { [labels]: 1 } }
  past.collect(samples)
  expect(samples).toEqual({
    bunlb_requests_total: { [labels]: 8 },
    bunlb_request_duration_seconds_count: { [labels]: 7 },
  })
  expect(past.of("a:80")).toMatchObject({ requests: 7, failures: 2 })
})

test("64 are remembered, and all that have come back", () => {
  const past = new PastBackends()
  for (let i = 0; i < 80; i++) past.bury(`h${i}`, figures(`h${i}`, 1), (name) => name === "h3")
  const samples: Samples = {}
  past.collect(samples)
  const names = Object.keys(samples["bunlb_requests_total"] ?? {})
  expect(names).toHaveLength(64)
  expect(names[0]).toContain('"h3"')
  expect(past.of("h16").requests).toBe(0)
  expect(past.of("h17").requests).toBe(1)
})

test("no total falls when a backend leaves, comes back, or begins anew under its name", async () => {
  using a = await ScriptedBackend.start(answering(() => "a"))
  using b = await ScriptedBackend.start(answering(() => "b"))
  const balancer = await TestBalancer.start([a.port, b.port])
  const ask = async (count: number): Promise<void> => {
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < count; i++) await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.close()
  }
  const total = (family: string): number =>
    Object.values(balancer.report().samples[family] ?? {}).reduce((sum, each) => sum + each, 0)
  const totals = () => [total("bunlb_requests_total"), total("bunlb_dials_total")]
  const rowOf = (port: number) =>
    balancer.report().backends.find(({ name }) => name === `127.0.0.1:${port}`)
  await ask(8)
  expect(totals()).toEqual([8, 2])
  await balancer.apply([b.port])
  await until(() => rowOf(a.port) === undefined, PATIENCE_MS, "the removed one to be done")
  expect(totals()).toEqual([8, 2])
  expect(balancer.report().samples["bunlb_backend_up"]).toEqual({
    [`backend="127.0.0.1:${b.port}"`]: 1,
  })
  await balancer.apply([a.port, b.port])
  await ask(2)
  expect(totals()).toEqual([10, 3])
  expect(rowOf(a.port)?.requests).toBe(5)
  // The same name with TLS is another backend that has the figures of both, once.
  await balancer.apply([{ port: a.port, tls: true }, b.port])
  await balancer.apply([a.port, b.port])
  await until(() => totals()[0] === 10, PATIENCE_MS, "the figures of one")
  await ask(2)
  expect(totals()[0]).toBe(12)
})
