/**
 * A soak: mixed traffic through the real program with two workers and three backends, with faults injected at
 * random. Every error must be one that a fault explains; nothing may be left over at the end.
 *
 *   bun run soak [--minutes 30] [--seed 1] [--clients 32] [--rate 500]
 *
 * BUNLB_TEST_EXECUTABLE names an executable to soak instead of the source. Exit code 1: something is unexplained.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { RunningBunlb } from "../test/e2e/running-bunlb.ts"
import { rng, until } from "../test/support/until.ts"
import { freePort } from "./bench/program.ts"
import { BackendProcess } from "./soak/backend-process.ts"
import { Faults } from "./soak/faults.ts"
import { type Reading, readProcesses } from "./soak/processes.ts"
import { report } from "./soak/report.ts"
import { Tally } from "./soak/tally.ts"
import { Traffic } from "./soak/traffic.ts"

const BACKENDS = 3
const PATIENCE_MS = 2_000
const READING_MS = 10_000
const SETTLE_MS = 15_000

/** Short limits, so that a frozen backend is found out often. */
const limits = [
  ...["-s", "weighted", "-w", "2", "--response-head-timeout", "2s", "--backend-body-timeout", "2s"],
  ...["--client-body-timeout", "5s", "--pool-idle-timeout", "5s"],
  ...["--health-interval", "500ms", "--health-timeout", "500ms"],
]

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    clients: { type: "string", default: "32" },
    rate: { type: "string", default: "500" },
  },
})
const seed = Number(values.seed)
const minutes = Number(values.minutes)

const posts = new Set<string>()
let twice = 0
const seen = (id: string): void => {
  if (posts.has(id)) twice++
  posts.add(id)
}
const backends = Array.from({ length: BACKENDS }, () => new BackendProcess(freePort(), seen))
await Promise.all(backends.map((backend) => backend.start()))
const folder = mkdtempSync(join(tmpdir(), "bunlb-soak-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, "bunlb.json")
configure(backends.map(() => 1))
const bunlb = await RunningBunlb.start([], [...limits, "-c", file])
const begun = performance.now()
console.log(`seed ${seed}: ${minutes} minutes on port ${bunlb.port}`)

const tally = new Tally()
const traffic = new Traffic(bunlb.port, seed, Number(values.clients), Number(values.rate), tally)
const reload = (weights: readonly (number | null)[]): void => {
  configure(weights)
  bunlb.process.kill("SIGHUP")
}
const target = { backends, reload, workerPids: () => bunlb.workerPids() }
const faults = new Faults(target, rng(seed), PATIENCE_MS)
const readings: Reading[] = []
try {
  while (elapsedMinutes() < minutes) {
    await Bun.sleep(Math.min(READING_MS, minutes * 60_000))
    readings.push(await reading())
  }
  await faults.stop()
  await traffic.stop()
} catch (error) {
  const end = await bunlb.process.exited(100).catch(() => "it still runs")
  console.log(`bunlb does not answer (${end}); its last lines:`)
  for (const line of bunlb.process.lines.slice(-30)) console.log(`  ${line}`)
  throw error
}
const left = await leftOver()
for (const line of bunlb.process.lines.filter((each) => /error|internal/i.test(each))) {
  console.log(`bunlb said: ${line}`)
}
const fine = report({ seed, minutes: elapsedMinutes(), tally, faults, readings, twice, left })
await bunlb[Symbol.asyncDispose]()
for (const backend of backends) await backend.kill()
console.log(fine ? "fine" : "NOT FINE")
process.exit(fine ? 0 : 1)

/** Writes the configuration with one weight for each backend; null leaves it out. */
function configure(weights: readonly (number | null)[]): void {
  const named = backends.map(({ port }, at) => ({ host: "127.0.0.1", port, weight: weights[at] }))
  writeFileSync(file, JSON.stringify({ backends: named.filter(({ weight }) => weight !== null) }))
}

function elapsedMinutes(): number {
  return (performance.now() - begun) / 60_000
}

async function reading(): Promise<Reading> {
  const pids = [bunlb.process.pid, ...(await bunlb.workerPids())]
  return readProcesses(pids, elapsedMinutes())
}

/** Clients, requests and connections that are still counted when all clients have left and the pools have aged. */
async function leftOver(): Promise<string[]> {
  const counts = async (): Promise<[string, number][]> => {
    const { workers, backends: views } = await bunlb.status()
    return [
      ["clients", workers.reduce((sum, { clients }) => sum + clients, 0)],
      ["requests in flight", workers.reduce((sum, { inFlight }) => sum + inFlight, 0)],
      ["requests at backends", views.reduce((sum, { active }) => sum + active, 0)],
      ["idle connections", views.reduce((sum, { idle }) => sum + idle, 0)],
    ]
  }
  const none = async (): Promise<boolean> => (await counts()).every(([, count]) => count === 0)
  await until(none, SETTLE_MS, "nothing to be left over").catch(() => {})
  const rest = (await counts()).filter(([, count]) => count !== 0)
  return rest.map(([name, count]) => `${count} ${name}`)
}
