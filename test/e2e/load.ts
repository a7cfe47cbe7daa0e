/**
 * Steady load as well-behaved clients make it: keep-alive connections, one request after the other on each, a new
 * connection after `Connection: close`. Every request is accounted for; what is not a whole 200 is kept.
 */
import { RawClient } from "../support/raw-client.ts"
import type { RawResponse } from "../support/raw-client.ts"

export interface Failure {
  /** `status 504`, `reset`, `end`, `refused`: how it failed. */
  readonly how: string
  /** Number of the client, 0 for the first. */
  readonly client: number
  readonly startedAt: number
  readonly endedAt: number
}

export interface LoadOptions {
  readonly clients: number
  /** Milliseconds between an answer and the next request of a client. */
  readonly pause: number
  /** The request with this number, over all clients. */
  readonly request?: (number: number) => string
}

const ANSWER_MS = 20_000

export class Load {
  readonly failures: Failure[] = []
  /** Answers by the backend that gave them. */
  readonly answers = new Map<string, number>()
  ok = 0
  /** Connections that could not be made; nothing was sent on them. */
  refused = 0
  readonly #place: number | string
  readonly #options: LoadOptions
  readonly #ends: Promise<void>[]
  #sent = 0
  #stopped = false

  /** `place`: a port of 127.0.0.1, or the path of a unix socket. */
  constructor(place: number | string, options: LoadOptions) {
    this.#place = place
    this.#options = options
    const clients = Array.from({ length: options.clients }, (_, index) => index)
    this.#ends = clients.map((client) => this.#run(client))
  }

  from(backend: string): number {
    return this.answers.get(backend) ?? 0
  }

  /** Resolves when every client has had its last answer. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#ends)
  }

  /** Resolves when every client has been refused a connection. */
  async allRefused(): Promise<void> {
    await Promise.all(this.#ends)
  }

  async #run(client: number): Promise<void> {
    let connection: RawClient | null = null
    while (!this.#stopped) {
      try {
        connection ??= await this.#connect()
      } catch {
        this.refused++
        return
      }
      const keep = await this.#request(client, connection)
      if (!keep) {
        connection.reset()
        connection = null
      }
      await Bun.sleep(this.#options.pause)
    }
    connection?.reset()
  }

  async #connect(): Promise<RawClient> {
    const place = this.#place
    if (typeof place === "string") return await RawClient.connectTo(place)
    return await RawClient.connect(place)
  }

  /** Resolves with whether the connection may carry another. */
  async #request(client: number, connection: RawClient): Promise<boolean> {
    const startedAt = performance.now()
    const failed = (how: string): boolean => {
      this.failures.push({ how, client, startedAt, endedAt: performance.now() })
      return false
    }
    const text = this.#options.request?.(this.#sent) ?? "GET / HTTP/1.1\r\nHost: load\r\n\r\n"
    this.#sent++
    let response: RawResponse
    try {
      response = await connection.exchange(text, {}, ANSWER_MS)
    } catch (error) {
      return failed(connection.ending ?? String(error))
    }
    const stays = response.field("connection")?.toLowerCase() !== "close"
    if (response.status !== 200) {
      failed(`status ${response.status}`)
      return stays
    }
    this.ok++
    const backend = response.field("x-backend") ?? "unknown"
    this.answers.set(backend, this.from(backend) + 1)
    return stays
  }
}
