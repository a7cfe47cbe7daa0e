/**
 * One backend as the data path sees it: its idle connections, its TLS, its Host line, its figures, and how to dial it.
 */
import type { Candidate } from "../../balance/strategy.ts"
import { backendLabel } from "../../config/schema/pools.ts"
import type { BackendSettings } from "../../config/schema/settings.ts"
import type { CookieFilter } from "../../h1/request-writer.ts"
import { ascii } from "../../http/bytes.ts"
import { AddressBook, type DialTarget } from "../../net/names/address-book.ts"
import { plainFailure } from "../../net/dial-failure.ts"
import type { Resolver } from "../../net/names/resolver.ts"
import type { TlsClient } from "../../net/tls/tls-client.ts"
import { BackendFigures } from "../../observe/figures.ts"
import { BackendConnection } from "./backend-connection.ts"
import type { BackendUser } from "./backend-user.ts"
import { IdleLimit } from "./idle-limit.ts"
import type { Gateway } from "../core/gateway.ts"
import { IdleConnections } from "./idle-connections.ts"
import type { Pool } from "./pool.ts"
import { ReuseLimit } from "./reuse-limit.ts"

/** Between two warnings that the backend closes connections without notice. */
const QUIET_MS = 3_600_000

export class Upstream {
  candidate: Candidate
  /** How logs and figures call it. */
  readonly label: string
  settings: BackendSettings
  /** It was removed from the configuration: what is under way ends, nothing new begins. */
  gone = false
  /** Its connections are kept for further requests. */
  keeps = true
  readonly tls: TlsClient | null
  readonly pool: Pool
  readonly idle = new IdleConnections(0, 0)
  readonly idleLimit = new IdleLimit()
  readonly reuseLimit = new ReuseLimit()
  readonly figures: BackendFigures
  /** Changes of health, by the state entered. */
  readonly transitions: { healthy: number; unhealthy: number }
  /** Every connection, idle or busy. */
  readonly connections = new Set<BackendConnection>()
  /** Exchanges that are at this backend, with a connection or between two. */
  #exchanges = 0
  /** The Host line that replaces the client's, or null when that is kept. */
  hostLine: Uint8Array | null = null
  /** The Host line for clients that sent none. */
  defaultHostLine: Uint8Array
  readonly addresses: AddressBook
  readonly #gateway: Gateway
  #toldLossAt = -Infinity

  /** `before`: the same backend under other TLS settings, whose figures go on here. */
  constructor(
    gateway: Gateway,
    pool: Pool,
    candidate: Candidate,
    settings: BackendSettings,
    resolver: Resolver,
    tls: TlsClient | null,
    before: Upstream | null,
  ) {
    this.#gateway = gateway
    this.pool = pool
    this.label = backendLabel(pool.name, settings.name)
    this.addresses = new AddressBook(resolver)
    this.candidate = candidate
    this.settings = settings
    this.tls = tls
    this.figures = before?.figures ?? new BackendFigures()
    this.transitions = before?.transitions ?? { healthy: 0, unhealthy: 0 }
    this.defaultHostLine = ascii(`Host: ${hostOf(settings)}\r\n`)
    this.configure(candidate, settings)
  }

  /** Applies other settings, those of its pool included. Its connections stay open. */
  configure(candidate: Candidate, settings: BackendSettings): void {
    const { connections, hostHeader } = this.pool.settings
    this.candidate = candidate
    this.settings = settings
    this.gone = false
    this.keeps = settings.duty === undefined || settings.duty === "linger"
    this.idle.configure(this.keeps ? connections.idle : 0, connections.maxAge)
    if (!this.keeps) this.#retirePinned()
    const own = ascii(`Host: ${hostHeader ?? hostOf(settings)}\r\n`)
    this.defaultHostLine = own
    this.hostLine = hostHeader !== null || this.tls !== null ? own : null
  }

  /** Removes the sticky cookie of its pool from requests. */
  get cookies(): CookieFilter | null {
    return this.pool.cookies
  }

  beginExchange(): void {
    this.#exchanges++
    this.figures.active++
  }

  endExchange(): void {
    this.#exchanges--
    this.figures.active--
  }

  /** No connection and no exchange refers to it. */
  get isDone(): boolean {
    return this.connections.size === 0 && this.#exchanges === 0
  }

  /** It was removed: idle connections close now, the others after their exchange. */
  leave(): void {
    this.gone = true
    this.keeps = false
    this.idle.configure(0, 0)
    this.#retirePinned()
  }

  /** While probes cannot reach it, TCP keep-alive checks its open connections. */
  ask(begins: boolean): void {
    for (const connection of this.connections) {
      if (begins) connection.ask()
      else connection.askNoMore()
    }
  }

  /** Gives up requests that wait for the first byte of a response on a connection that does not answer. */
  giveUpSilent(): void {
    for (const connection of [...this.connections]) {
      if (!connection.isSilent) continue
      if (connection.exchange !== null) connection.exchange.backendVanished(connection)
      else if (connection.pooled || connection.waitsPinned) connection.retire()
    }
  }

  #retirePinned(): void {
    for (const connection of this.connections) if (connection.waitsPinned) connection.retire()
  }

  /**
   * An idle connection that is open and silent as far as the kernel knows, or null. `once`: for a request that may not
   * be sent twice, so no connection that the backend may be closing, and none that it closes without notice.
   */
  takePooled(now: number, once: boolean): BackendConnection | null {
    let pooled = this.idle.take(now)
    while (pooled !== null && (pooled.isStale() || (once && pooled.mayBeClosing(now)))) {
      pooled.retire()
      pooled = this.idle.take(now)
    }
    if (pooled === null) return null
    if (once && !pooled.mayCarryOnce(now)) {
      // A new connection replaces it. The other idle ones are left to requests that may be repeated.
      pooled.retire()
      return null
    }
    pooled.reuse(now)
    return pooled
  }

  /** A request that must not be sent twice was lost with a reused connection. */
  tellReuseLoss(): void {
    const { clock, figures, log } = this.#gateway
    figures.reuseLosses++
    const now = clock.now()
    if (now < this.#toldLossAt + QUIET_MS) return
    this.#toldLossAt = now
    const { lastCarried, lastRest } = this.reuseLimit
    const carried = `${lastCarried} request${lastCarried === 1 ? "" : "s"}`
    log.warn(
      `backend ${this.label}: closes kept connections without notice, this one after ${carried} ` +
        `and a rest of ${Math.round(lastRest)}ms: a request that must not be sent twice was lost. ` +
        "Set timeouts.pool_idle below the backend's keep-alive limit",
    )
  }

  /** The addresses that a request may dial, in this order; none if the name has never resolved. */
  targets(now: number): DialTarget[] {
    return this.addresses.forRequest(this.settings.host, now)
  }

  /** Opens a connection for an exchange and tells it the result; at once, if there is no address. */
  dial(exchange: BackendUser, target: DialTarget | null): void {
    if (target === null) {
      exchange.dialFailed({ ...plainFailure, reason: "name not resolved" })
      return
    }
    this.#gateway.backends.makeRoom()
    const connection = new BackendConnection(this.#gateway, this, exchange, target)
    exchange.dialing = connection
    connection.begin(this.settings.port)
  }
}

/** The name that certificates must have. For a discovered backend it is not the address. */
export function nameOf({ host, member }: BackendSettings): string {
  return member?.host ?? host
}

/** `host:port`, without a port that the scheme implies. */
export function hostOf(settings: BackendSettings): string {
  const name = nameOf(settings)
  const host = name.includes(":") ? `[${name}]` : name
  return settings.port === (settings.tls ? 443 : 80) ? host : `${host}:${settings.port}`
}
