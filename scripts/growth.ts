/**
 * How the cost of a request grows: with the number of backends, of connections, of bytes in a head and of fields in
 * it. One worker on core 0; wrk and the origin on core 1. CPU of bunlb's processes, by the requests that the
 * origin has answered meanwhile; medians.
 *
 *   bun scripts/growth.ts [--rounds 3] [--write-docs]
 *
 * `--write-docs` writes docs/growth.md and its charts. Takes about two minutes.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { lineChart } from "./bench/chart.ts"
import { costBetween } from "./bench/cost.ts"
import { buildExecutable } from "./bench/executable.ts"
import { describeMachine, machineInWords } from "./bench/machine.ts"
import { LOAD_CORE, PROXY_CORE } from "./bench/measure.ts"
import { medianOf } from "./bench/median.ts"
import { writeChart, writeDocument } from "./bench/page.ts"
import { startOrigin } from "./bench/peers.ts"
import { measurePicking } from "./bench/picking.ts"
import type { Origin } from "./bench/peers.ts"
import { freePort, Program } from "./bench/program.ts"
import { asMarkdown, asText } from "./bench/tables.ts"
import type { Table } from "./bench/tables.ts"
import { putLoad } from "./bench/traffic.ts"

/** One point: how many backends there are, and what is asked of them over how many connections. */
interface Point {
  readonly name: string
  readonly x: number
  readonly backends: number
  readonly connections: number
  readonly fields: readonly string[]
}

interface Series {
  readonly key: string
  readonly title: string
  readonly xTitle: string
  readonly text: string
  readonly points: readonly Point[]
}

interface Reading {
  readonly point: Point
  readonly cpuUs: number
  readonly perSecond: number
}

const WARM_UP_SECONDS = 2
const MEASURE_MS = 900
/** Two descriptors for each connection, and some for the rest. */
const DESCRIPTOR_SHARE = 0.45
const BACKENDS = [1, 10, 100, 1000]
const usual = { backends: 1, connections: 64, fields: [] }

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    "write-docs": { type: "boolean", default: false },
  },
})
const rounds = Number(values.rounds)
const folder = mkdtempSync(join(tmpdir(), "bunlb-growth-"))
chmodSync(folder, 0o755)
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const executable = buildExecutable()
const origin = await startOrigin({ folder, cores: LOAD_CORE })
const all: { readonly series: Series; readonly readings: readonly Reading[] }[] = []
for (const series of allSeries()) {
  const readings = await measure(series, origin)
  all.push({ series, readings })
  console.log(`${series.title}\n${asText(tableOf(series, readings))}`)
}
await origin.program.stop()
const picking = pickingTable()
console.log(`The pick alone\n${asText(picking)}`)
if (values["write-docs"]) writeGrowthPage()

function allSeries(): Series[] {
  const counted = (key: "backends" | "connections", counts: readonly number[]): Point[] =>
    counts.map((x) => ({ ...usual, name: x.toLocaleString("en"), x, [key]: x }))
  return [
    {
      key: "backends",
      title: "Backends",
      xTitle: "backends",
      text: "Round robin, 64 connections, no probes. Each backend has connections of its own, so with many of them the kernel looks after more sockets; the pick itself is an array read.",
      points: counted("backends", BACKENDS),
    },
    {
      key: "connections",
      title: "Busy client connections",
      xTitle: "connections",
      text: "Every connection sends its next request when it has its answer. One connection alone cannot keep a proxy busy: it pays for each wake-up with one request. As many backend connections are kept (`--pool-idle 10000`), and what was spent on connecting is left out.",
      points: counted("connections", [1, 10, 100, 1000, mostConnections()]),
    },
    {
      key: "head-bytes",
      title: "Bytes of a request head",
      xTitle: "bytes",
      text: "One field makes up the size. 45 bytes are wrk's own head.",
      points: [45, 256, 1024, 4096, 8192, 16_000].map((x) => ({
        ...usual,
        name: x.toLocaleString("en"),
        x,
        fields: x === 45 ? [] : [`X-Filling: ${"x".repeat(Math.max(0, x - 45 - 13))}`],
      })),
    },
    {
      key: "fields",
      title: "Fields of a request head",
      xTitle: "fields",
      text: "A head of 4 KB, cut into more and more fields.",
      points: [1, 10, 30, 100].map((x) => ({ ...usual, name: String(x), x, fields: filling(x) })),
    },
  ]
}

/** `count` fields with wrk's Host, 4 KB in all. */
function filling(count: number): string[] {
  const others = Math.max(1, count - 1)
  const length = Math.floor(4000 / others) - 11
  return Array.from({ length: others }, (_, index) => {
    return `X-F${String(index).padStart(3, "0")}: ${"x".repeat(length)}`
  })
}

function mostConnections(): number {
  const limits = readFileSync("/proc/self/limits", "utf8")
  const descriptors = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024)
  return Math.min(10_000, Math.floor(descriptors * DESCRIPTOR_SHARE))
}

/** Points that differ in their backends have a process each; the others share one. */
async function measure({ points }: Series, behind: Origin): Promise<Reading[]> {
  const programs = new Map<number, { readonly port: number; readonly program: Program }>()
  const found = points.map((point) => ({ point, cpuUs: [] as number[], perSecond: [] as number[] }))
  try {
    for (const { backends } of points) {
      if (programs.has(backends)) continue
      const started = await startBunlb(backends, behind)
      programs.set(backends, started)
      await loadAt(started.port, { ...usual, name: "", x: 0 }, WARM_UP_SECONDS)
    }
    for (let round = 0; round < rounds; round++) {
      for (const { point, cpuUs, perSecond } of found) {
        const running = programs.get(point.backends)
        if (running === undefined) continue
        const settleMs = 100 + point.connections / 4
        const seconds = Math.ceil((settleMs + MEASURE_MS + 100) / 1000)
        const loaded = loadAt(running.port, point, seconds)
        const cost = await costBetween(running.program, behind, settleMs, MEASURE_MS)
        await loaded
        cpuUs.push(cost.userUs + cost.systemUs)
        perSecond.push(cost.perSecond)
      }
    }
  } finally {
    for (const { program } of programs.values()) await program.stop()
  }
  return found.map(({ point, cpuUs, perSecond }) => {
    return { point, cpuUs: medianOf(cpuUs), perSecond: medianOf(perSecond) }
  })
}

async function loadAt(port: number, point: Point, seconds: number): Promise<void> {
  const traffic = { path: "/small", fields: point.fields, kind: "same" } as const
  const { connections } = point
  const options = { port, connections, seconds, cores: LOAD_CORE, folder, pauseMs: 0 }
  const { errors } = await putLoad(traffic, options)
  if (errors > 0) throw new Error(`${errors} errors with ${point.name}`)
}

/** The origin listens on all of 127/8: every address of it is another backend. */
async function startBunlb(backends: number, behind: Origin) {
  const addresses = Array.from({ length: backends }, (_, index) => {
    return { host: `127.0.${1 + (index >> 8)}.${index & 255}`, port: behind.ports.plain }
  })
  const file = join(folder, `backends-${backends}.json`)
  writeFileSync(file, JSON.stringify({ backends: addresses }))
  const port = freePort()
  const place = ["-h", "127.0.0.1", "-p", String(port), "-w", "1", "--no-pin", "--admin", "off"]
  const limits = ["--health-type", "none", "--pool-idle", "10000", "-l", "err"]
  const command = [executable, "run", "-c", file, ...place, ...limits]
  return { port, program: await Program.start("bunlb", command, PROXY_CORE, port) }
}

function tableOf({ xTitle }: Series, readings: readonly Reading[]): Table {
  const lines = readings.map(({ point, cpuUs, perSecond }) => {
    return [point.name, cpuUs.toFixed(1), perSecond.toFixed(0)]
  })
  return [[xTitle, "CPU us/request", "requests/s"], ...lines]
}

/** Without any load: the strategies as they are, in this process. */
function pickingTable(): Table {
  const lines = measurePicking(BACKENDS).map(({ strategy, ns }) => {
    return [strategy, ...ns.map((each) => each.toFixed(1))]
  })
  const heading = BACKENDS.map((count) => `of ${count.toLocaleString("en")}`)
  return [["ns for a pick", ...heading], ...lines]
}

function writeGrowthPage(): void {
  const parts = all.map(({ series, readings }) => {
    const { key, title, xTitle, text } = series
    const points = readings.map(({ point, cpuUs }) => ({ x: point.x, y: cpuUs, name: point.name }))
    const yTitle = "CPU us for a request"
    writeChart(`growth-${key}`, lineChart({ title, xTitle, yTitle, points }))
    return `## ${title}\n\n${text}\n\n${asMarkdown(tableOf(series, readings))}\n![${title}](charts/growth-${key}.svg)\n`
  })
  writeDocument(
    "growth.md",
    `# How cost grows

What a request costs bunlb when there is more of everything. Written by \`bun scripts/growth.ts --write-docs\`: one worker on
core 0, wrk and the origin (nginx) on core 1, ${rounds} rounds, medians. The axes of the charts are logarithmic.

- Date: ${new Date().toISOString().slice(0, 10)}
- Machine: ${machineInWords(describeMachine())}

${parts.join("\n")}
## The pick alone

How long a strategy takes to name a backend, in nanoseconds, without any traffic.

${asMarkdown(picking)}`,
  )
}
