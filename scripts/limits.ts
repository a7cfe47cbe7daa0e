/**
 * What bunlb does at its limits, in figures: crowds, slow and rude clients, too few descriptors. Loads stay on
 * loopback and last some seconds each.
 *
 *   bun run limits [--only idle,slowloris,slowloris-ends,slow-readers,descriptors,reset-flood,chunks]
 *
 * Needs 25,000 descriptors for this process and prlimit (util-linux). Exit code 1: a figure is not as it must be.
 */
import { parseArgs } from "node:util"
import { BunlbProcess } from "../test/support/processes.ts"
import { program } from "./limits/balancer.ts"
import * as parts from "./limits/parts.ts"

const all: Readonly<Record<string, parts.Part>> = {
  idle: parts.idle,
  slowloris: parts.slowloris,
  "slowloris-ends": parts.slowlorisEnds,
  "slow-readers": parts.slowReaders,
  descriptors: parts.descriptors,
  "reset-flood": parts.resetFlood,
  chunks: parts.chunks,
}

const { values } = parseArgs({
  options: { only: { type: "string", default: Object.keys(all).join(",") } },
})
const backend = new BunlbProcess([...program, "backend", "-p", "0"], {})
const [, port] = await backend.line(/ listening on http:\/\/127\.0\.0\.1:(\d+)$/)
let failed = 0
for (const name of values.only.split(",")) {
  const part = all[name]
  if (part === undefined)
    throw new Error(`no part ${name}: there are ${Object.keys(all).join(", ")}`)
  console.log(`\n${name}`)
  for (const figure of await part(Number(port))) {
    if (!figure.fine) failed++
    const wanted =
      figure.wanted === "" ? "" : ` (${figure.wanted})${figure.fine ? "" : "  NOT FINE"}`
    console.log(`  ${figure.name.padEnd(48)} ${figure.value}${wanted}`)
  }
}
await backend[Symbol.asyncDispose]()
console.log(failed === 0 ? "\nfine" : `\n${failed} NOT FINE`)
process.exit(failed === 0 ? 0 : 1)
