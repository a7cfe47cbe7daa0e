/**
 * bunlb inside another program's tests: a balancer and backends on free ports of this machine, started in some
 * milliseconds and gone without a trace. One process and no admin listener; else it is what the executable is.
 *
 * The backends are those of `bunlb backend`: /echo, /delay/MS, /status/CODE, /bytes/N, /stream.
 */
import { randomBytes } from "node:crypto"
import { formatHostPort } from "./config/schema/address.ts"
import { parseConfig } from "./config/file/config-tree.ts"
import { hasBackend, noBackend } from "./config/no-backend.ts"
import { resolveSettings } from "./config/resolve.ts"
import { withStickyKey } from "./config/schema/pools.ts"
import { formatListen } from "./config/schema/listen-address.ts"
import type { ListenAddress, Settings } from "./config/schema/settings.ts"
import type { BalancerOptions } from "./options.ts"
import { startBackend as startTestBackend } from "./demo/backend.ts"
import { putAuthoritiesInEffect, readAllAuthorities } from "./net/tls/authorities.ts"
import { WorkerFigures } from "./master/figures/worker-figures.ts"
import { BunlbError } from "./core/errors.ts"
import type { Log } from "./core/log.ts"
import { startWorker } from "./worker/worker.ts"

export interface TestBalancer extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:PORT`; with several listeners that of the first. */
  readonly url: string
  /** That of each listener, by its name; `unix:/PATH` for a unix socket. */
  readonly urls: Readonly<Record<string, string>>
  /** What it has logged, with the level in front: `warn: backend 127.0.0.1:9001 is unhealthy: ...`. */
  readonly lines: readonly string[]
  /** The sum of a metric's samples, of those whose labels contain each of `labels`: `backend="127.0.0.1:9001"`. */
  figure(metric: string, ...labels: string[]): number
  /** Other backends, pools and settings from the next request on. Listeners stay where they are. */
  apply(options: BalancerOptions): Promise<void>
  /** Lets what is in flight end, for `ms` at most; resolves with the number of connections that were cut. */
  drain(ms: number): Promise<number>
  stop(): void
}

export interface BackendOptions {
  readonly name?: string
  /** That of a backend which was stopped, to bring it back; else any free one. */
  readonly port?: number
  /** Milliseconds before each answer. */
  readonly delay?: number
  /** The share of requests, 0 to 1, that are answered with `status`; evenly spread. */
  readonly failRate?: number
  readonly status?: number
  /** With a certificate that is good for tests only: say `insecure: true` to the balancer. */
  readonly tls?: boolean
}

export interface TestBackend extends Disposable {
  readonly name: string
  readonly port: number
  /** As the `backends` of a balancer take it. */
  readonly address: string
  /** Closes its port and every connection, as a crash does. */
  stop(): void
}

/** Throws an error with a line for each setting that makes no sense. */
export async function startBalancer(options: BalancerOptions): Promise<TestBalancer> {
  const stickyKey = randomBytes(32).toString("base64url")
  const settings = settingsOf(options, stickyKey)
  const lines: string[] = []
  const worker = await startWorker({
    settings,
    index: 0,
    listeners: null,
    log: recordingLog(lines),
    onHealthChange: ({ backend, healthy, reason }) => {
      lines.push(`warn: backend ${backend} is ${healthy ? "healthy" : "unhealthy"}: ${reason}`)
    },
  })
  const { port } = worker
  const urls = Object.fromEntries([...worker.addresses].map(([name, at]) => [name, urlOf(at)]))
  const figures = new WorkerFigures(worker)
  return {
    port,
    url: Object.values(urls)[0] ?? "",
    urls,
    lines,
    figure: (metric, ...labels) =>
      Object.entries(figures.samples()[metric] ?? {})
        .filter(([set]) => labels.every((label) => set.includes(label)))
        .reduce((sum, [, value]) => sum + value, 0),
    apply: async (changed) => {
      const { listeners } = options
      const next = settingsOf({ ...(listeners && { listeners }), ...changed }, stickyKey)
      refuseOther(settings, next)
      putAuthoritiesInEffect(readAllAuthorities(next.pools))
      await worker.apply(next)
      // What was counted for those that have left is kept by who reads it.
      figures.backends()
    },
    drain: async (ms) => (await worker.drain(ms)).cut,
    stop: () => worker.stop(),
    [Symbol.asyncDispose]: async () => worker.stop(),
  }
}

export async function startBackend(options: BackendOptions = {}): Promise<TestBackend> {
  const { name = "backend", port = 0, delay = 0, failRate = 0, status = 500, tls = false } = options
  const host = "127.0.0.1"
  const settings = { host, port, name, delay, failRate, status, tls, log: null }
  const backend = await startTestBackend(settings)
  const address = `${tls ? "https://" : ""}${formatHostPort(host, backend.port)}`
  const stop = (): void => backend.stop()
  return { name, port: backend.port, address, stop, [Symbol.dispose]: stop }
}

const NAME = "startBalancer"

function urlOf(address: ListenAddress): string {
  if ("path" in address) return formatListen(address)
  const { host, port } = address
  return `http://${formatHostPort(host === "" ? "127.0.0.1" : host, port)}`
}

/** Throws where other listeners than the running ones are asked for. */
function refuseOther(running: Settings, asked: Settings): void {
  const places = ({ listeners }: Settings): string[] =>
    listeners.map((each) => `${each.name}=${formatListen(each)}`)
  const before = places(running)
  const other = places(asked).find((place) => !before.includes(place))
  if (other === undefined) return
  const message = `${NAME}: listener ${other}: only the whole program opens listeners while it serves`
  throw new BunlbError("BUNLB_E_CONFIG", message)
}

/**
 * On 127.0.0.1 at a free port if nothing is said. `stickyKey`: what cookies are made with unless the options name a
 * key.
 */
function settingsOf(options: BalancerOptions, stickyKey: string): Settings {
  // An address of its own would stand beside those of the listeners.
  const address = options.listeners ? {} : { host: "127.0.0.1", port: 0 }
  const document = { ...address, ...options, admin: "off", mode: "sp" }
  const settings = resolveSettings({
    file: parseConfig(NAME, JSON.stringify(document), "json"),
    flags: new Map(),
    environment: {},
    machine: { cpus: 1, platform: process.platform },
  })
  if (!hasBackend(settings)) throw noBackend(NAME)
  const backends = settings.pools.flatMap((pool) => pool.backends)
  const discovered = backends.find(({ discover }) => discover !== undefined)
  if (discovered === undefined) {
    return withStickyKey(settings, stickyKey)
  }
  const message = `${NAME}: ${discovered.name}: only the whole program asks DNS, name servers`
  throw new BunlbError("BUNLB_E_CONFIG", message)
}

function recordingLog(lines: string[]): Log {
  return {
    error: (line) => lines.push(`error: ${line}`),
    warn: (line) => lines.push(`warn: ${line}`),
    info: (line) => lines.push(`info: ${line}`),
    debug: () => {},
    debugging: false,
  }
}
