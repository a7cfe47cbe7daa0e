/**
 * How long clients go without service, in a network of namespaces with real keepalived: each thing that can befall the
 * active balancer, again and again, and other arrangements of two. Prints the tables of docs/high-availability.md.
 *
 *   bun run ha [--runs 5] [--only WORDS]
 *
 * Needs root, iproute2, keepalived and, for one row, haproxy. Exit code 1: a time is above its bar.
 */
import { parseArgs } from "node:util"
import { Network } from "../test/ha/network.ts"
import type { Felt, Losses } from "../test/ha/outage.ts"
import { Pair } from "../test/ha/pair.ts"
import { moves } from "../test/ha/moves.ts"
import type { Move } from "../test/ha/moves.ts"
import { scenarios } from "../test/ha/scenarios.ts"
import type { Scenario } from "../test/ha/scenarios.ts"
import { arrangements } from "./ha/arrangements.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    only: { type: "string", default: "" },
  },
})
const runs = Number(values.runs)
const wanted = (name: string): boolean => name.includes(values.only)
let above = 0

// So that the network goes away with us.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))

const obstacle = Network.obstacle()
if (obstacle !== null) throw new Error(obstacle)

/** `min / median / max`, whole milliseconds. */
function spread(numbers: readonly number[]): string {
  const sorted = numbers.toSorted((a, b) => a - b)
  const three = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)]
  return three.map((each = 0) => (each === Infinity ? "no end" : Math.round(each))).join(" / ")
}

function lost(all: readonly Losses[]): string {
  const requests = all.reduce((sum, each) => sum + each.requests, 0)
  const gone = all.reduce((sum, each) => sum + each.lost, 0)
  const kinds = new Map<string, number>()
  for (const [kind, count] of all.flatMap(({ how }) => Object.entries(how))) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + count)
  }
  const how = [...kinds].map(([kind, count]) => `${count} ${kind}`).join(", ")
  return `${gone} of ${requests}${how === "" ? "" : ` (${how})`}`
}

function row(name: string, bar: string, all: readonly Felt[]): void {
  const outages = spread(all.map(({ outage }) => outage))
  const disturbed = spread(all.map((each) => each.disturbed))
  console.log(`| ${name} | ${outages} | ${bar} | ${disturbed} | ${lost(all)} |`)
}

async function measure(pair: Pair, scenario: Scenario): Promise<void> {
  const all: Felt[] = []
  for (let run = 0; run < runs; run++) all.push(await scenario.run(pair))
  const outages = all.map(({ outage }) => outage)
  const bad = outages.filter((outage) => !(outage <= scenario.bar)).length
  above += bad
  const bar = Number.isFinite(scenario.bar) ? String(scenario.bar) : "none"
  const mark = bad === 0 ? "" : ` (${bad} above)`
  row(scenario.name, bar + mark, all)
}

async function measureMove(pair: Pair, move: Move): Promise<void> {
  const all: Awaited<ReturnType<Move["run"]>>[] = []
  for (let run = 0; run < runs; run++) all.push(await move.run(pair))
  const outages = all.map(({ outage }) => outage)
  above += outages.filter((outage) => !(outage <= move.bar)).length
  const underWay = lost(all.map((each) => each.underWay))
  console.log(`| ${move.name} | ${spread(outages)} | ${move.bar} | ${lost(all)} | ${underWay} |`)
}

console.log("| What happens | Without service, ms | Bar | Disturbed, ms | Lost requests |")
console.log("| --- | --- | --- | --- | --- |")
const chosen = scenarios.filter(({ name }) => wanted(name))
if (chosen.length > 0) {
  await using pair = await Pair.start()
  for (const scenario of chosen) await measure(pair, scenario)
}
console.log(
  "\n| What moves it | Without service, ms | Bar | Lost requests | Lost of what was under way |",
)
console.log("| --- | --- | --- | --- | --- |")
for (const linger of [false, true]) {
  const word = linger ? ", --linger" : ""
  for (const preempt of [false, true]) {
    const some = moves.filter((each) => each.preempt === preempt && wanted(each.name + word))
    if (some.length === 0) continue
    await using pair = await Pair.start({ preempt, linger })
    for (const each of some) await measureMove(pair, { ...each, name: each.name + word })
  }
}
console.log("\n| What happens | Without service, ms | Bar | Disturbed, ms | Lost requests |")
console.log("| --- | --- | --- | --- | --- |")
for (const { name, run } of arrangements.filter((each) => wanted(each.name))) {
  for (const kind of ["killed", "hung"] as const) {
    const all: Felt[] = []
    for (let count = 0; count < runs; count++) all.push(await run(kind))
    row(`${name}: one ${kind}`, "none", all)
  }
}
process.exit(above === 0 ? 0 : 1)
