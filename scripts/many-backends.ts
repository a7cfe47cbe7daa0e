/**
 * The longest pieces of work that figures of many backends make in a worker's loop and in the master's: 1,000 backends
 * and 16 workers, all backends with traffic, while Prometheus scrapes, a page is open and the status is asked for. With
 * `--changes` a backend is drained or enabled each second as well, for which every worker looks at all of them.
 * The master and its workers are the real ones; the backends are one server behind a thousand addresses.
 *
 *   bun scripts/many-backends.ts [--backends 1000] [--workers 16] [--seconds 12] [--rate 1000] [--warm 45] [--changes]
 *
 * Times are CPU time of the thread, because the machine may be shared, and wall time beside it. Exit code 1: of a
 * hundred pieces, more than one in a worker took more than 1 ms, or in the master more than 10 ms. Pieces in which
 * garbage was collected, as far as that can be seen, are counted and told apart. Linux only.
 */
import { dlopen } from "bun:ffi"
import { heapSize } from "bun:jsc"
import { parseArgs } from "node:util"
import { defaultSettings } from "../src/config/resolve.ts"
import type { BackendSettings, Settings } from "../src/config/schema/settings.ts"
import { startFleet } from "../src/service/run.ts"
import {
  isWorkerProcess,
  runWorkerProcess,
  startRealWorker,
} from "../src/master/supervise/worker-process.ts"
import { Slices } from "../src/core/slices.ts"
import type { StartWorker, Worker } from "../src/worker/types.ts"

const WORKER_LIMIT_MS = 1
const MASTER_LIMIT_MS = 10
const EACH_SECOND = 1_000
/** A turn shorter than this is none. */
const IDLE_MS = 0.1
const ROLE = "BUNLB_MANY_BACKENDS_ROLE"
const OPTIONS = "BUNLB_MANY_BACKENDS_OPTIONS"
const RESULT = "longest "

const parsed = parseArgs({
  options: {
    backends: { type: "string", default: "1000" },
    workers: { type: "string", default: "16" },
    seconds: { type: "string", default: "12" },
    rate: { type: "string", default: "1000" },
    warm: { type: "string", default: "45" },
    changes: { type: "boolean", default: false },
  },
  allowPositionals: true,
})
/** Workers are started without the words of this command. */
const values: typeof parsed.values = JSON.parse(
  (process.env[OPTIONS] ??= JSON.stringify(parsed.values)),
)

const seconds = Number(values.seconds)
/** The first report tells everything, and code that runs once a second is compiled for most of a minute. */
const WARM_MS = Number(values.warm) * 1000

const THREAD_CPU_CLOCK = 3
const c = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } }).symbols
const time = new BigInt64Array(new ArrayBuffer(16))

/** Milliseconds of CPU that this thread has used. */
function cpu(): number {
  c.clock_gettime(THREAD_CPU_CLOCK, time)
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6
}

/** Dies at the next garbage collection of whatever kind, because it is young. */
let canary = new WeakRef({})

/** Whether garbage was collected in the piece that ends now, or since the one before it. */
function garbageWasCollected(heapBefore: number): boolean {
  const died = canary.deref() === undefined
  canary = new WeakRef({})
  return died || heapSize() < heapBefore
}

/** How long pieces of work were. */
class Pieces {
  readonly cpu: number[] = []
  readonly wall: number[] = []
  /** CPU time of pieces in which garbage was collected: of the whole process, whoever made it. */
  readonly collected: number[] = []

  measure<T>(work: () => T): T {
    const before = heapSize()
    const [began, beganCpu] = [performance.now(), cpu()]
    const result = work()
    const [cpuMs, wallMs] = [cpu() - beganCpu, performance.now() - began]
    if (garbageWasCollected(before)) this.collected.push(cpuMs)
    else this.add(cpuMs, wallMs)
    return result
  }

  add(cpuMs: number, wallMs: number): void {
    this.cpu.push(cpuMs)
    this.wall.push(wallMs)
  }

  clear(): void {
    this.cpu.length = this.wall.length = this.collected.length = 0
  }
}

type Found = Record<string, Pick<Pieces, "cpu" | "wall" | "collected">>

/** The real worker, with a watch on what it does for the master. What is found is logged: the master collects it. */
const startWatched: StartWorker = async (options) => {
  const worker = await startRealWorker(options)
  const [gathering, sending, whole, changing] = [
    new Pieces(),
    new Pieces(),
    new Pieces(),
    new Pieces(),
  ]
  watchChanges(worker, changing)
  const { backends } = worker
  const next = backends.next.bind(backends)
  backends.next = (budgetMs) => gathering.measure(() => next(budgetMs))
  const report = worker.report.bind(worker)
  worker.report = () => whole.measure(report)
  const sendReally = process.send?.bind(process)
  process.send = (message: unknown) => sending.measure(() => sendReally?.(message) ?? false)
  setTimeout(() => {
    for (const pieces of [gathering, sending, whole, changing]) pieces.clear()
    setTimeout(() => {
      const found: Found = { gathering, sending, whole, changing }
      options.log.info(RESULT + JSON.stringify(found))
    }, seconds * 1000)
  }, WARM_MS)
  return worker
}

/** Everything that is done in slices. The first piece is `first`, when it is known where that began. */
function watchSlices(pieces: Pieces, first: Piece | null = null): void {
  const rest = Slices.prototype.rest
  const began = new WeakMap<Slices, Piece>()
  Slices.prototype.rest = async function (this: Slices) {
    const piece = began.get(this) ?? first ?? new Piece()
    piece.end(pieces)
    await rest.call(this)
    piece.begin()
    began.set(this, piece)
  }
}

/** From the message on to the answer, but for the rests. */
function watchChanges(worker: Worker, pieces: Pieces): void {
  const piece = new Piece()
  watchSlices(pieces, piece)
  const apply = worker.apply.bind(worker)
  worker.apply = async (settings) => {
    piece.begin()
    await apply(settings)
    piece.end(pieces)
  }
}

/** A piece of work from `begin` to `end`. */
class Piece {
  #cpu = -1
  #wall = -1
  #heap = 0

  begin(): void {
    this.#cpu = cpu()
    this.#wall = performance.now()
    this.#heap = heapSize()
  }

  /** Nothing for one that has not begun. */
  end(pieces: Pieces): void {
    if (this.#cpu < 0) return
    const [cpuMs, wallMs] = [cpu() - this.#cpu, performance.now() - this.#wall]
    if (garbageWasCollected(this.#heap)) pieces.collected.push(cpuMs)
    else pieces.add(cpuMs, wallMs)
    this.#cpu = -1
  }
}

/** What the master does: with a message of a worker, at each tick, and for those who ask. */
function watchMaster(): { readonly found: Found; clear(): void } {
  const [messages, timers, slices] = [new Pieces(), new Pieces(), new Pieces()]
  const spawnReally = Bun.spawn
  const spawn = (command: string[], options: { ipc?: (...words: unknown[]) => void }) => {
    const { ipc } = options
    const watched = ipc && ((...words: unknown[]) => messages.measure(() => ipc(...words)))
    return spawnReally(command, { ...options, ...(watched && { ipc: watched }) })
  }
  Object.assign(Bun, { spawn })
  for (const name of ["setInterval", "setTimeout"] as const) {
    const really = globalThis[name]
    const set = (work: (...words: unknown[]) => void, ...more: unknown[]) =>
      Reflect.apply(really, globalThis, [() => timers.measure(work), ...more])
    Object.assign(globalThis, { [name]: set })
  }
  watchSlices(slices)
  return {
    found: { messages, timers, slices },
    clear: () => {
      for (const pieces of [messages, timers, slices]) pieces.clear()
    },
  }
}

async function main(): Promise<boolean> {
  const origin = spawnRole("origin")
  const port = Number(await firstLine(origin))
  const found: Found[] = []
  const log = {
    ...{ error: console.error, warn: () => {}, debug: () => {}, debugging: false },
    info: (line: string) => {
      const at = line.indexOf(RESULT)
      if (at !== -1) found.push(JSON.parse(line.slice(at + RESULT.length)))
    },
  }
  const master = watchMaster()
  const fleet = await startFleet(settingsFor(port), log)
  const client = spawnRole("client", String(port), String(fleet.port), String(fleet.adminPort))
  await Bun.sleep(WARM_MS)
  master.clear()
  const turns = await watchTurns(seconds * 1000)
  while (found.length < Number(values.workers)) await Bun.sleep(100)
  client.kill()
  const got = await new Response(client.stdout).text()
  console.log(`${values.backends} backends, ${values.workers} workers`)
  console.log(`the client got ${got.trim().split("\n").at(-1) ?? ""}`)
  await fleet.stop()
  origin.kill()
  return tell(found, { ...master.found, turns })
}

/** Every turn of this loop, for `ms`. It never rests meanwhile, which costs a core and changes no turn's CPU time. */
async function watchTurns(ms: number): Promise<Pieces> {
  const turns = new Pieces()
  const until = performance.now() + ms
  let [began, beganCpu] = [performance.now(), cpu()]
  await new Promise<void>((resolve) => {
    const turn = (): void => {
      const [now, nowCpu] = [performance.now(), cpu()]
      // Of millions of turns most do nothing.
      if (nowCpu - beganCpu > IDLE_MS) turns.add(nowCpu - beganCpu, now - began)
      began = now
      beganCpu = nowCpu
      if (now < until) setImmediate(turn)
      else resolve()
    }
    setImmediate(turn)
  })
  return turns
}

function settingsFor(port: number): Settings {
  const defaults = defaultSettings({ platform: "linux", cpus: 2 })
  const backends = Array.from({ length: Number(values.backends) }, (_, i): BackendSettings => {
    const host = `127.1.${i >> 8}.${i & 255}`
    return {
      ...{ name: `${host}:${port}`, host, port, tls: false, weight: 1, backup: false, ca: null },
    }
  })
  return {
    ...defaults,
    ...{ host: "127.0.0.1", port: 0, admin: { host: "127.0.0.1", port: 0 }, mode: "mp" as const },
    ...{ workers: Number(values.workers), backends },
    health: { ...defaults.health, interval: 20_000, timeout: 4_000 },
  }
}

function spawnRole(role: string, ...words: string[]) {
  const command = [process.execPath, import.meta.path, ...process.argv.slice(2), ...words]
  const env = { ...process.env, [ROLE]: role }
  return Bun.spawn(command, { env, stdio: ["ignore", "pipe", "inherit"] })
}

async function firstLine(child: ReturnType<typeof spawnRole>): Promise<string> {
  for await (const chunk of child.stdout) return new TextDecoder().decode(chunk).trim()
  throw new Error("it said nothing")
}

function runOrigin(): void {
  const server = Bun.serve({ hostname: "0.0.0.0", port: 0, fetch: () => new Response("hello") })
  console.log(server.port)
}

/** Sends requests, scrapes, asks, gives orders and watches; says how much it has got. */
async function runClient(origin: number, port: number, adminPort: number): Promise<void> {
  const admin = `http://127.0.0.1:${adminPort}`
  const got = { requests: 0, scrapes: 0, bytes: 0, statuses: 0, changes: 0, pictures: 0 }
  const every = (ms: number, work: () => Promise<void>): void => {
    setInterval(() => void work().catch(() => {}), ms)
  }
  const STEP_MS = 10
  every(STEP_MS, async () => {
    const batch = Math.ceil((Number(values.rate) * STEP_MS) / 1000)
    for (let i = 0; i < batch; i++) {
      void fetch(`http://127.0.0.1:${port}/`).then(
        async (response) => {
          await response.text()
          got.requests++
        },
        () => {},
      )
    }
  })
  every(EACH_SECOND, async () => {
    const text = await (await fetch(`${admin}/metrics`)).text()
    got.scrapes++
    got.bytes = text.length
  })
  every(EACH_SECOND, async () => {
    await (await fetch(`${admin}/api/v1/status`)).json()
    got.statuses++
  })
  every(EACH_SECOND, async () => {
    if (values.changes !== true) return
    const order = got.changes % 2 === 0 ? "drain" : "enable"
    const path = `/api/v1/backends/127.1.0.1:${origin}/${order}`
    const headers = { "Content-Type": "application/json" }
    const answer = await fetch(admin + path, { method: "POST", headers, body: "{}" })
    if (answer.ok) got.changes++
  })
  every(EACH_SECOND, async () => console.log(JSON.stringify(got)))
  const events = await fetch(`${admin}/api/v1/events`)
  if (events.body !== null) for await (const _ of events.body) got.pictures++
}

/** What is judged is longer than this share of the pieces: on a shared machine some are late by no fault of theirs. */
const SHARE = 0.99

function tell(workers: readonly Found[], master: Found): boolean {
  const merged: Found = {}
  for (const each of workers) {
    for (const [name, { cpu, wall, collected }] of Object.entries(each)) {
      const all = (merged[name] ??= { cpu: [], wall: [], collected: [] })
      all.collected.push(...collected)
      all.cpu.push(...cpu)
      all.wall.push(...wall)
    }
  }
  const worst = (who: string, found: Found): number =>
    Math.max(
      ...Object.entries(found)
        .filter(([, { cpu }]) => cpu.length > 0)
        .map(([name, pieces]) => row(`${who}: ${name}`, pieces)),
    )
  const { turns, ...pieces } = master
  const ofWorkers = worst("worker", merged)
  const ofMaster = worst("master", pieces)
  if (turns !== undefined) row("master: turns of its loop", turns)
  return ofWorkers <= WORKER_LIMIT_MS && ofMaster <= MASTER_LIMIT_MS
}

/** Prints one line; gives the length that is judged. */
function row(name: string, { cpu: times, wall, collected }: Found[string]): number {
  const at = (all: number[], share: number): number =>
    all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0
  const ms = (value: number): string => `${value.toFixed(2)} ms`
  const judged = at(times, SHARE)
  const garbage =
    collected.length > 0
      ? `; ${collected.length} more with a garbage collection, longest ${ms(at(collected, 1))}`
      : ""
  console.log(
    `${name.padEnd(26)} ${times.length} pieces, CPU: half below ${ms(at(times, 0.5))},`,
    `99% ${ms(judged)}, 99.9% ${ms(at(times, 0.999))}, longest ${ms(at(times, 1))};`,
    `wall: 99% ${ms(at(wall, 0.99))}, longest ${ms(at(wall, 1))}${garbage}`,
  )
  return judged
}

const role = process.env[ROLE]
const [origin = 0, port = 0, adminPort = 0] = process.argv.slice(-3).map(Number)
if (isWorkerProcess()) runWorkerProcess(startWatched)
else if (role === "origin") runOrigin()
else if (role === "client") await runClient(origin, port, adminPort)
else process.exit((await main()) ? 0 : 1)
