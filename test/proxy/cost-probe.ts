/**
 * What a request costs bunlb beyond what the bare relay pays, on this machine and now. As a program of its own, so
 * that no other test has had a hand in how the code was compiled. Prints JSON for cost.test.ts.
 *
 * Client, backend, relay and balancer share the process. Three ways are measured in turn, round after round: straight
 * to the backend, through the relay, through the balancer. What the first costs is taken off the other two; their
 * ratio depends little on the machine. The first quartile of the rounds is what noise has left alone.
 *
 * `slowed` is the same with a delay put into the data path, of 30% of what a request costs bunlb.
 */
import { startRelay } from "../../scripts/bench/relay.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import { ClientConnection } from "../../src/proxy/client/client-connection.ts"
import { startWorker } from "../../src/worker/worker.ts"
import { Pump, startPumpBackend } from "./pump.ts"

const CONNECTIONS = 16
const WARM_UP = 20_000
const ROUNDS = 20
const REQUESTS = 1000
const SLOW_DOWN = 0.3

interface Costs {
  /** CPU us for a request. */
  readonly direct: number
  readonly relay: number
  readonly balancer: number
}

export interface CostReport {
  readonly plain: Costs
  readonly slowed: Costs
}

/** What the balancer costs, as a multiple of what the relay costs. */
export function ratioOf({ direct, relay, balancer }: Costs): number {
  return (balancer - direct) / (relay - direct)
}

if (import.meta.main) {
  const report = await probe()
  console.log(JSON.stringify(report))
  process.exit(0)
}

async function probe(): Promise<CostReport> {
  const { port: backend } = startPumpBackend()
  const pumps = [
    await Pump.connect(backend, CONNECTIONS),
    await Pump.connect(startRelay(0, backend, false).port, CONNECTIONS),
    await Pump.connect(await startBalancer(backend), CONNECTIONS),
  ]
  for (const pump of pumps) await pump.run(WARM_UP)
  const plain = await measure(pumps)
  slowDown((plain.balancer - plain.direct) * SLOW_DOWN)
  return { plain, slowed: await measure(pumps) }
}

async function startBalancer(port: number): Promise<number> {
  const defaults = defaultSettings({ platform: "linux", cpus: 1 })
  const backend = { name: "b", host: "127.0.0.1", port, tls: false, weight: 1, backup: false }
  const settings = withDefaults({
    ...defaults,
    host: "127.0.0.1",
    port: 0,
    health: { ...defaults.health, type: "none" },
    backends: [{ ...backend, ca: null }],
  })
  const quiet = (): void => {}
  const log = { error: quiet, warn: quiet, info: quiet, debug: quiet, debugging: false }
  const worker = await startWorker({
    settings,
    index: 0,
    listeners: null,
    log,
    onHealthChange: quiet,
  })
  return worker.port
}

async function measure(pumps: readonly Pump[]): Promise<Costs> {
  const rounds: number[][] = pumps.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, pump] of pumps.entries()) {
      const before = process.cpuUsage()
      await pump.run(REQUESTS)
      const { user, system } = process.cpuUsage(before)
      rounds[index]?.push((user + system) / REQUESTS)
    }
  }
  const [direct = 0, relay = 0, balancer = 0] = rounds.map((costs) => {
    return costs.toSorted((a, b) => a - b)[costs.length >> 2] ?? 0
  })
  return { direct, relay, balancer }
}

/** From now on every read from a client takes `us` longer. */
function slowDown(us: number): void {
  const prototype = ClientConnection.prototype
  const { received } = prototype
  prototype.received = function (bytes: Buffer): void {
    const end = performance.now() + us / 1000
    while (performance.now() < end);
    received.call(this, bytes)
  }
}
