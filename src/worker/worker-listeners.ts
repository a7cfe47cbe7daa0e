/**
 * The listeners of one worker: each with its sockets' queue, its clients and its limits. One that leaves lets its
 * clients go in good order, and the others notice nothing.
 *
 * A worker that has no room left pauses all of them; one listener at a limit of its own pauses alone. A paused listener
 * loses nobody: the kernel goes on queueing.
 */
import { DEFAULT_NAME } from "../config/schema/pools.ts"
import type { ListenAddress, ListenerSettings, Settings } from "../config/schema/settings.ts"
import { TOO_MANY_FROM_CLIENT } from "../http/refusal.ts"
import { Acceptor } from "../net/acceptor.ts"
import { portOf } from "../net/linux/activation.ts"
import type { Poller } from "../net/linux/poller.ts"
import type { ListeningSocket } from "../net/listeners.ts"
import type { TcpSocket } from "../net/transport/socket.ts"
import type { ListenerReport, Samples } from "../observe/snapshot.ts"
import { ClientConnection } from "../proxy/client/client-connection.ts"
import { ClientListener } from "../proxy/client/client-listener.ts"
import type { Clients } from "../proxy/client/clients.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import { ConnectionsPerClient } from "./connections-per-client.ts"
import type { WorkerPools } from "./worker-pools.ts"

/** Below this share of a limit the next time that it is reached is news. */
const ROOMY = 0.9

export interface WorkerListener {
  readonly id: number
  readonly facts: ClientListener
  readonly acceptor: Acceptor<ClientConnection>
  readonly perClient: ConnectionsPerClient
  /** Nobody is accepted before `accept`. */
  waits: boolean
  /** The log has been told that its limit is reached. */
  toldFull: boolean
}

export class WorkerListeners {
  readonly #gateway: Gateway
  readonly #clients: Clients
  readonly #pools: Pick<WorkerPools, "of">
  readonly #direct: Poller | null
  /** Called with each connection that has been accepted. */
  readonly #accepted: () => void
  readonly #byId = new Map<number, WorkerListener>()
  /** Connections that listeners had accepted which have left since, by name. */
  readonly #acceptedBefore = new Map<string, number>()

  constructor(
    gateway: Gateway,
    clients: Clients,
    pools: Pick<WorkerPools, "of">,
    accepted: () => void,
  ) {
    this.#gateway = gateway
    this.#clients = clients
    this.#pools = pools
    this.#direct = gateway.direct
    this.#accepted = accepted
  }

  get all(): readonly WorkerListener[] {
    return [...this.#byId.values()]
  }

  /** The port of the first one that has a port; 0 when all are unix sockets. */
  get port(): number {
    return this.all.find(({ facts }) => facts.port > 0)?.facts.port ?? 0
  }

  /** Where each is, by its name, with the port that was found for port 0. */
  get addresses(): ReadonlyMap<string, ListenAddress> {
    return new Map(
      this.all.map(({ facts: { settings, port } }) => [
        settings.name,
        "path" in settings ? { path: settings.path } : { host: settings.host, port },
      ]),
    )
  }

  /** Owns the descriptor from now on, and nobody is accepted before `resume`. */
  add({ id, settings, fd, queue, waits }: ListeningSocket): void {
    const facts = new ClientListener(
      settings,
      portOf(fd) ?? 0,
      this.#pools.of(settings.pool),
      this.#gateway.planTerms,
      this.#clients,
    )
    const accept = (socket: TcpSocket, address: string): ClientConnection =>
      this.#accept(listener, socket, address)
    const acceptor = new Acceptor(fd, this.#direct, accept, queue)
    acceptor.keepAlive(settings.keepalive.client)
    const perClient = new ConnectionsPerClient()
    const listener = { id, facts, acceptor, perClient, waits, toldFull: false }
    this.#byId.set(id, listener)
  }

  /** By other settings from now on, for their clients too. A listener that they do not name keeps its own. */
  configure({ listeners }: Settings): void {
    const terms = this.#gateway.planTerms
    for (const { facts, acceptor } of this.all) {
      const named = listeners.find(({ name }) => name === facts.settings.name)
      const settings = facts.leaving ? facts.settings : (named ?? facts.settings)
      facts.configure(settings, this.#pools.of(settings.pool), terms)
      acceptor.keepAlive(settings.keepalive.client)
    }
    for (const client of this.#clients.all) client.plan = client.listener.renewed(client.plan)
  }

  /** Those with room accept from now on. */
  resume(): void {
    for (const listener of this.#byId.values()) {
      const { facts, acceptor, waits } = listener
      if (waits) continue
      if (facts.clients < limitOf(facts.settings) * ROOMY) listener.toldFull = false
      if (!acceptor.accepting && facts.clients < limitOf(facts.settings)) acceptor.resume()
    }
  }

  /** The waiting is over. */
  accept(): void {
    for (const listener of this.#byId.values()) listener.waits = false
  }

  pause(): void {
    for (const { acceptor } of this.#byId.values()) acceptor.pause()
  }

  gone(client: ClientConnection): void {
    const { facts, perClient } = this.#of(client.listener) ?? {}
    perClient?.leave(client.plan.identity.address)
    if (facts !== undefined) facts.clients--
  }

  /** Those whose sockets other processes go on with are closed at once: nobody is lost. */
  close(ids?: readonly number[]): void {
    for (const { id, acceptor } of this.all) if (ids?.includes(id) ?? true) acceptor.close()
  }

  /** As `Acceptor.finish`, for these. */
  async finish(limitMs: number, ids?: readonly number[]): Promise<void> {
    const finishing = this.all.filter(({ id }) => ids?.includes(id) ?? true)
    await Promise.all(finishing.map(({ acceptor }) => acceptor.finish(limitMs)))
  }

  get(id: number): WorkerListener | null {
    return this.#byId.get(id) ?? null
  }

  /** What it has counted stays counted. */
  remove(id: number): void {
    const facts = this.#byId.get(id)?.facts
    this.#byId.delete(id)
    if (facts === undefined) return
    const { name } = facts.settings
    this.#acceptedBefore.set(name, (this.#acceptedBefore.get(name) ?? 0) + facts.accepted)
  }

  /** Every response now asks its client to come back on another connection. */
  leave(): void {
    for (const { facts } of this.all) facts.leaving = true
  }

  /** One that is leaving counts with the one that has its name now. */
  report(): ListenerReport[] {
    const clients = new Map<string, number>()
    for (const { facts } of this.all) {
      const { name } = facts.settings
      clients.set(name, (clients.get(name) ?? 0) + facts.clients)
    }
    return [...clients].map(([name, count]) => ({ name, clients: count }))
  }

  collect(samples: Samples): void {
    const open: Record<string, number> = {}
    for (const { name, clients } of this.report()) open[labelOf(name)] = clients
    const accepted: Record<string, number> = {}
    for (const [name, count] of this.#acceptedBefore) accepted[labelOf(name)] = count
    for (const { facts } of this.all) {
      const label = labelOf(facts.settings.name)
      accepted[label] = (accepted[label] ?? 0) + facts.accepted
    }
    samples["bunlb_client_connections"] = open
    samples["bunlb_client_connections_total"] = accepted
  }

  #of(facts: ClientListener): WorkerListener | undefined {
    for (const listener of this.#byId.values()) if (listener.facts === facts) return listener
    return undefined
  }

  #accept(listener: WorkerListener, socket: TcpSocket, address: string): ClientConnection {
    const { facts, perClient } = listener
    const client = new ClientConnection(this.#gateway, facts, socket, address)
    facts.clients++
    facts.accepted++
    const limit = facts.settings.limits.connectionsPerClient
    const count = perClient.enter(address)
    const exempt = facts.port === 0 || client.plan.identity.trusted
    if (limit > 0 && count > limit && !exempt) client.refuse(TOO_MANY_FROM_CLIENT)
    if (facts.clients >= limitOf(facts.settings)) this.#full(listener)
    this.#accepted()
    return client
  }

  /** At the limit each client that leaves makes room for one: the log tells of it once, not each time. */
  #full(listener: WorkerListener): void {
    const { facts, acceptor } = listener
    acceptor.pause()
    if (listener.toldFull) return
    listener.toldFull = true
    const { name } = facts.settings
    const place = this.#byId.size === 1 ? "" : `listener ${name}: `
    this.#gateway.log.warn(`${place}${facts.clients} client connections: accepting no more for now`)
  }
}

function limitOf({ limits }: ListenerSettings): number {
  return limits.connections === 0 ? Infinity : limits.connections
}

/** As without names for the default one. */
function labelOf(name: string): string {
  return name === DEFAULT_NAME ? "" : `listener="${name}"`
}
