/**
 * One process's whole balancer, put together: listener, gateway, backends, health, names, deadlines. It knows
 * nothing of fleets; in single-process mode it is all there is.
 */
import { createStrategy } from "../balance/create.ts"
import type { Random } from "../balance/random.ts"
import { Roster } from "../balance/roster.ts"
import { SlowStart } from "../balance/slow-start.ts"
import type { Strategy } from "../balance/strategy.ts"
import type { Settings } from "../config/schema/settings.ts"
import { HealthBoard } from "../health/board.ts"
import { Prober } from "../health/prober.ts"
import { refusals } from "../http/refusal.ts"
import { Deadlines, SWEEP_MS } from "../core/deadlines.ts"
import type { ListeningSocket } from "../net/listeners.ts"
import { openListener } from "../net/open-listener.ts"
import { nameService } from "../net/names/name-service.ts"
import { Resolver } from "../net/names/resolver.ts"
import { EventClock, processClock } from "../core/clock.ts"
import { Figures } from "../observe/figures.ts"
import type { Samples, WorkerReport } from "../observe/snapshot.ts"
import { Gateway } from "../proxy/gateway.ts"
import { Pool } from "../proxy/backend/pool.ts"
import { type Upstream, hostOf } from "../proxy/backend/upstream.ts"
import { AccessLogging } from "./access-logging.ts"
import { BackendReports } from "./backend-reports.ts"
import { backendLimit, clientLimit, descriptorLimit } from "./descriptors.ts"
import { Membership } from "./membership.ts"
import { Probes } from "./probe.ts"
import { noProbes, readmissions } from "./readmission.ts"
import { Slices, unbroken } from "../core/slices.ts"
import type { DrainOutcome, StartWorker, Worker, WorkerOptions } from "./types.ts"
import { Drain, stopClients } from "./draining.ts"
import { VanishedBackends } from "./vanished-backends.ts"
import { WorkerListeners } from "./worker-listeners.ts"

/** Below this share of the client limit the next time that it is reached is news. */
const ROOMY = 0.9

/** So few backends are changed in one piece, before anybody asks whether it is done. */
const FEW = 64

export const startWorker: StartWorker = async (options) => {
  const balancer = new Balancer(options)
  await balancer.start()
  return balancer
}

class Balancer implements Worker {
  readonly #options: WorkerOptions
  readonly #gateway: Gateway
  readonly #pool: Pool
  readonly #resolver: Resolver
  readonly #prober: Prober
  readonly #listeners: WorkerListeners
  readonly #membership: Membership
  readonly backends: BackendReports
  readonly #unreachable: VanishedBackends
  readonly #clock = new EventClock()
  readonly #slowStart = new SlowStart(this.#clock, Math.random)
  readonly #random: Random
  #clientLimit = 0
  readonly #access: AccessLogging
  readonly #began = processClock.now()
  #sweeper: ReturnType<typeof setInterval> | null = null
  /** Who becomes idle is closed. */
  #leaving = false
  #toldFull = false

  constructor(options: WorkerOptions) {
    const { settings, random = Math.random } = options
    this.#random = random
    const strategy = createStrategy(settings.strategy, random)
    this.#options = options
    this.#pool = this.#createPool(strategy)
    this.#gateway = new Gateway({
      settings,
      clock: this.#clock,
      log: options.log,
      figures: new Figures(refusals.map((entry) => entry?.reason ?? "")),
      pool: this.#pool,
      deadlines: options.deadlines ?? new Deadlines(),
    })
    this.#unreachable = new VanishedBackends(this.#pool.upstreams, settings.health.failures)
    this.#access = new AccessLogging(this.#gateway, options.index, options.log)
    this.#resolver = this.#createResolver()
    this.#prober = new Prober(0, settings.health, noProbes, this.#pool.board)
    this.#membership = new Membership(
      {
        gateway: this.#gateway,
        pool: this.#pool,
        resolver: this.#resolver,
        prober: this.#prober,
        random,
        onRenewed: (upstream, before) => {
          this.backends.renew(upstream, before)
          this.#tell(upstream, true, "configured anew")
        },
        onDone: (upstream) => this.backends.end(upstream),
        pauses: (backends) => (backends > FEW ? new Slices(true) : unbroken),
      },
      strategy,
    )
    this.backends = new BackendReports({
      membership: this.#membership,
      prober: this.#prober,
      resolver: this.#resolver,
    })
    this.#listeners = new WorkerListeners(this.#gateway, () => this.#accepted())
    for (const socket of options.listeners ?? ownListeners(settings)) this.#listeners.add(socket)
    this.#gateway.onClientGone = (client) => {
      this.#listeners.gone(client)
      this.#clientGone()
    }
  }

  get port(): number {
    return this.#listeners.port
  }

  #createPool(strategy: Strategy): Pool {
    const [settings] = this.#options.settings.pools
    const { health, whenAllUnhealthy } = settings
    const wallClock = { now: () => Date.now() }
    const roster = new Roster([], strategy, whenAllUnhealthy, this.#slowStart, this.#random)
    const board = new HealthBoard(0, health, this.#clock, wallClock, {
      changed: (index, healthy, reason) => this.#healthChanged(index, healthy, reason),
      avoidance: (index, avoids, cause, reason) => this.#avoids(index, avoids, cause, reason),
      suspected: (index) => this.#suspected(index),
    })
    return new Pool(settings, roster, board)
  }

  #createResolver(): Resolver {
    const { log, settings } = this.#options
    const addresses = this.#options.lookup ?? nameService(settings.dns).addresses
    return new Resolver([], addresses, processClock, log, (host, _added, removed) => {
      const gone = new Set(removed.map(({ ip }) => ip))
      for (const upstream of this.#membership.all) {
        if (upstream.settings.host !== host) continue
        upstream.idle.retireWhere(({ target }) => gone.has(target.ip))
      }
    })
  }

  async apply(settings: Settings): Promise<void> {
    await this.#membership.apply(settings, (backendsOnly) => {
      if (backendsOnly) {
        this.#gateway.settings = settings
        this.#pool.settings = settings.pools[0]
      } else this.#adopt(settings)
      this.#limitConnections(settings)
    })
    this.#expectReturn()
  }

  /** All that is not a backend's own. */
  #adopt(settings: Settings): void {
    const { health } = settings
    const gateway = this.#gateway
    // It may fail, so it comes first: nothing has changed then.
    this.#access.configure(settings.accessLog)
    gateway.configure(settings)
    this.#pool.configure(settings.pools[0])
    this.#listeners.configure(settings)
    this.#slowStart.configure(health.slowStart)
    const probed = health.type !== "none"
    const transport = probed ? this.#createProbes(settings) : noProbes
    const verdicts = probed ? this.#pool.board : readmissions(this.#pool.board)
    this.#prober.configure(health, transport, verdicts, processClock.now())
  }

  #limitConnections({ listeners, backends }: Settings): void {
    const descriptors = descriptorLimit()
    this.#clientLimit = clientLimit(0, backends.length, descriptors)
    const most = clientLimit(connectionsOf(listeners), backends.length, descriptors)
    this.#gateway.backendLimit = backendLimit(most, backends.length, descriptors)
    this.#clientGone()
  }

  #createProbes({ health, timeouts, hostHeader, http }: Settings): Probes {
    const { deadlines, direct } = this.#gateway
    const { upstreams } = this.#pool
    this.#unreachable.configure(health.failures)
    return new Probes({
      onEnd: (index, reached) => this.#unreachable.note(index, reached),
      target: (index) => {
        const { settings, tls, addresses } = upstreams[index]
        return { settings, tls, addresses, host: hostHeader ?? hostOf(settings) }
      },
      health,
      timeouts,
      acceptsBareLf: http.bareLf === "accept",
      deadlines,
      direct,
      clock: processClock,
    })
  }

  async start(): Promise<void> {
    await this.apply(this.#options.settings)
    this.#recall()
    this.#sweeper = setInterval(() => this.#tick(), SWEEP_MS)
    this.#prober.start(processClock.now())
    this.#listeners.resume()
  }

  accept(): void {
    this.#listeners.accept()
    this.#clientGone()
  }

  /** What is known to be unhealthy is not tried to find out. */
  #recall(): void {
    const { ailing = [], index: worker, onHealthChange } = this.#options
    const { board, roster } = this.#pool
    for (const { settings, candidate } of this.#membership.all) {
      const known = ailing.find(({ backend }) => backend === settings.name)
      if (known === undefined) continue
      const { backend, since, reason } = known
      const against = known.against ?? "requests"
      board.recall(candidate.index, since, reason, against)
      roster.setHealthy(candidate.index, false, against !== "requests")
      onHealthChange({ worker, backend, healthy: false, reason, against, at: since })
    }
    this.#expectReturn()
  }

  #expectReturn(): void {
    const { board, roster } = this.#pool
    if (roster.allUnhealthy) board.expectReturn(roster.anyEligible)
  }

  #tick(): void {
    const now = processClock.now()
    this.#gateway.clock.tick()
    this.#gateway.deadlines.sweep(now)
    this.#prober.tick(now)
    this.#unreachable.sweep()
    this.#resolver.tick(now)
    if (this.#gateway.clients.size < this.#clientLimit * ROOMY) this.#toldFull = false
    this.#membership.sweep()
    this.#clientGone()
    this.#access.flush()
    if (this.#leaving) for (const client of this.#gateway.clients) client.closeIfIdle()
  }

  #accepted(): void {
    if (this.#gateway.clients.size < this.#clientLimit) return
    this.#listeners.pause()
    if (this.#toldFull) return
    this.#toldFull = true
    this.#options.log.warn(`${this.#clientLimit} client connections: accepting no more for now`)
  }

  #clientGone(): void {
    if (this.#sweeper === null) return
    if (this.#gateway.clients.size < this.#clientLimit) this.#listeners.resume()
  }

  #healthChanged(index: number, healthy: boolean, reason: string): void {
    const { board, roster, upstreams } = this.#pool
    const upstream = upstreams[index]
    if (healthy !== roster.isHealthy(index)) {
      upstream.transitions[healthy ? "healthy" : "unhealthy"]++
      if (!healthy) upstream.idle.retireWhere(() => true)
    }
    roster.setHealthy(index, healthy, board.serving.has(index))
    if (!healthy) this.#expectReturn()
    if (!upstream.gone) this.#tell(upstream, healthy, reason)
  }

  /** Without probes there is nobody to ask. */
  #suspected(index: number): void {
    if (this.#gateway.settings.health.type === "none") return
    this.#prober.hurry(index, processClock.now())
  }

  #avoids(index: number, avoids: boolean, cause: string, reason: string): void {
    const { name } = this.#pool.upstreams[index].settings
    const { log } = this.#options
    if (avoids) log.warn(`backend ${name}: requests of ${cause} go to other backends: ${reason}`)
    else log.info(`backend ${name}: gets all requests again`)
  }

  #tell({ settings, candidate }: Upstream, healthy: boolean, reason: string): void {
    const { index: worker, onHealthChange } = this.#options
    const against = this.#pool.board.against(candidate.index)
    const at = Date.now()
    onHealthChange({ worker, backend: settings.name, healthy, reason, at, against })
  }

  reopenLogs(): void {
    this.#access.reopen()
  }

  report(): WorkerReport {
    const gateway = this.#gateway
    const samples: Samples = {}
    gateway.figures.accessLogDropped = this.#access.dropped
    gateway.figures.collect(samples)
    return {
      ...{ index: this.#options.index, pid: process.pid },
      uptime: processClock.now() - this.#began,
      clients: gateway.clients.size,
      listeners: this.#listeners.report(),
      inFlight: this.backends.inFlight,
      draining: gateway.draining,
      samples,
    }
  }

  listen(socket: ListeningSocket): void {
    this.#listeners.add(socket)
  }

  async leave(id: number, limitMs: number, closed: () => void): Promise<DrainOutcome> {
    const listener = this.#listeners.get(id)
    if (listener === null) return { cut: 0, sending: 0 }
    if (listener.waits) {
      this.#listeners.close([id])
      this.#listeners.remove(id)
      closed()
      return { cut: 0, sending: 0 }
    }
    const { facts } = listener
    facts.leaving = true
    const gateway = this.#gateway
    const drain = new Drain({
      ...{ limitMs, gateway, closed },
      clients: () => [...gateway.clients].filter((client) => client.listener === facts),
      isOver: () => facts.clients === 0,
      finishing: () => 0,
      finish: (ms) => this.#listeners.finish(ms, [id]),
    })
    const outcome = await drain.run()
    this.#listeners.remove(id)
    return outcome
  }

  async drain(
    limitMs: number,
    succeeded: readonly number[] = [],
    closed: () => void = () => {},
  ): Promise<DrainOutcome> {
    const gateway = this.#gateway
    gateway.draining = true
    this.#listeners.leave()
    this.#listeners.close(succeeded)
    const drain = new Drain({
      ...{ limitMs, gateway, closed },
      clients: () => [...gateway.clients],
      isOver: () => gateway.clients.size + gateway.finishing === 0,
      finishing: () => gateway.finishing,
      finish: async (ms) => {
        await this.#listeners.finish(ms)
        gateway.onClientGone = (client) => {
          this.#listeners.gone(client)
          drain.look()
        }
      },
    })
    const outcome = await drain.run()
    await this.#access.settled()
    this.stop()
    return outcome
  }

  stop(): void {
    if (this.#sweeper === null) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#listeners.close()
    this.#prober.stop()
    this.#resolver.stop()
    stopClients([...this.#gateway.clients], this.#gateway)
    for (const upstream of this.#membership.all) {
      for (const connection of upstream.connections) connection.abort()
    }
    this.#access.close()
  }
}

/** For a worker that nobody has given any: those of its settings. */
function ownListeners({ listeners }: Settings): ListeningSocket[] {
  return listeners.map((settings, id) => {
    const { fds, queue, file } = openListener(settings, 1)
    file?.publish()
    return { id, settings, fd: fds[0], queue, waits: false }
  })
}

/** Client connections that the listeners allow together; 0 when one of them has no limit. */
function connectionsOf(listeners: Settings["listeners"]): number {
  const limits = listeners.map(({ limits: { connections } }) => connections)
  return limits.includes(0) ? 0 : limits.reduce((sum, limit) => sum + limit, 0)
}
