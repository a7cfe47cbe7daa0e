/**
 * The comparison: bunlb beside nginx, HAProxy, Caddy and the bare relay, in one run on one machine. The proxy has
 * core 0 to itself; load and origin share core 1. Rounds are interleaved, so that a noisy minute hits everybody;
 * medians are shown. CPU for a request is the figure to trust.
 *
 *   bun scripts/bench.ts [--peers nginx,haproxy,caddy,relay] [--scenarios small,browser,...] [--rounds 5]
 *                        [--seconds 1] [--paced-seconds 2] [--stall-seconds 0] [--starts 0] [--syscalls] [--json]
 *                        [--write-docs] [--print-configs]
 *
 * bunlb itself is always there, built afresh. `--paced-seconds 0` leaves out latency at half load. `--write-docs`
 * writes docs/benchmarks.md and its charts, all of it included; with all defaults that takes a quarter of an hour.
 * Needs two cores, nginx, haproxy, wrk and (for system calls) strace, as Debian has them. Caddy is left out when it
 * is not there, and named.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { buildExecutable } from "./bench/executable.ts"
import { measureStalls, measureStarts } from "./bench/extras.ts"
import { describeMachine, machineInWords } from "./bench/machine.ts"
import { LOAD_CORE, measureScenario } from "./bench/measure.ts"
import type { Effort } from "./bench/measure.ts"
import { writePage } from "./bench/page.ts"
import { describePeer, peerNames, startOrigin } from "./bench/peers.ts"
import type { PeerName } from "./bench/peers.ts"
import { errorsOf, rowsOf } from "./bench/result.ts"
import type { Result, Row } from "./bench/result.ts"
import { scenarioNames, scenarios } from "./bench/scenarios.ts"
import type { ScenarioName } from "./bench/scenarios.ts"
import {
  asText,
  latencyTable,
  memoryTable,
  ratioTable,
  saturationTable,
  stallTable,
  startTable,
  titles,
} from "./bench/tables.ts"

interface Plan extends Effort {
  readonly peers: readonly PeerName[]
  readonly scenarios: readonly ScenarioName[]
  readonly json: boolean
  readonly writeDocs: boolean
  readonly printConfigs: boolean
}

try {
  await main(readPlan())
} catch (error) {
  fail((error as Error).message)
}

async function main(plan: Plan): Promise<void> {
  if (plan.printConfigs) {
    console.log(configurations(plan.peers))
    return
  }
  requirePrograms(plan)
  const result = await compare(plan)
  if (plan.json) console.log(JSON.stringify(result, null, 2))
  else print(result)
  if (plan.writeDocs) writePage(result, configurations(plan.peers))
  if (errorsOf(result.rows) > 0) fail("there were errors")
}

function readPlan(): Plan {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const
  const flag = { type: "boolean", default: false } as const
  const { values } = parseArgs({
    options: {
      peers: text(peerNames.join(",")),
      scenarios: text(scenarioNames.join(",")),
      rounds: text("5"),
      seconds: text("1"),
      "paced-seconds": text("2"),
      "stall-seconds": text(""),
      starts: text(""),
      syscalls: flag,
      json: flag,
      "write-docs": flag,
      "print-configs": flag,
    },
  })
  const wanted = new Set<PeerName>(["bunlb", ...chosen(values.peers, peerNames, "peer")])
  if (wanted.has("caddy") && Bun.which("caddy") === null) {
    console.error("bench: caddy is not installed: left out")
    wanted.delete("caddy")
  }
  const inFull = values["write-docs"]
  return {
    peers: [...wanted],
    scenarios: chosen(values.scenarios, scenarioNames, "scenario"),
    rounds: wholeNumber(values.rounds, 1, "rounds"),
    seconds: wholeNumber(values.seconds, 1, "seconds"),
    pacedSeconds: wholeNumber(values["paced-seconds"], 0, "paced-seconds"),
    syscalls: values.syscalls || values["write-docs"],
    stallSeconds: wholeNumber(values["stall-seconds"] || (inFull ? "60" : "0"), 0, "stall-seconds"),
    starts: wholeNumber(values.starts || (inFull ? "11" : "0"), 0, "starts"),
    json: values.json,
    writeDocs: values["write-docs"],
    printConfigs: values["print-configs"],
  }
}

function chosen<T extends string>(list: string, known: readonly T[], what: string): T[] {
  return list.split(",").map((name) => {
    const found = known.find((each) => each === name)
    return found ?? fail(`no ${what} is called ${name}: ${known.join(", ")}`)
  })
}

function wholeNumber(text: string, least: number, what: string): number {
  const value = Number(text)
  return Number.isInteger(value) && value >= least
    ? value
    : fail(`--${what} wants a whole number from ${least} on`)
}

function requirePrograms({ peers, syscalls }: Plan): void {
  const rivals = ["haproxy", "nginx"].filter((name) => peers.some((peer) => peer === name))
  const programs = new Set(["taskset", "wrk", "nginx", ...rivals, ...(syscalls ? ["strace"] : [])])
  const missing = [...programs].filter((program) => Bun.which(program) === null)
  if (missing.length > 0)
    fail(`missing: ${missing.join(", ")}; apt-get install ${missing.join(" ")}`)
}

async function compare(plan: Plan): Promise<Result> {
  const loadBefore = loadavg()[0] ?? 0
  const folder = mkdtempSync(join(tmpdir(), "bunlb-bench-"))
  // nginx's workers, who are nobody, read the files in it.
  chmodSync(folder, 0o755)
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  const executable = buildExecutable()
  const origin = await startOrigin({ folder, cores: LOAD_CORE })
  const place = { origin, executable, folder }
  const steady =
    plan.stallSeconds > 0 ? plan.peers.filter((name) => name !== "relay" && name !== "caddy") : []
  const stalls = await measureStalls(steady, place, plan.stallSeconds)
  const starts = plan.starts > 0 ? await measureStarts(place, plan.starts) : null
  const rows: Row[] = []
  for (const name of plan.scenarios) {
    const found = rowsOf(name, await measureScenario(scenarios[name], plan.peers, place, plan))
    for (const { peer, saturated, ratio } of found) {
      const said = `${saturated.cpuUs.toFixed(1)} us, ${saturated.perSecond.toFixed(0)}/s`
      const errors = `${saturated.errors} errors`
      console.error(
        `${name}: ${titles[peer]}: ${said}, ratio ${ratio?.toFixed(2) ?? "-"}, ${errors}`,
      )
    }
    rows.push(...found)
  }
  await origin.program.stop()
  return {
    date: new Date().toISOString().slice(0, 10),
    command: ["bun scripts/bench.ts", ...process.argv.slice(2)].join(" "),
    machine: describeMachine(),
    effort: {
      rounds: plan.rounds,
      seconds: plan.seconds,
      pacedSeconds: plan.pacedSeconds,
      syscalls: plan.syscalls,
      stallSeconds: plan.stallSeconds,
      starts: plan.starts,
    },
    loadBefore,
    rows,
    stalls,
    starts,
  }
}

function print(result: Result): void {
  const { rounds, seconds } = result.effort
  console.log(`${machineInWords(result.machine)}\n${rounds} rounds of ${seconds} s\n`)
  const tables = [
    ratioTable(result),
    saturationTable(result),
    latencyTable(result),
    stallTable(result),
    startTable(result),
    memoryTable(result),
  ]
  const filled = tables.filter((table) => table.length > 1)
  console.log(filled.map(asText).join("\n"))
}

/** Of each peer, in front of a plain origin; what changes in other scenarios is said in words. */
function configurations(peers: readonly PeerName[]): string {
  const origin = { plain: 8000, tls: 8443 }
  const setup = { tls: false, workers: 1, origin, executable: "bunlb" }
  const each = peers.map((peer) => {
    return `### ${titles[peer]}\n\n\`\`\`text\n${describePeer(peer, setup).trim()}\n\`\`\`\n`
  })
  const changes = `For \`tls\` the origin is spoken to over TLS, its certificate not verified by anybody: \`,tls\` in bunlb,
\`proxy_pass https:\` in nginx, \`ssl verify none\` in HAProxy, \`tls_insecure_skip_verify\` in Caddy. For \`two-workers\`
everybody has two workers or threads.
`
  return `${each.join("\n")}\n${changes}`
}

function fail(reason: string): never {
  console.error(`bench: ${reason}`)
  process.exit(1)
}
