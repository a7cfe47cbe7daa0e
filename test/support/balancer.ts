/**
 * One worker in this process, on a free port, in front of the given backends: what tests of the data path use.
 * It is stopped when its test has finished, or when the file has where tests run at the same time. Unless the test
 * says otherwise no probe is sent, so that a backend sees the test's own connections and no others.
 */
import { withDefaults } from "../../src/config/schema/pools.ts"
import type { BackendSettings, FlatSettings, Settings } from "../../src/config/schema/settings.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { Deadlines } from "../../src/core/deadlines.ts"
import { WorkerFigures } from "../../src/master/figures/worker-figures.ts"
import {
  ACTIVE,
  type BackendFacts,
  FAILURES,
  IDLE,
  REQUESTS,
  TUNNELS,
} from "../../src/observe/backend-series.ts"
import { portOf } from "../../src/net/linux/activation.ts"
import type { ListeningSocket } from "../../src/net/listeners.ts"
import { openListener } from "../../src/net/open-listener.ts"
import type { Lookup } from "../../src/net/names/resolver.ts"
import type { Log } from "../../src/core/log.ts"
import type { HealthChange, WorkerReport } from "../../src/observe/snapshot.ts"
import type { DrainOutcome, Worker } from "../../src/worker/types.ts"
import { startWorker } from "../../src/worker/worker.ts"
import { present } from "./present.ts"
import { afterTest } from "./side-by-side.ts"

/** Settings of which each group may be given in part. */
export type SettingsPart = {
  readonly [Key in keyof Settings]?: Settings[Key] extends readonly unknown[]
    ? Settings[Key]
    : Settings[Key] extends object | null
      ? Partial<Settings[Key]>
      : Settings[Key]
}

/** A port on 127.0.0.1, or more of a backend. */
export type BackendPart = number | (Partial<BackendSettings> & { readonly port: number })

interface TestReport extends WorkerReport {
  readonly backends: readonly (BackendFacts & {
    readonly active: number
    readonly idle: number
    readonly requests: number
    readonly failures: number
  })[]
}

export class TestBalancer {
  readonly port: number
  readonly settings: Settings
  /** All log lines, with their level in front: "warn: ...". */
  readonly lines: readonly string[]
  readonly changes: readonly HealthChange[]
  readonly #worker: Worker
  readonly #figures: WorkerFigures

  private constructor(
    worker: Worker,
    settings: Settings,
    lines: readonly string[],
    changes: readonly HealthChange[],
    /** Of all its connections. */
    readonly deadlines: Deadlines,
    readonly listeners: readonly ListeningSocket[],
  ) {
    this.#worker = worker
    this.#figures = new WorkerFigures(worker)
    this.port = worker.port
    this.settings = settings
    this.lines = lines
    this.changes = changes
  }

  /**
   * `listenFd`: a listening descriptor on `part.port`, owned by the balancer from now on. `lookup` answers for names.
   */
  static async start(
    backends: readonly BackendPart[],
    part: SettingsPart = {},
    listenFd: number | null = null,
    lookup?: Lookup,
  ): Promise<TestBalancer> {
    const settings = settingsOf(backends, part)
    const lines: string[] = []
    const changes: HealthChange[] = []
    const deadlines = new Deadlines()
    const listeners = socketsOf(settings, listenFd)
    const worker = await startWorker({
      settings,
      deadlines,
      index: 0,
      listeners,
      log: recordingLog(lines),
      onHealthChange: (change) => changes.push(change),
      ...(lookup === undefined ? {} : { lookup }),
      // Rotations begin at the first backend, so that a test can tell who is next.
      ...(settings.strategy === "random" ? {} : { random: () => 0 }),
    })
    const balancer = new TestBalancer(worker, settings, lines, changes, deadlines, listeners)
    afterTest(() => balancer.stop())
    return balancer
  }

  /** Where the listener of this name listens. */
  portOf(name: string): number {
    const socket = this.listeners.find(({ settings }) => settings.name === name)
    const port = socket === undefined ? null : portOf(socket.fd)
    if (port === null) throw new Error(`no port of ${name}`)
    return port
  }

  /** What the worker says of itself and of each backend: those of the settings first, then those that are leaving. */
  report(): TestReport {
    const rows = this.#figures.backends().flatMap(({ views, numbers }) =>
      views.map(({ facts, gauges }) => ({
        ...facts,
        active: (gauges[ACTIVE] ?? 0) + (gauges[TUNNELS] ?? 0),
        idle: gauges[IDLE] ?? 0,
        requests: numbers[REQUESTS] ?? 0,
        failures: numbers[FAILURES] ?? 0,
      })),
    )
    const backends = rows.sort((a, b) => Number(a.draining) - Number(b.draining) || a.row - b.row)
    return { ...this.#worker.report(), samples: this.#figures.samples(), backends }
  }

  /** The sum of a family's samples whose labels contain all of `labels`. */
  figure(family: string, ...labels: string[]): number {
    const samples = Object.entries(this.report().samples[family] ?? {})
    return samples
      .filter(([set]) => labels.every((label) => set.includes(label)))
      .reduce((sum, [, value]) => sum + value, 0)
  }

  /** The figures of the backends as the worker tells them. What is taken here is not in `report` and `figure`. */
  get series(): Worker["backends"] {
    return this.#worker.backends
  }

  /** As `apply`; what is counted for those that leave waits for who reads `series`. */
  applyUnread(backends: readonly BackendPart[], part: SettingsPart = {}): Promise<void> {
    return this.#worker.apply(settingsOf(backends, part))
  }

  /** Other backends and settings, as `start` takes them, while it serves. */
  async apply(backends: readonly BackendPart[], part: SettingsPart = {}): Promise<void> {
    await this.applyUnread(backends, part)
    // What was counted for those that have left is kept by who reads it.
    this.#figures.backends()
  }

  /** Resolves with the number of connections that were cut. */
  async drain(limitMs: number): Promise<number> {
    return (await this.drainOutcome(limitMs)).cut
  }

  drainOutcome(limitMs: number): Promise<DrainOutcome> {
    return this.#worker.drain(limitMs)
  }

  stop(): void {
    this.#worker.stop()
  }
}

function socketsOf({ listeners }: Settings, listenFd: number | null): ListeningSocket[] {
  return listeners.map((settings, id) => {
    if (listenFd !== null) return { id, settings, fd: listenFd, queue: "own", waits: false }
    const { fds, queue, file } = openListener(settings, 1)
    file?.publish()
    return { id, settings, fd: present(fds[0]), queue, waits: false }
  })
}

function settingsOf(backends: readonly BackendPart[], part: SettingsPart): Settings {
  const defaults = defaultSettings({ platform: "linux", cpus: 2 })
  const merged: Record<string, unknown> = {
    ...defaults,
    host: "127.0.0.1",
    port: 0,
    admin: null,
    // A run of the same tests through Bun's sockets: see test/proxy/sockets.test.ts.
    sockets: process.env.BUNLB_TEST_SOCKETS ?? defaults.sockets,
    health: { ...defaults.health, type: "none" },
    backends: backends.map(backendOf),
  }
  for (const [key, value] of Object.entries(part)) {
    const group = merged[key]
    const isGroup = typeof group === "object" && group !== null && !Array.isArray(group)
    merged[key] = isGroup ? { ...group, ...(value as object) } : value
  }
  const settings = withDefaults(merged as unknown as FlatSettings)
  const { listeners = settings.listeners, pools = settings.pools } = part
  return { ...settings, listeners, pools }
}

function backendOf(part: BackendPart): BackendSettings {
  const given = typeof part === "number" ? { port: part } : part
  const host = given.host ?? "127.0.0.1"
  return {
    name: `${host}:${given.port}`,
    host,
    tls: false,
    weight: 1,
    backup: false,
    ca: null,
    ...given,
  }
}

function recordingLog(lines: string[]): Log {
  return {
    error: (line) => lines.push(`error: ${line}`),
    warn: (line) => lines.push(`warn: ${line}`),
    info: (line) => lines.push(`info: ${line}`),
    debug: (line) => lines.push(`debug: ${line}`),
    debugging: true,
  }
}
