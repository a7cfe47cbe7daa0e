/**
 * One scenario, all peers: they are started together and wait side by side, and are loaded in turn, round by round,
 * so that a noisy moment of the machine hits everybody. Then each is loaded at half of what it can do.
 */
import { costBetween } from "./cost.ts"
import type { IdleClients } from "./idle.ts"
import { openIdle } from "./idle.ts"
import { medianOf } from "./median.ts"
import { canServe, startPeer } from "./peers.ts"
import type { Origin, PeerName, Running } from "./peers.ts"
import type { Scenario } from "./scenarios.ts"
import { countSyscalls } from "./syscalls.ts"
import { putLoad } from "./traffic.ts"
import type { Load } from "./traffic.ts"

export const PROXY_CORE = "0"
export const LOAD_CORE = "1"
const BOTH_CORES = "0,1"
const WARM_UP_SECONDS = 1
/** What is compiled while it runs gets longer: at most a second more than it would need. */
const WARM_UP_SECONDS_COMPILED = 2

export interface Place {
  readonly origin: Origin
  readonly executable: string
  readonly folder: string
}

export interface Effort {
  readonly rounds: number
  readonly seconds: number
  /** Of latency at half load; 0 leaves it out. */
  readonly pacedSeconds: number
  readonly syscalls: boolean
  /** Of steady work, in which the longest stall is looked for; 0 leaves it out. */
  readonly stallSeconds: number
  /** Cold starts that are timed. */
  readonly starts: number
}

/** At saturation; medians over the rounds, errors added up. */
export interface Figures {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly userUs: number
  readonly systemUs: number
  readonly cpuUs: number
  readonly errors: number
  /** Of the whole tree, what is shared counted in each process. */
  readonly rssMiB: number
  /** Of its biggest process. */
  readonly biggestMiB: number
}

export interface Measured {
  readonly peer: PeerName
  readonly saturated: Figures
  readonly paced: Load | null
  readonly syscalls: number | null
  /** RSS that one idle connection adds. */
  readonly idleKiB: number | null
}

interface Contender extends Running {
  readonly peer: PeerName
  readonly idle: IdleClients | null
  readonly idleKiB: number | null
  readonly rounds: Figures[]
}

export async function measureScenario(
  scenario: Scenario,
  peers: readonly PeerName[],
  place: Place,
  effort: Effort,
): Promise<Measured[]> {
  const contenders: Contender[] = []
  try {
    for (const peer of peers) {
      if (canServe(peer, scenario.idle, scenario.workers)) {
        contenders.push(await enter(peer, scenario, place))
      }
    }
    for (let round = 0; round < effort.rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length]
        if (contender !== undefined) await saturate(contender, scenario, place, effort.seconds)
      }
    }
    return await finish(contenders, scenario, place, effort)
  } finally {
    for (const { idle, program } of contenders) {
      await idle?.stop()
      await program.stop()
    }
  }
}

/** Started and warmed up, its idle clients connected. */
async function enter(peer: PeerName, scenario: Scenario, place: Place): Promise<Contender> {
  const { origin, executable, folder } = place
  const { tls, workers } = scenario
  const cores = workers > 1 ? BOTH_CORES : PROXY_CORE
  const running = await startPeer(
    peer,
    { tls, workers, origin: origin.ports, executable },
    { folder, cores },
  )
  const compiled = peer === "bunlb" || peer === "relay"
  const seconds = compiled ? WARM_UP_SECONDS_COMPILED : WARM_UP_SECONDS
  await load(running.port, scenario, place, seconds, 0)
  if (scenario.idle === 0) return { peer, ...running, idle: null, idleKiB: null, rounds: [] }
  const before = running.program.residentBytes()
  const idle = await openIdle(running.port, scenario.idle, LOAD_CORE)
  const idleKiB = (running.program.residentBytes() - before) / 1024 / scenario.idle
  return { peer, ...running, idle, idleKiB, rounds: [] }
}

function load(
  port: number,
  scenario: Scenario,
  { folder }: Place,
  seconds: number,
  pauseMs: number,
): Promise<Load> {
  const { connections, workers } = scenario
  const cores = workers > 1 ? BOTH_CORES : LOAD_CORE
  return putLoad(scenario, { port, connections, seconds, cores, folder, pauseMs })
}

async function saturate(
  { port, program, rounds }: Contender,
  scenario: Scenario,
  place: Place,
  seconds: number,
): Promise<void> {
  const { settleSeconds } = scenario
  const before = program.cpu()
  const loaded = load(port, scenario, place, seconds + settleSeconds, 0)
  const settled =
    settleSeconds > 0
      ? await costBetween(program, place.origin, settleSeconds * 1000, seconds * 900)
      : null
  const { requests, ...result } = await loaded
  const after = program.cpu()
  const userUs = ((after.userMs - before.userMs) * 1000) / requests
  const systemUs = ((after.systemMs - before.systemMs) * 1000) / requests
  const figures = { ...result, userUs, systemUs, ...settled }
  const cpuUs = figures.userUs + figures.systemUs
  const resident = program.members().map(({ residentBytes }) => residentBytes / 2 ** 20)
  const rssMiB = resident.reduce((sum, each) => sum + each, 0)
  rounds.push({ ...figures, cpuUs, rssMiB, biggestMiB: Math.max(...resident) })
}

async function finish(
  contenders: readonly Contender[],
  scenario: Scenario,
  place: Place,
  { pacedSeconds, syscalls }: Effort,
): Promise<Measured[]> {
  const summed = contenders.map((contender) => ({ contender, saturated: sumUp(contender) }))
  const common = commonRate(summed.map(({ contender, saturated }) => ({ ...contender, saturated })))
  const measured: Measured[] = []
  for (const { contender, saturated } of summed) {
    const { peer, port, program, idleKiB } = contender
    const rate = Math.min(common, saturated.perSecond / 2)
    // A connection's cycle is its pause and the answer's time, which at half load is small beside it.
    const pauseMs = Math.max(0.1, (scenario.connections * 1000) / rate - saturated.p50Us / 4000)
    const paced =
      scenario.paced && pacedSeconds > 0
        ? await load(port, scenario, place, pacedSeconds, pauseMs)
        : null
    let calls: number | null = null
    if (syscalls && scenario.counted) {
      let requests = 0
      const total = await countSyscalls(program, place.folder, async () => {
        requests = (await load(port, scenario, place, 1, 0)).requests
      })
      calls = total / requests
    }
    measured.push({ peer, saturated, paced, syscalls: calls, idleKiB })
  }
  return measured
}

function sumUp({ rounds, idle }: Contender): Figures {
  const median = (key: keyof Figures): number => medianOf(rounds.map((each) => each[key]))
  return {
    perSecond: median("perSecond"),
    p50Us: median("p50Us"),
    p99Us: median("p99Us"),
    userUs: median("userUs"),
    systemUs: median("systemUs"),
    cpuUs: median("cpuUs"),
    rssMiB: median("rssMiB"),
    biggestMiB: median("biggestMiB"),
    // One bad round is not outvoted.
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0) + (idle?.lost() ?? 0),
  }
}

/** Half of what the slowest of bunlb, nginx and HAProxy can do: the same for all, unless it is too much for one. */
function commonRate(
  all: readonly { readonly peer: PeerName; readonly saturated: Figures }[],
): number {
  const compared = all.filter(({ peer }) => peer !== "caddy" && peer !== "relay")
  const rates = (compared.length > 0 ? compared : all).map(({ saturated }) => saturated.perSecond)
  return Math.min(...rates) / 2
}
