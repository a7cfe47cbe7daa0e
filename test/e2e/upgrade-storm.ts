/**
 * Upgrade after upgrade under load: requests on kept connections, requests on a connection each, answers that take
 * longer than an upgrade, and somebody who looks at the admin listener all the while. Whatever fails is told.
 */
import { allGone } from "../master/running-fleet.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

export interface StormOptions {
  readonly upgrades: number
  /** Milliseconds from one upgrade to the next, at least. */
  readonly every: number
  /** Clients that keep their connection, and as many that make a new one for each request. */
  readonly clients: number
  readonly pause: number
  readonly flags?: readonly string[]
}

export interface StormOutcome {
  /** Answers on kept connections, on connections of their own, and late ones. */
  readonly kept: number
  readonly fresh: number
  readonly slow: number
  readonly failures: readonly unknown[]
  /** Questions to the admin listener that were answered. */
  readonly looks: number
  readonly masters: number
  /** That the first and the last master held. */
  readonly descriptors: readonly [before: number, after: number]
  /** Milliseconds from the wish until another served. */
  readonly took: readonly number[]
  /** Of the last one, when it is told to end. */
  readonly lines: readonly string[]
}

const SLOW_MS = 500
const WARM = 100

export async function upgradeStorm(options: StormOptions): Promise<StormOutcome> {
  const { clients, pause, flags = [] } = options
  using backend = startBackend()
  await using bunlb = await RunningBunlb.start([backend], flags)
  const { port } = bunlb
  const loads = {
    kept: new Load(port, { clients, pause, request: () => get("/") }),
    fresh: new Load(port, { clients, pause, request: () => get("/", "Connection: close\r\n") }),
    slow: new Load(port, { clients: 4, pause, request: () => get("/slow") }),
  }
  const all = Object.values(loads)
  const warm = (): boolean => loads.kept.ok > WARM && loads.fresh.ok > WARM
  await until(warm, PATIENCE_MS, "the load to be warm")
  const watcher = new Watcher(bunlb.adminPort)
  const before = await descriptors(bunlb)
  const { masters, took } = await blow(bunlb, options)
  await watcher.stop()
  await Promise.all(all.map((load) => load.stop()))
  const after = await descriptors(bunlb)
  const last = masters.at(-1) ?? 0
  process.kill(last, "SIGTERM")
  await allGone([last])
  return {
    ...{ kept: loads.kept.ok, fresh: loads.fresh.ok, slow: loads.slow.ok },
    failures: [
      ...all.flatMap((load) => [...load.failures, ...Array<string>(load.refused).fill("refused")]),
      ...watcher.failures,
    ],
    looks: watcher.looks,
    masters: new Set(masters).size,
    descriptors: [before, after],
    took,
    lines: bunlb.process.lines,
  }
}

async function descriptors(bunlb: RunningBunlb): Promise<number> {
  return await bunlb.figure("bunlb_process_open_fds", 'process="master"')
}

async function blow(bunlb: RunningBunlb, { upgrades, every }: StormOptions) {
  const masters = [bunlb.process.pid]
  const took: number[] = []
  for (let number = 0; number < upgrades; number++) {
    const at = performance.now()
    masters.push(await bunlb.upgrade())
    took.push(performance.now() - at)
    await Bun.sleep(Math.max(0, every - (performance.now() - at)))
  }
  await allGone(masters.slice(0, -1))
  return { masters, took }
}

function get(path: string, fields = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: storm\r\n${fields}\r\n`
}

function startBackend() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request): Promise<Response> {
      if (new URL(request.url).pathname === "/slow") await Bun.sleep(SLOW_MS)
      return new Response("whole", { headers: { "x-backend": "one" } })
    },
  })
  return { port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) }
}

/** Asks the admin listener again and again, each time on a connection of its own. */
class Watcher {
  readonly failures: string[] = []
  looks = 0
  readonly #end: Promise<void>
  #over = false

  constructor(port: number) {
    this.#end = this.#look(`http://127.0.0.1:${port}/health`)
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#end
  }

  async #look(url: string): Promise<void> {
    while (!this.#over) {
      try {
        const response = await fetch(url, { headers: { connection: "close" }, keepalive: false })
        await response.text()
        this.looks++
      } catch (error) {
        this.failures.push(`admin: ${String(error)}`)
      }
      await Bun.sleep(5)
    }
  }
}
