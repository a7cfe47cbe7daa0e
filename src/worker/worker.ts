/**
 * One worker, put together: listeners, pools, name resolution, access log, deadlines, reports. It knows nothing of the
 * master. Single-process mode is one worker in the process of the master.
 */
import type { ListenAddress, Settings } from "../config/schema/settings.ts"
import { onlyBackendsChanged } from "../config/settings-change.ts"
import { refusals } from "../http/refusal.ts"
import { Deadlines, SWEEP_MS } from "../core/deadlines.ts"
import type { ListeningSocket } from "../net/listeners.ts"
import { openListener } from "../net/open-listener.ts"
import { nameService } from "../net/names/name-service.ts"
import { Resolver } from "../net/names/resolver.ts"
import { EventClock, processClock } from "../core/clock.ts"
import { Figures } from "../observe/figures.ts"
import type { Samples, WorkerReport } from "../observe/snapshot.ts"
import { Clients } from "../proxy/client/clients.ts"
import { Gateway } from "../proxy/core/gateway.ts"
import type { Upstream } from "../proxy/backend/upstream.ts"
import { AccessLogging } from "./access-logging.ts"
import { BackendReports } from "./backend-reports.ts"
import { backendLimit, clientLimit, descriptorLimit } from "./descriptors.ts"
import { Slices, unbroken } from "../core/slices.ts"
import type { DrainOutcome, StartWorker, Worker, WorkerOptions } from "./types.ts"
import { Drain, stopClients } from "./draining.ts"
import { WorkerListeners } from "./worker-listeners.ts"
import { WorkerPools } from "./worker-pools.ts"

/** The log reports the client limit again after the number of clients has fallen below this share of it. */
const ROOMY = 0.9

/** Changes of up to this many backends are made in one piece. */
const FEW = 64

export const startWorker: StartWorker = async (options) => {
  const balancer = new Balancer(options)
  await balancer.start()
  return balancer
}

class Balancer implements Worker {
  readonly #options: WorkerOptions
  readonly #gateway: Gateway
  readonly #clients: Clients
  readonly #resolver: Resolver
  readonly #listeners: WorkerListeners
  readonly #pools: WorkerPools
  readonly backends: BackendReports
  readonly #clock = new EventClock()
  #clientLimit = 0
  #applied: Settings | null = null
  readonly #access: AccessLogging
  readonly #began = processClock.now()
  #sweeper: ReturnType<typeof setInterval> | null = null
  /** Clients are closed when they become idle. */
  #leaving = false
  #toldFull = false

  constructor(options: WorkerOptions) {
    const { settings, random = Math.random } = options
    this.#options = options
    this.#gateway = new Gateway({
      settings,
      clock: this.#clock,
      log: options.log,
      figures: new Figures(refusals.map((entry) => entry?.reason ?? "")),
      deadlines: options.deadlines ?? new Deadlines(),
    })
    this.#clients = new Clients(this.#gateway)
    this.#access = new AccessLogging(this.#gateway, this.#clients, options.index, options.log)
    this.#resolver = this.#createResolver()
    this.#pools = new WorkerPools(settings.pools, {
      gateway: this.#gateway,
      resolver: this.#resolver,
      random,
      events: {
        health: (upstream, healthy, reason) => this.#tell(upstream, healthy, reason),
        renewed: (upstream, before) => this.backends.renew(upstream, before),
        done: (upstream) => this.backends.end(upstream),
      },
      isUsed: (pool) => this.#listeners.all.some(({ facts }) => facts.pool === pool),
      pauses: (backends) => (backends > FEW ? new Slices(true) : unbroken),
    })
    this.backends = new BackendReports({ pools: this.#pools, resolver: this.#resolver })
    this.#listeners = new WorkerListeners(this.#gateway, this.#clients, this.#pools, () =>
      this.#accepted(),
    )
    for (const socket of options.listeners ?? ownListeners(settings)) this.#listeners.add(socket)
    this.#clients.onGone = (client) => {
      this.#listeners.gone(client)
      this.#clientGone()
    }
  }

  get port(): number {
    return this.#listeners.port
  }

  get addresses(): ReadonlyMap<string, ListenAddress> {
    return this.#listeners.addresses
  }

  #createResolver(): Resolver {
    const { log, settings } = this.#options
    const addresses = this.#options.lookup ?? nameService(settings.dns).addresses
    return new Resolver([], addresses, processClock, log, (host, _added, removed) => {
      const gone = new Set(removed.map(({ ip }) => ip))
      for (const managed of this.#pools.all) managed.addressesGone(host, gone)
    })
  }

  async apply(settings: Settings): Promise<void> {
    const backendsOnly = this.#applied !== null && onlyBackendsChanged(this.#applied, settings)
    await this.#pools.apply(settings, {
      adopt: () => this.#adopt(settings, backendsOnly),
      turn: () => backendsOnly || this.#listeners.configure(settings),
    })
  }

  /** Applies what belongs neither to a pool nor to a listener. */
  #adopt(settings: Settings, backendsOnly: boolean): void {
    const gateway = this.#gateway
    if (backendsOnly) gateway.settings = settings
    else {
      // First, because it may fail: then nothing has changed.
      this.#access.configure(settings.accessLog)
      gateway.configure(settings)
    }
    this.#applied = settings
    this.#limitConnections(settings)
  }

  #limitConnections({ listeners, pools }: Settings): void {
    const backends = pools.reduce((sum, pool) => sum + pool.backends.length, 0)
    const descriptors = descriptorLimit()
    this.#clientLimit = clientLimit(0, backends, descriptors)
    const most = clientLimit(connectionsOf(listeners), backends, descriptors)
    this.#gateway.backends.limit = backendLimit(most, backends, descriptors)
    this.#clientGone()
  }

  async start(): Promise<void> {
    await this.apply(this.#options.settings)
    this.#recall()
    this.#sweeper = setInterval(() => this.#tick(), SWEEP_MS)
    this.#pools.start()
    this.#listeners.resume()
  }

  accept(): void {
    this.#listeners.accept()
    this.#clientGone()
  }

  /** Backends that are known to be unhealthy start as unhealthy. */
  #recall(): void {
    const { ailing = [], index: worker, onHealthChange } = this.#options
    for (const managed of this.#pools.all) {
      managed.recall(ailing, ({ backend, since, reason, against = "requests" }) =>
        onHealthChange({ worker, backend, healthy: false, reason, against, at: since }),
      )
    }
  }

  #tick(): void {
    const now = processClock.now()
    this.#gateway.clock.tick()
    this.#gateway.deadlines.sweep(now)
    this.#pools.tick(now)
    this.#resolver.tick(now)
    if (this.#clients.size < this.#clientLimit * ROOMY) this.#toldFull = false
    this.#clientGone()
    this.#access.flush()
    if (this.#leaving) for (const client of this.#clients.all) client.closeIfIdle()
  }

  #accepted(): void {
    if (this.#clients.size < this.#clientLimit) return
    this.#listeners.pause()
    if (this.#toldFull) return
    this.#toldFull = true
    this.#options.log.warn(`${this.#clientLimit} client connections: accepting no more for now`)
  }

  #clientGone(): void {
    if (this.#sweeper === null) return
    if (this.#clients.size < this.#clientLimit) this.#listeners.resume()
  }

  #tell({ pool, label, candidate }: Upstream, healthy: boolean, reason: string): void {
    const { index: worker, onHealthChange } = this.#options
    const against = pool.board.against(candidate.index)
    const at = Date.now()
    onHealthChange({ worker, backend: label, healthy, reason, at, against })
  }

  reopenLogs(): void {
    this.#access.reopen()
  }

  report(): WorkerReport {
    const gateway = this.#gateway
    const samples: Samples = {}
    gateway.figures.accessLogDropped = this.#access.dropped
    gateway.figures.collect(samples)
    this.#listeners.collect(samples)
    return {
      ...{ index: this.#options.index, pid: process.pid },
      uptime: processClock.now() - this.#began,
      clients: this.#clients.size,
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
      clients: () => [...this.#clients.all].filter((client) => client.listener === facts),
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
      clients: () => [...this.#clients.all],
      isOver: () => this.#clients.size + gateway.backends.finishing === 0,
      finishing: () => gateway.backends.finishing,
      finish: async (ms) => {
        await this.#listeners.finish(ms)
        this.#clients.onGone = (client) => {
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
    this.#resolver.stop()
    stopClients([...this.#clients.all], this.#gateway)
    this.#pools.stop()
    this.#access.close()
  }
}

/** Opens the listeners of the settings, for a worker that was given none. */
function ownListeners({ listeners }: Settings): ListeningSocket[] {
  return listeners.flatMap((settings, id) => {
    const { fds, queue, file } = openListener(settings, 1)
    file?.publish()
    return fds.map((fd) => ({ id, settings, fd, queue, waits: false }))
  })
}

/** The sum of the client limits of all listeners; 0 if one of them has none. */
function connectionsOf(listeners: Settings["listeners"]): number {
  const limits = listeners.map(({ limits: { connections } }) => connections)
  return limits.includes(0) ? 0 : limits.reduce((sum, limit) => sum + limit, 0)
}
