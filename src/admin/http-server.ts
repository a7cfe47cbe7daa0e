/**
 * HTTP/1.1 for the admin listener: off the data path, and yet nobody who reaches it may take the master's descriptors
 * or its time. A connection beyond the limit is let in only in the place of the one that waits longest for its client;
 * when all of them are served right now, it is reset. So whoever asks at once is answered, and who holds connections
 * without asking locks nobody out.
 */
import { Deadlines } from "../core/deadlines.ts"
import type { TcpSocket } from "../net/transport/socket.ts"
import { descriptorLimit } from "../worker/descriptors.ts"
import { AdminAcceptor } from "./acceptor.ts"
import type { Answer } from "./http-answer.ts"
import { HttpConnection, type HttpHost, type HttpTimes } from "./http-connection.ts"
import type { AdminRequest } from "./http-request.ts"
import { Turns } from "./http-turns.ts"

/** Viewers, scrapers, probes and people are far fewer. */
const MOST_CONNECTIONS = 256
/** Of all descriptors, those that the listener may take. */
const SHARE_OF_DESCRIPTORS = 1 / 8
/** What the kernel and Bun take to accept and to close a connection; measured, it is about that. */
const ACCEPT_MS = 0.03

const usualTimes: HttpTimes = {
  ...{ idleMs: 30_000, headMs: 10_000, bodyMs: 30_000 },
  ...{ workMs: 120_000, stallMs: 30_000, leaveMs: 2_000 },
}

/** Between looks at the deadlines. */
const SWEEP_MS = 500

export interface HttpOptions {
  readonly times: HttpTimes
  readonly most: number
  readonly turns: Turns
  readonly sweepMs: number
}

export class HttpServer implements HttpHost {
  readonly times: HttpTimes
  readonly turns: Turns
  closing = false
  readonly respond: (request: AdminRequest) => Promise<Answer>
  readonly #most: number
  readonly #sweepMs: number
  readonly #acceptor: AdminAcceptor
  readonly #connections = new Set<HttpConnection>()
  readonly #deadlines = new Deadlines()
  #sweep: Timer | null = null

  /** Owns `fd`, which listens, from now on. `respond` must not throw. */
  constructor(
    fd: number,
    respond: (request: AdminRequest) => Promise<Answer>,
    options: Partial<HttpOptions> = {},
  ) {
    this.times = options.times ?? usualTimes
    this.#most = options.most ?? connectionLimit()
    this.turns = options.turns ?? new Turns(this.#most / 2)
    this.#sweepMs = options.sweepMs ?? SWEEP_MS
    this.respond = respond
    this.#acceptor = new AdminAcceptor(fd, (socket) => this.#accept(socket))
    this.#acceptor.resume()
  }

  get size(): number {
    return this.#connections.size
  }

  /** Null, with the connection closed, when there is no room. */
  #accept(socket: TcpSocket): HttpConnection | null {
    this.turns.charge(ACCEPT_MS)
    if (this.turns.isSpent) this.#rest()
    if (this.#connections.size >= this.#most) this.#makeRoom()
    if (this.#connections.size >= this.#most) {
      socket.terminate()
      return null
    }
    const connection = new HttpConnection(this, socket)
    this.#connections.add(connection)
    this.#deadlines.add(connection)
    this.#sweep ??= setInterval(() => this.#deadlines.sweep(performance.now()), this.#sweepMs)
    return connection
  }

  /** More of them wait in the kernel. */
  #rest(): void {
    this.#acceptor.pause()
    void this.turns.next().then(() => this.#acceptor.resume())
  }

  #makeRoom(): void {
    let first: HttpConnection | null = null
    for (const each of this.#connections) {
      if (each.waitsSince < (first?.waitsSince ?? Infinity)) first = each
    }
    first?.abort()
  }

  left(connection: HttpConnection): void {
    this.#connections.delete(connection)
    this.#deadlines.remove(connection)
    if (this.#connections.size > 0 || this.#sweep === null) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }

  /** Answers who has come, and accepts nobody else after those who have begun to connect. */
  async retire(): Promise<void> {
    this.closing = true
    await this.#acceptor.finish()
    for (const each of this.#connections) each.closeIfIdle()
  }

  stop(): void {
    this.closing = true
    this.#acceptor.close()
    for (const each of this.#connections) each.abort()
  }
}

/** How many connections the listener holds at most. */
export function connectionLimit(): number {
  return Math.min(MOST_CONNECTIONS, Math.floor(descriptorLimit() * SHARE_OF_DESCRIPTORS))
}
