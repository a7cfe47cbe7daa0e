/**
 * Ten million requests through one worker: no error, and memory that is flat once warm. Prints the resident memory
 * of every process of the balancer each few seconds; the verdict compares the first reading after a fifth of the
 * requests with the last one.
 *
 *   bun scripts/soak-requests.ts [--requests 10000000] [--connections 64] [--every 5] [--peer bunlb]
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { buildExecutable } from "./bench/executable.ts"
import { peerNames, startOrigin, startPeer } from "./bench/peers.ts"
import type { Program } from "./bench/program.ts"
import { putLoad } from "./bench/traffic.ts"

const PROXY_CORE = "0"
const LOAD_CORE = "1"
const GROWTH_LIMIT_MIB = 16
const WARM_SHARE = 0.2
const MIB = 2 ** 20

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000000" },
    connections: { type: "string", default: "64" },
    every: { type: "string", default: "5" },
    peer: { type: "string", default: "bunlb" },
  },
})
const wanted = Number(values.requests)
const peer = peerNames.find((name) => name === values.peer) ?? "bunlb"

const folder = mkdtempSync(join(tmpdir(), "bunlb-soak-"))
chmodSync(folder, 0o755)
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const origin = await startOrigin({ folder, cores: LOAD_CORE })
const setup = { tls: false, workers: 1, origin: origin.ports, executable: buildExecutable() }
const { port, program } = await startPeer(peer, setup, { folder, cores: PROXY_CORE })
console.log("seconds  requests  MiB of each process")

const begun = performance.now()
const traffic = { path: "/small", fields: [], kind: "same" } as const
const load = {
  port,
  connections: Number(values.connections),
  seconds: Number(values.every),
  cores: LOAD_CORE,
  folder,
  pauseMs: 0,
}
const series: { readonly done: number; readonly mib: number }[] = []
let done = 0
let errors = 0
while (done < wanted) {
  const result = await putLoad(traffic, load)
  done += result.requests
  errors += result.errors
  series.push({ done, mib: print(program) })
}
await program.stop()
await origin.program.stop()

const warm = series.filter((reading) => reading.done >= wanted * WARM_SHARE)
const growth = (series.at(-1)?.mib ?? 0) - (warm[0]?.mib ?? 0)
const isFlat = growth <= GROWTH_LIMIT_MIB
const said = `${done} requests, ${errors} errors, ${growth.toFixed(1)} MiB of growth after warm-up`
console.log(`${errors === 0 && isFlat ? "fine" : "NOT FINE"}: ${said}`)
process.exit(errors === 0 && isFlat ? 0 : 1)

/** Prints one reading and returns its sum. */
function print(read: Program): number {
  const members = read.members().map(({ residentBytes }) => residentBytes / MIB)
  const seconds = String(Math.round((performance.now() - begun) / 1000)).padStart(7)
  console.log(
    `${seconds}  ${String(done).padStart(8)}  ${members.map((mib) => mib.toFixed(1)).join(" ")}`,
  )
  return members.reduce((sum, mib) => sum + mib, 0)
}
