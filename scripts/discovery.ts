/**
 * How soon bunlb follows DNS, and what a change costs: backends come and go by the answers of a real name server
 * (Debian's dnsmasq) under load, and every request is accounted for.
 *
 *   bun scripts/discovery.ts [--changes 20] [--ttl 1] [--clients 32]
 */
import { parseArgs } from "node:util"
import { startBackend } from "../src/demo/backend.ts"
import { Load } from "../test/e2e/load.ts"
import { RunningBunlb } from "../test/e2e/running-bunlb.ts"
import { NameServer } from "../test/support/name-server.ts"
import { until } from "../test/support/until.ts"

const { values } = parseArgs({
  options: {
    changes: { type: "string", default: "20" },
    ttl: { type: "string", default: "1" },
    clients: { type: "string", default: "32" },
  },
})
const [changes, ttl, clients] = [values.changes, values.ttl, values.clients].map(Number)
const LIMIT_MS = 40_000
const PAUSE_MS = 5
/** Who has not answered for so long answers no more. */
const QUIET_MS = 700
/** Backends at a time; each change lets the oldest go and another come. */
const AT_ONCE = 3
const PLACES = 8

const place = (number: number): string => `127.0.0.${2 + (number % PLACES)}`

/** All at one port, each at an address of its own. */
async function startBackends(): Promise<readonly Disposable[]> {
  const started: { readonly port: number; stop(): void }[] = []
  for (let i = 0; i < PLACES; i++) {
    const port = started[0]?.port ?? 0
    const answers = { name: place(i), delay: 0, failRate: 0, status: 500, tls: false, log: null }
    started.push(await startBackend({ host: place(i), port, ...answers }))
  }
  backendPort = started[0]?.port ?? 0
  return started.map((each) => ({ [Symbol.dispose]: () => each.stop() }))
}

let backendPort = 0
const backends = await startBackends()
const answer = (from: number): string[] =>
  Array.from({ length: AT_ONCE }, (_, i) => place(from + i))
await using names = await NameServer.start(ttl ?? 1, { "web.test": answer(0) })
const flags = [
  "-b",
  `dns+http://web.test:${backendPort}`,
  "--dns-servers",
  names.address,
  "-w",
  "2",
]
await using bunlb = await RunningBunlb.start([], flags)
const load = new Load(bunlb.port, { clients: clients ?? 1, pause: PAUSE_MS })
const [came, went]: [number[], number[]] = [[], []]
for (let change = 1; change <= (changes ?? 0); change++) {
  const [fresh, gone] = [place(change + AT_ONCE - 1), place(change - 1)]
  // At any moment of a TTL.
  await Bun.sleep(Math.random() * 1000 * (ttl ?? 1))
  const before = load.from(fresh)
  names.say({ "web.test": answer(change) })
  const at = performance.now()
  let [last, lastAt, firstAt] = [load.from(gone), at, Infinity]
  const settled = (): boolean => {
    const now = performance.now()
    if (firstAt === Infinity && load.from(fresh) > before) firstAt = now
    if (load.from(gone) !== last) [last, lastAt] = [load.from(gone), now]
    return now > Math.max(firstAt, lastAt) + QUIET_MS
  }
  await until(settled, LIMIT_MS, `${fresh} to serve and ${gone} to serve no more`)
  came.push(firstAt - at)
  went.push(lastAt - at)
}
await load.stop()
for (const backend of backends) backend[Symbol.dispose]()

const row = (what: string, times: readonly number[]): string => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    String(Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)).padStart(6)
  return `${what.padEnd(34)}${at(0)}${at(0.5)}${at(1)}`
}
console.log(`${changes} changes, TTL ${ttl} s, ${clients} clients, 2 workers`)
console.log(`${"ms after the change".padEnd(34)}   min   med   max`)
console.log(row("first answer of the new backend", came))
console.log(row("last answer of the gone backend", went))
console.log(`${load.ok} requests, ${load.failures.length} failed`)
process.exitCode = load.failures.length === 0 ? 0 : 1
