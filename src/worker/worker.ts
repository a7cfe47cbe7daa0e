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
import { TOO_MANY_FROM_CLIENT, refusals } from "../http/refusal.ts"
import { Acceptor } from "../net/acceptor.ts"
import { Deadlines, SWEEP_MS } from "../core/deadlines.ts"
import { openListeners } from "../net/listeners.ts"
import { nameService } from "../net/names/name-service.ts"
import { Resolver } from "../net/names/resolver.ts"
import type { TcpSocket } from "../net/transport/socket.ts"
import { EventClock, processClock } from "../core/clock.ts"
import { Figures } from "../observe/figures.ts"
import type { Samples, WorkerReport } from "../observe/snapshot.ts"
import { ClientConnection } from "../proxy/client/client-connection.ts"
import { stopClient } from "../proxy/client/departure.ts"
import { Gateway } from "../proxy/gateway.ts"
import { type Upstream, hostOf } from "../proxy/backend/upstream.ts"
import { AccessLogging } from "./access-logging.ts"
import { BackendReports } from "./backend-reports.ts"
import { ConnectionsPerClient } from "./connections-per-client.ts"
import { backendLimit, clientLimit, descriptorLimit } from "./descriptors.ts"
import { Membership } from "./membership.ts"
import { Probes } from "./probe.ts"
import { noProbes, readmissions } from "./readmission.ts"
import { Slices, unbroken } from "../core/slices.ts"
import type { DrainOutcome, StartWorker, Worker, WorkerOptions } from "./types.ts"
import { VanishedBackends } from "./vanished-backends.ts"

/**
 * A drain asks clients to leave by their next response, for a while; then it serves those who have knocked already,
 * for the time that a far client's request takes to follow. Only after that an idle connection may be closed: one
 * that is about to carry a request looks the same.
 */
const ASKING_MS = 300
const KNOCKED_MS = 300

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
  port: number
  readonly #options: WorkerOptions
  readonly #gateway: Gateway
  readonly #resolver: Resolver
  readonly #prober: Prober
  readonly #acceptor: Acceptor<ClientConnection>
  readonly #membership: Membership
  readonly backends: BackendReports
  readonly #crowds = new ConnectionsPerClient()
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
  #holding: boolean

  constructor(options: WorkerOptions) {
    const { settings, random = Math.random } = options
    this.#random = random
    const strategy = createStrategy(settings.strategy, random)
    this.#options = options
    this.#holding = options.hold === true
    this.#gateway = this.#createGateway(strategy)
    this.#unreachable = new VanishedBackends(this.#gateway.upstreams, settings.health.failures)
    this.#access = new AccessLogging(this.#gateway, options.index, options.log)
    this.#resolver = this.#createResolver()
    this.#prober = new Prober(0, settings.health, noProbes, this.#gateway.board)
    this.#membership = new Membership(
      {
        gateway: this.#gateway,
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
      gateway: this.#gateway,
      membership: this.#membership,
      prober: this.#prober,
      resolver: this.#resolver,
    })
    this.port = settings.port
    this.#acceptor = new Acceptor(this.#listenFd(), this.#gateway.direct, (socket, address) =>
      this.#accept(socket, address),
    )
    this.#gateway.port = this.port
    this.#gateway.onClientGone = (client) => {
      this.#crowds.leave(client.plan.identity.address)
      this.#clientGone()
    }
  }

  #listenFd(): number {
    if (this.#options.listenFd !== null) return this.#options.listenFd
    const { host, port } = this.#options.settings
    const listeners = openListeners(host, port, 1)
    this.port = listeners.port
    return listeners.fds[0]
  }

  #createGateway(strategy: Strategy): Gateway {
    const { settings, log } = this.#options
    const wallClock = { now: () => Date.now() }
    return new Gateway({
      settings,
      clock: this.#clock,
      log,
      figures: new Figures(refusals.map((entry) => entry?.reason ?? "")),
      roster: new Roster([], strategy, settings.whenAllUnhealthy, this.#slowStart, this.#random),
      board: new HealthBoard(0, settings.health, this.#clock, wallClock, {
        changed: (index, healthy, reason) => this.#healthChanged(index, healthy, reason),
        avoidance: (index, avoids, cause, reason) => this.#avoids(index, avoids, cause, reason),
        suspected: (index) => this.#suspected(index),
      }),
      deadlines: this.#options.deadlines ?? new Deadlines(),
    })
  }

  #createResolver(): Resolver {
    const { log, settings } = this.#options
    const addresses = this.#options.lookup ?? nameService(settings.dns).addresses
    return new Resolver([], addresses, processClock, log, (host, _added, removed) => {
      const gone = new Set(removed.map(({ ip }) => ip))
      for (const upstream of this.#membership.all) {
        if (upstream.settings.host !== host) continue
        upstream.pool.retireWhere(({ target }) => gone.has(target.ip))
      }
    })
  }

  async apply(settings: Settings): Promise<void> {
    await this.#membership.apply(settings, (backendsOnly) => {
      if (backendsOnly) this.#gateway.settings = settings
      else this.#adopt(settings)
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
    gateway.board.configure(health)
    this.#acceptor.keepAlive(settings.keepalive.client)
    this.#slowStart.configure(health.slowStart)
    const probed = health.type !== "none"
    const transport = probed ? this.#createProbes(settings) : noProbes
    const verdicts = probed ? gateway.board : readmissions(gateway.board)
    this.#prober.configure(health, transport, verdicts, processClock.now())
  }

  #limitConnections({ limits, backends }: Settings): void {
    const descriptors = descriptorLimit()
    this.#clientLimit = clientLimit(limits.connections, backends.length, descriptors)
    this.#gateway.backendLimit = backendLimit(this.#clientLimit, backends.length, descriptors)
    this.#clientGone()
  }

  #createProbes({ health, timeouts, hostHeader, http }: Settings): Probes {
    const { upstreams, deadlines, direct } = this.#gateway
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
    if (!this.#holding) this.#acceptor.resume()
  }

  accept(): void {
    this.#holding = false
    this.#clientGone()
  }

  /** What is known to be unhealthy is not tried to find out. */
  #recall(): void {
    const { ailing = [], index: worker, onHealthChange } = this.#options
    const { board, roster } = this.#gateway
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
    const { board, roster } = this.#gateway
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

  #accept(socket: TcpSocket, address: string): ClientConnection {
    const client = new ClientConnection(this.#gateway, socket, address)
    const { trusted } = client.plan.identity
    const limit = this.#gateway.settings.limits.connectionsPerClient
    const crowded = this.#crowds.enter(address) > limit && limit > 0 && !trusted
    if (crowded) client.refuse(TOO_MANY_FROM_CLIENT)
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
    if (this.#acceptor.accepting || this.#sweeper === null || this.#holding) return
    if (this.#gateway.clients.size < this.#clientLimit) this.#acceptor.resume()
  }

  #healthChanged(index: number, healthy: boolean, reason: string): void {
    const { board, roster, upstreams } = this.#gateway
    const upstream = upstreams[index]
    if (healthy !== roster.isHealthy(index)) {
      upstream.transitions[healthy ? "healthy" : "unhealthy"]++
      if (!healthy) upstream.pool.retireWhere(() => true)
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
    const { name } = this.#gateway.upstreams[index].settings
    const { log } = this.#options
    if (avoids) log.warn(`backend ${name}: requests of ${cause} go to other backends: ${reason}`)
    else log.info(`backend ${name}: gets all requests again`)
  }

  #tell({ settings, candidate }: Upstream, healthy: boolean, reason: string): void {
    const { index: worker, onHealthChange } = this.#options
    const against = this.#gateway.board.against(candidate.index)
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
      inFlight: this.backends.inFlight,
      draining: gateway.draining,
      samples,
    }
  }

  async drain(
    limitMs: number,
    succeeded = false,
    closed: () => void = () => {},
  ): Promise<DrainOutcome> {
    const gateway = this.#gateway
    gateway.draining = true
    if (succeeded) this.#acceptor.close()
    const until = processClock.now() + limitMs
    await Bun.sleep(Math.min(ASKING_MS, limitMs / 2))
    const knockedMs = Math.min(KNOCKED_MS, limitMs / 8)
    await this.#acceptor.finish(knockedMs)
    closed()
    // The clients accepted last have this time for a request. It may have to come twice: the first one was not heard
    // if it came while newcomers were ignored (newcomers.ts), and TCP repeats it after 200 ms.
    await Bun.sleep(knockedMs)
    const empty = Promise.withResolvers<void>()
    const check = (): void => {
      if (gateway.clients.size + gateway.finishing === 0) empty.resolve()
    }
    gateway.onClientGone = check
    const closeIdle = (): void => {
      for (const client of gateway.clients) client.closeIfIdle()
      check()
    }
    closeIdle()
    // Clients whose response had begun before the drain were not asked to leave.
    const sweeper = setInterval(closeIdle, SWEEP_MS)
    const limit = setTimeout(empty.resolve, Math.max(0, until - processClock.now()))
    await empty.promise
    clearTimeout(limit)
    clearInterval(sweeper)
    const outcome = this.#stopClients()
    await this.#access.settled()
    this.stop()
    return outcome
  }

  #stopClients(): DrainOutcome {
    const outcome = { clean: 0, cut: this.#gateway.finishing, sending: 0 }
    for (const client of this.#gateway.clients) outcome[stopClient(client, this.#gateway)]++
    return outcome
  }

  stop(): void {
    if (this.#sweeper === null) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#acceptor.close()
    this.#prober.stop()
    this.#resolver.stop()
    this.#stopClients()
    for (const upstream of this.#membership.all) {
      for (const connection of upstream.connections) connection.abort()
    }
    this.#access.close()
  }
}
