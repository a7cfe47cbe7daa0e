/** docs/benchmarks.md and its charts: what a run has found, with all that a reader needs to judge or repeat it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { barChart } from "./chart.ts"
import { machineInWords } from "./machine.ts"
import { peerNames } from "./peers.ts"
import type { PeerName } from "./peers.ts"
import type { Result, Row } from "./result.ts"
import { scenarioNames, scenarios } from "./scenarios.ts"
import {
  asMarkdown,
  latencyTable,
  memoryTable,
  ratioTable,
  saturationTable,
  stallTable,
  startTable,
  time,
  titles,
} from "./tables.ts"

const docs = join(import.meta.dir, "..", "..", "docs")

export function writePage(result: Result, configurations: string): void {
  for (const [name, svg] of Object.entries(charts(result))) writeChart(name, svg)
  writeDocument("benchmarks.md", pageText(result, configurations))
}

/** In docs/, formatted as everything there. */
export function writeDocument(name: string, text: string): void {
  const file = join(docs, name)
  writeFileSync(file, text)
  const formatted = Bun.spawnSync([process.execPath, "fmt", file], { stdout: "ignore" })
  if (formatted.exitCode !== 0) throw new Error(`bun fmt: ${formatted.stderr.toString()}`)
}

export function writeChart(name: string, svg: string): void {
  mkdirSync(join(docs, "charts"), { recursive: true })
  writeFileSync(join(docs, "charts", `${name}.svg`), svg)
}

function charts({ rows }: Result): Record<string, string> {
  const peers = peerNames.filter((name) => rows.some(({ peer }) => peer === name))
  const names = scenarioNames.filter((name) => rows.some(({ scenario }) => scenario === name))
  const series = peers.map((peer) => titles[peer])
  const valueOf = (value: (row: Row) => number | null) => (name: string) => ({
    name,
    values: peers.map((peer: PeerName) => {
      const row = rows.find((each) => each.scenario === name && each.peer === peer)
      return row === undefined ? null : value(row)
    }),
  })
  const paced = names.filter((name) => rows.some((row) => row.scenario === name && row.paced))
  return {
    cpu: barChart({
      title: "CPU for a request, as a ratio to the better of nginx and HAProxy",
      unit: "shorter is better; the line is 1",
      series,
      groups: names.map(valueOf(({ ratio }) => ratio)),
      format: (value) => value.toFixed(2),
      mark: 1,
      limit: 3,
    }),
    rate: barChart({
      title: "Requests a second on one core, at saturation, in thousands",
      unit: "longer is better",
      series,
      groups: names.map(valueOf(({ saturated }) => saturated.perSecond / 1000)),
      format: (value) => value.toFixed(1),
    }),
    latency: barChart({
      title: "99th percentile of latency at half load",
      unit: "shorter is better",
      series,
      groups: paced.map(valueOf((row) => row.paced?.p99Us ?? null)),
      format: time,
      limit: 20_000,
    }),
  }
}

function pageText(result: Result, configurations: string): string {
  const { date, command, machine, effort, loadBefore, rows } = result
  const used = scenarioNames.filter((name) => rows.some(({ scenario }) => scenario === name))
  const missing = peerNames.filter((name) => !rows.some(({ peer }) => peer === name))
  const absent = missing.map((peer) => titles[peer]).join(", ")
  return `# Benchmarks

bunlb beside nginx, HAProxy, Caddy and a relay that does nothing but pass bytes on, in one run on one machine. This page
is written by \`${command}\`.

- Date: ${date}
- Machine: ${machineInWords(machine)}. Load average before: ${loadBefore.toFixed(2)}
- Each proxy has one worker or thread on core 0; the load (wrk) and the origin (nginx) share core 1. Scenario
  \`two-workers\` has both cores for everybody.
- Rounds: ${effort.rounds} of ${effort.seconds} s, the peers in turn in every round; the medians are shown. Before that
  everybody is warmed up: a second, or two for those that compile as they run.
- Half load: ${effort.pacedSeconds} s at half of what the slowest of bunlb, nginx and HAProxy reached (or the peer itself,
  if that is less), by wrk with random pauses between an answer and the next request. Not corrected for coordinated omission.
${absent === "" ? "" : `- Not there: ${absent}.\n`}
## CPU for a request

User and system time of the whole process tree, by the kernel's count. This is the figure to trust: requests a second
depend on what else the machine does. "The better" is the better of nginx and HAProxy; below 1.00 bunlb is cheaper.

${asMarkdown(ratioTable(result))}
![CPU for a request](charts/cpu.svg)

| scenario | what |
| --- | --- |
${used.map((name) => `| ${name} | ${scenarios[name].text} |`).join("\n")}

## At saturation

"ratio" is to the better of nginx and HAProxy, "RSS" is that of all processes together, "biggest" that of the biggest one.
System calls are counted by strace in a run of its own. Where the origin or wrk is at its end before the proxy is,
requests a second say little about the proxy.

${asMarkdown(saturationTable(result))}
![Requests a second](charts/rate.svg)

## Latency at half load

${asMarkdown(latencyTable(result))}
![Latency](charts/latency.svg)

${extras(result)}## Memory of idle clients

What connections that have made one request and stay open add to the resident memory, for each of them.

${asMarkdown(memoryTable(result))}
## What is not measured

- Networks: everything goes over the loopback device, which loses and delays nothing. Neither are network cards, their
  interrupts or their offloading.
- Machines with more cores than this one; more than two workers.
- TLS from clients, HTTP/2, WebSockets, compression, caching.
- Failing backends. What bunlb does then is tested, not timed.
- Tuning beyond the configurations below. Whoever knows how to make a peer faster with the same duties: tell us.
- The relay is a floor, not a balancer: it reads nothing, checks nothing and keeps a backend connection for each client.

## Configurations

bunlb runs with all it has switched on: strict parsing, forwarded fields, request ids, breakers, probes, retries, metrics,
all time limits. \`FOLDER\` is a temporary folder.

${configurations}`
}

function extras(result: Result): string {
  const { stallSeconds } = result.effort
  return `## Stalls

What a request met at worst in ${stallSeconds} s of \`small\` at a steady rate: collections of garbage, and whatever else
the machine did in that time.

${asMarkdown(stallTable(result))}
## Cold start

From the start of the executable to its first proxied response, one worker behind a master.

${asMarkdown(startTable(result))}
`
}
