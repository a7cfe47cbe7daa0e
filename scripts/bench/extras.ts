/** What no scenario of traffic shows: the longest stall in a minute of steady work, and the time to a first answer. */
import { PROXY_CORE, LOAD_CORE } from "./measure.ts"
import type { Place } from "./measure.ts"
import { medianOf } from "./median.ts"
import { startPeer } from "./peers.ts"
import type { PeerName } from "./peers.ts"
import { freePort } from "./program.ts"
import { scenarios } from "./scenarios.ts"
import { putLoad } from "./traffic.ts"
import type { Load } from "./traffic.ts"

export interface Stall {
  readonly peer: PeerName
  readonly load: Load
}

/** Milliseconds from the start of the executable to its first proxied response. */
export interface Starts {
  readonly count: number
  readonly least: number
  readonly median: number
  readonly most: number
}

/** About what half of one core can do here, and the same for all. */
const STEADY_RATE = 20_000
const START_LIMIT_MS = 5000

/** The worst latency of `small` requests at a steady rate, for each of `peers` in turn. */
export async function measureStalls(
  peers: readonly PeerName[],
  { origin, executable, folder }: Place,
  seconds: number,
): Promise<Stall[]> {
  const stalls: Stall[] = []
  const { small } = scenarios
  for (const peer of peers) {
    const setup = { tls: false, workers: 1, origin: origin.ports, executable }
    const { port, program } = await startPeer(peer, setup, { folder, cores: PROXY_CORE })
    const usual = { port, connections: small.connections, cores: LOAD_CORE, folder }
    try {
      await putLoad(small, { ...usual, seconds: 2, pauseMs: 0 })
      const pauseMs = (small.connections * 1000) / STEADY_RATE
      stalls.push({ peer, load: await putLoad(small, { ...usual, seconds, pauseMs }) })
    } finally {
      await program.stop()
    }
  }
  return stalls
}

/** Each start is a new process in the page cache of the one before: a machine that has run bunlb before. */
export async function measureStarts({ origin, executable }: Place, count: number): Promise<Starts> {
  const times: number[] = []
  for (let i = 0; i < count; i++) times.push(await startOnce(executable, origin.ports.plain))
  const sorted = times.toSorted((a, b) => a - b)
  return { count, least: sorted[0] ?? 0, median: medianOf(times), most: sorted.at(-1) ?? 0 }
}

async function startOnce(executable: string, origin: number): Promise<number> {
  const port = freePort()
  const began = performance.now()
  const program = Bun.spawn(
    [executable, "-h", "127.0.0.1", "-p", String(port), "-w", "1", "--admin", "off"].concat([
      "-b",
      `127.0.0.1:${origin}`,
    ]),
    { stdio: ["ignore", "ignore", "ignore"] },
  )
  try {
    while (performance.now() - began < START_LIMIT_MS) {
      if (await answers(port)) return performance.now() - began
      await Bun.sleep(1)
    }
    throw new Error("bunlb does not start")
  } finally {
    program.kill("SIGKILL")
    await program.exited
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/small`)
    await response.body?.cancel()
    return response.status === 200
  } catch {
    return false
  }
}
