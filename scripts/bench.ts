/**
 * The comparison: bunlb beside nginx and HAProxy, in one run on one machine. The proxy has core 0 to itself; load
 * and origin share core 1. Rounds are interleaved, so that a noisy minute hits everybody; medians are shown.
 *
 *   bun scripts/bench.ts [--peers bunlb,nginx,haproxy,relay] [--scenarios small,browser,large]
 *                        [--rounds 3] [--seconds 5] [--connections 64] [--json]
 *
 * CPU per request is the figure to trust: requests a second depend on what else the machine does. `ratio` is CPU
 * against the better of nginx and HAProxy. Needs nginx, haproxy and wrk (Debian's packages), and two cores.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { putLoad } from "./bench/load.ts"
import type { Load } from "./bench/load.ts"
import { peerNames, startOrigin, startPeer } from "./bench/peers.ts"
import type { PeerName } from "./bench/peers.ts"

const PROXY_CORE = 0
const LOAD_CORE = 1
const WARM_UP_SECONDS = 2

const browserFields = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://www.example.org/catalogue/shoes?page=3&sort=price",
  "Cookie: theme=dark; consent=1; sid=0f8c1b6a5d9e47b2a1c3; _ga=GA1.2.1234567890.1700000000",
  "Upgrade-Insecure-Requests: 1",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
  "Priority: u=0, i",
]

const scenarios = {
  small: { path: "/small", fields: [] },
  browser: { path: "/small", fields: browserFields },
  large: { path: "/large", fields: [] },
} as const
type ScenarioName = keyof typeof scenarios
const scenarioNames = Object.keys(scenarios) as ScenarioName[]

interface Figures extends Load {
  readonly cpuUs: number
  readonly rssMiB: number
}

interface Row {
  readonly scenario: ScenarioName
  readonly peer: PeerName
  readonly median: Figures
  /** CPU per request against the better of nginx and HAProxy; null when neither ran. */
  readonly ratio: number | null
}

interface Plan {
  readonly peers: readonly PeerName[]
  readonly scenarios: readonly ScenarioName[]
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly json: boolean
}

const plan = readPlan()
for (const program of ["nginx", "haproxy", "wrk", "taskset"]) {
  if (Bun.which(program) === null) fail(`${program} is missing: apt-get install nginx haproxy wrk`)
}
const rows = await compare(plan).catch((error: Error) => fail(error.message))
if (plan.json) console.log(JSON.stringify({ machine: machine(), plan, rows }, null, 2))
else printTable(rows)
if (rows.some(({ median }) => median.errors > 0)) fail("there were errors")

function readPlan(): Plan {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const
  const { values } = parseArgs({
    options: {
      peers: text(peerNames.join(",")),
      scenarios: text(scenarioNames.join(",")),
      rounds: text("3"),
      seconds: text("5"),
      connections: text("64"),
      json: { type: "boolean", default: false },
    },
  })
  return {
    peers: chosen(values.peers, peerNames, "peer"),
    scenarios: chosen(values.scenarios, scenarioNames, "scenario"),
    rounds: positive(values.rounds, "rounds"),
    seconds: positive(values.seconds, "seconds"),
    connections: positive(values.connections, "connections"),
    json: values.json,
  }
}

function chosen<T extends string>(list: string, known: readonly T[], what: string): T[] {
  return list.split(",").map((name) => {
    const found = known.find((each) => each === name)
    return found ?? fail(`no ${what} is called ${name}: ${known.join(", ")}`)
  })
}

function positive(text: string, what: string): number {
  const value = Number(text)
  return Number.isInteger(value) && value > 0
    ? value
    : fail(`--${what} wants a whole number above 0`)
}

async function compare({ peers, scenarios: names, rounds, ...load }: Plan): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-bench-"))
  // nginx's workers, who are nobody, read the large file in it.
  chmodSync(folder, 0o755)
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  const origin = await startOrigin({ folder, core: LOAD_CORE })
  const measured: { scenario: ScenarioName; peer: PeerName; figures: Figures }[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const peer of peers) {
      for (const scenario of names) {
        const figures = await measure(peer, scenario, origin.port, folder, load)
        measured.push({ scenario, peer, figures })
        const { cpuUs, perSecond, errors } = figures
        const said = `${cpuUs.toFixed(1)} us, ${perSecond.toFixed(0)}/s, ${errors} errors`
        console.error(`round ${round}: ${peer} ${scenario}: ${said}`)
      }
    }
  }
  await origin.program.stop()
  const medians = names.flatMap((scenario) =>
    peers.map((peer) => {
      const own = measured.filter((each) => each.scenario === scenario && each.peer === peer)
      return { scenario, peer, median: medianOf(own.map(({ figures }) => figures)) }
    }),
  )
  return medians.map((row) => ({ ...row, ratio: ratioOf(row, medians) }))
}

/** A fresh process for each measurement, warmed up first: no scenario inherits another's state. */
async function measure(
  peer: PeerName,
  scenario: ScenarioName,
  origin: number,
  folder: string,
  { seconds, connections }: Pick<Plan, "seconds" | "connections">,
): Promise<Figures> {
  const { port, program } = await startPeer(peer, origin, { folder, core: PROXY_CORE })
  try {
    const load = { ...scenarios[scenario], port, connections, core: LOAD_CORE }
    await putLoad({ ...load, seconds: WARM_UP_SECONDS })
    const before = program.cpuMs()
    const result = await putLoad({ ...load, seconds })
    const cpuUs = ((program.cpuMs() - before) * 1000) / result.requests
    return { ...result, cpuUs, rssMiB: program.residentBytes() / 2 ** 20 }
  } finally {
    await program.stop()
  }
}

function medianOf(figures: readonly Figures[]): Figures {
  const median = (key: keyof Figures): number => {
    const sorted = figures.map((each) => each[key]).toSorted((a, b) => a - b)
    return sorted[sorted.length >> 1] ?? 0
  }
  return {
    requests: median("requests"),
    perSecond: median("perSecond"),
    p50Us: median("p50Us"),
    p99Us: median("p99Us"),
    cpuUs: median("cpuUs"),
    rssMiB: median("rssMiB"),
    // One bad round is not outvoted.
    errors: figures.reduce((sum, { errors }) => sum + errors, 0),
  }
}

function ratioOf(row: Omit<Row, "ratio">, all: readonly Omit<Row, "ratio">[]): number | null {
  const rivals = all.filter(
    ({ scenario, peer }) => scenario === row.scenario && (peer === "nginx" || peer === "haproxy"),
  )
  const best = Math.min(...rivals.map(({ median }) => median.cpuUs))
  return rivals.length === 0 ? null : row.median.cpuUs / best
}

function printTable(all: readonly Row[]): void {
  console.log(
    `${machine()}; ${plan.rounds} rounds of ${plan.seconds} s, ${plan.connections} connections`,
  )
  const heading = [
    "scenario",
    "peer",
    "CPU us/req",
    "ratio",
    "req/s",
    "p50 us",
    "p99 us",
    "RSS MiB",
    "errors",
  ]
  const lines = all.map(({ scenario, peer, median, ratio }) => [
    scenario,
    peer,
    median.cpuUs.toFixed(1),
    ratio === null ? "-" : ratio.toFixed(2),
    median.perSecond.toFixed(0),
    median.p50Us.toFixed(0),
    median.p99Us.toFixed(0),
    median.rssMiB.toFixed(0),
    String(median.errors),
  ])
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  const isText = (column: number): boolean => column < 2
  for (const line of [heading, ...lines]) {
    const cells = line.map((cell, column) =>
      isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    )
    console.log(cells.join("  ").trimEnd())
  }
}

function machine(): string {
  const version = (command: string[]): string => {
    const { stdout, stderr } = Bun.spawnSync(command)
    return /(\d+\.\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1] ?? "?"
  }
  const nginx = version(["nginx", "-v"])
  const haproxy = version(["haproxy", "-v"])
  return `bun ${Bun.version}, nginx ${nginx}, HAProxy ${haproxy}, ${navigator.hardwareConcurrency} cores`
}

function fail(reason: string): never {
  console.error(`bench: ${reason}`)
  process.exit(1)
}
