/**
 * One process's whole balancer, put together: listener, gateway, backends, health, names, deadlines. It knows
 * nothing of fleets; in single-process mode it is all there is.
 */
import { createCandidates, createStrategy } from "../balance/create.ts"
import { RetryBudget } from "../balance/retry-budget.ts"
import { Roster } from "../balance/roster.ts"
import { HealthBoard } from "../health/board.ts"
import { Prober } from "../health/prober.ts"
import { refusals } from "../http/refusal.ts"
import { Acceptor } from "../net/acceptor.ts"
import { TrustedProxies } from "../net/cidr.ts"
import { Deadlines, SWEEP_MS } from "../net/deadlines.ts"
import { openListeners } from "../net/listeners.ts"
import { Resolver, systemLookup } from "../net/resolver.ts"
import { TlsClient } from "../net/tls-client.ts"
import { EventClock, processClock } from "../observe/clock.ts"
import { Figures } from "../observe/figures.ts"
import type { WorkerReport } from "../observe/snapshot.ts"
import { ClientConnection } from "../proxy/client-connection.ts"
import { Gateway } from "../proxy/gateway.ts"
import { Trace } from "../proxy/trace.ts"
import { Upstream, hostOf } from "../proxy/upstream.ts"
import { backendLimit, clientLimit, descriptorLimit } from "./descriptors.ts"
import { Probes } from "./probe.ts"
import { readmission } from "./readmission.ts"
import { reportOf } from "./report.ts"
import { traceTls } from "./tls-trace.ts"
import type { StartWorker, Worker, WorkerOptions } from "./types.ts"

/**
 * A drain asks clients to leave by their next response, for a while; then it serves those who have knocked already,
 * for the time that a far client's request takes to follow. Only after that an idle connection may be closed: one
 * that is about to carry a request looks the same.
 */
const ASKING_MS = 300
const KNOCKED_MS = 300

/** Below this share of the client limit the next time that it is reached is news. */
const ROOMY = 0.9

export const startWorker: StartWorker = async (options) => {
  const balancer = new Balancer(options)
  await balancer.start()
  return balancer
}

class Balancer implements Worker {
  port: number
  readonly #options: WorkerOptions
  readonly #gateway: Gateway
  readonly #resolver: Resolver
  readonly #prober: Prober
  readonly #acceptor: Acceptor<ClientConnection>
  readonly #clientLimit: number
  readonly #began = processClock.now()
  #sweeper: ReturnType<typeof setInterval> | null = null
  /** Who becomes idle is closed. */
  #leaving = false
  #toldFull = false

  constructor(options: WorkerOptions) {
    const { settings } = options
    this.#options = options
    this.#gateway = this.#createGateway()
    this.#resolver = this.#createResolver()
    this.#createUpstreams()
    this.#prober = this.#createProber()
    const [descriptors, backends] = [descriptorLimit(), settings.backends.length]
    this.#clientLimit = clientLimit(settings.limits.connections, backends, descriptors)
    this.#gateway.backendLimit = backendLimit(this.#clientLimit, backends, descriptors)
    this.port = settings.port
    this.#acceptor = new Acceptor(this.#listenFd(), (socket) => this.#accept(socket))
    this.#gateway.onClientGone = () => this.#clientGone()
  }

  #listenFd(): number {
    if (this.#options.listenFd !== null) return this.#options.listenFd
    const { host, port } = this.#options.settings
    const listeners = openListeners(host, port, 1)
    this.port = listeners.port
    return listeners.fds[0]
  }

  #createGateway(): Gateway {
    const { settings, log } = this.#options
    const candidates = createCandidates(settings.backends)
    const strategy = createStrategy(settings.strategy)
    const roster = new Roster(candidates, strategy, settings.whenAllUnhealthy)
    const wallClock = { now: () => Date.now() }
    const board = new HealthBoard(
      candidates.length,
      settings.health,
      wallClock,
      (index, healthy, reason) => this.#healthChanged(index, healthy, reason),
    )
    return new Gateway({
      settings,
      clock: new EventClock(),
      log,
      figures: new Figures(refusals.map((entry) => entry?.reason ?? "")),
      roster,
      board,
      budget: new RetryBudget(settings.retries.budgetPercent, settings.retries.budgetFloor),
      deadlines: new Deadlines(),
      trust: new TrustedProxies(settings.trustedProxies),
      trace: settings.trace ? new Trace(log) : null,
    })
  }

  #createResolver(): Resolver {
    const { settings, log } = this.#options
    const hosts = [...new Set(settings.backends.map(({ host }) => host))]
    return new Resolver(hosts, systemLookup, processClock, log, (host, _added, removed) => {
      const gone = new Set(removed.map(({ ip }) => ip))
      for (const upstream of this.#gateway.upstreams) {
        if (upstream.settings.host !== host) continue
        upstream.pool.retireWhere(({ ip }) => gone.has(ip))
      }
    })
  }

  #createUpstreams(): void {
    const { settings, log } = this.#options
    const gateway = this.#gateway
    for (const candidate of gateway.roster.candidates) {
      const backend = settings.backends[candidate.index]
      const watch = settings.tlsTrace ? traceTls(log, backend.name) : null
      const tls = backend.tls
        ? new TlsClient(backend.host, backend.ca, settings.insecure, watch)
        : null
      gateway.upstreams.push(new Upstream(gateway, candidate, backend, this.#resolver, tls))
    }
  }

  #createProber(): Prober {
    const { settings } = this.#options
    const { health, timeouts } = settings
    const { upstreams, board } = this.#gateway
    if (health.type === "none") return readmission(upstreams.length, health, board)
    const targets = upstreams.map((upstream) => ({
      settings: upstream.settings,
      tls: upstream.tls,
      host: settings.hostHeader ?? hostOf(upstream.settings),
    }))
    const probes = new Probes({
      targets,
      health,
      timeouts,
      resolver: this.#resolver,
      deadlines: this.#gateway.deadlines,
      clock: processClock,
    })
    return new Prober(targets.length, health, probes, board)
  }

  async start(): Promise<void> {
    await this.#resolver.start()
    this.#sweeper = setInterval(() => this.#tick(), SWEEP_MS)
    this.#prober.start(processClock.now())
    this.#acceptor.resume()
  }

  #tick(): void {
    const now = processClock.now()
    this.#gateway.clock.tick()
    this.#gateway.deadlines.sweep(now)
    this.#prober.tick(now)
    this.#resolver.tick(now)
    if (this.#gateway.clients.size < this.#clientLimit * ROOMY) this.#toldFull = false
    if (this.#leaving) for (const client of this.#gateway.clients) client.closeIfIdle()
  }

  #accept(socket: Bun.Socket<ClientConnection>): ClientConnection {
    const client = new ClientConnection(this.#gateway, socket)
    if (this.#gateway.clients.size >= this.#clientLimit) this.#full()
    return client
  }

  /** At the limit each who leaves makes room for one: the log tells of it once, not each time. */
  #full(): void {
    this.#acceptor.pause()
    if (this.#toldFull) return
    this.#toldFull = true
    this.#options.log.warn(`${this.#clientLimit} client connections: accepting no more for now`)
  }

  #clientGone(): void {
    if (this.#acceptor.accepting || this.#sweeper === null) return
    if (this.#gateway.clients.size < this.#clientLimit) this.#acceptor.resume()
  }

  #healthChanged(index: number, healthy: boolean, reason: string): void {
    this.#gateway.roster.setHealthy(index, healthy)
    this.#gateway.upstreams[index].transitions[healthy ? "healthy" : "unhealthy"]++
    if (!healthy) this.#gateway.upstreams[index].pool.retireWhere(() => true)
    this.#options.onHealthChange({
      worker: this.#options.index,
      backend: this.#options.settings.backends[index].name,
      healthy,
      reason,
      at: Date.now(),
    })
  }

  report(): WorkerReport {
    const uptime = processClock.now() - this.#began
    return reportOf(this.#options.index, uptime, this.#gateway, this.#prober, this.#resolver)
  }

  async drain(limitMs: number): Promise<number> {
    const gateway = this.#gateway
    gateway.draining = true
    const until = processClock.now() + limitMs
    await Bun.sleep(Math.min(ASKING_MS, limitMs / 2))
    this.#acceptor.ignoreNewcomers()
    await Bun.sleep(Math.min(KNOCKED_MS, limitMs / 4))
    this.#acceptor.close()
    const closeIdle = (): void => {
      for (const client of gateway.clients) client.closeIfIdle()
    }
    closeIdle()
    // Clients whose response had begun before the drain were not asked to leave.
    const sweeper = setInterval(closeIdle, SWEEP_MS)
    const empty = Promise.withResolvers<void>()
    const check = (): void => {
      if (gateway.clients.size === 0) empty.resolve()
    }
    gateway.onClientGone = check
    check()
    const limit = setTimeout(empty.resolve, Math.max(0, until - processClock.now()))
    await empty.promise
    clearTimeout(limit)
    clearInterval(sweeper)
    const cut = gateway.clients.size
    this.stop()
    return cut
  }

  stop(): void {
    if (this.#sweeper === null) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#acceptor.close()
    this.#prober.stop()
    this.#resolver.stop()
    for (const client of this.#gateway.clients) client.abort()
    for (const upstream of this.#gateway.upstreams) {
      for (const connection of upstream.connections) connection.abort()
    }
  }
}
