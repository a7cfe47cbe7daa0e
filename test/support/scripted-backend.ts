/**
 * A backend that does exactly what a test says, byte by byte: good, slow, lying or dying. Each connection runs
 * the handler once; everything that comes in is kept, so that a test can count what really reached a backend.
 *
 * A handler ends quietly when its connection ends; anything else it throws is rethrown by `stop`.
 */
import type { TCPSocketListener } from "bun"
import { fieldOf, MalformedMessage, quote, receiveBody, receiveHead } from "./messages.ts"
import type { Body, Field } from "./messages.ts"
import { Wire, WireEnded, wireHandlers } from "./wire.ts"

export interface ScriptedRequest {
  /** The whole head as latin1 text, with the empty line. */
  readonly head: string
  readonly method: string
  readonly target: string
  readonly version: string
  readonly fields: readonly Field[]
  /** All values of the field joined by ", ", or null. */
  field(name: string): string | null
  readonly body: Buffer
  readonly framing: Body["framing"]
  readonly trailers: readonly Field[]
  /** Number of the connection that brought it. */
  readonly connection: number
}

export type ConnectionHandler = (connection: BackendConnection) => Promise<void> | void

export interface ScriptedBackendOptions {
  /** 0 for any free one; the number of a stopped backend to come back in its place. */
  readonly port?: number
  readonly host?: string
  readonly tls?: { readonly key: string; readonly cert: string }
}

export class BackendConnection extends Wire {
  constructor(
    readonly backend: ScriptedBackend,
    /** 0 for the first connection of this backend. */
    readonly index: number,
  ) {
    super()
  }

  /** The next request, strictly parsed and recorded. Waits without limit: the limit is the test's own. */
  async receiveRequest(ms: number = Infinity): Promise<ScriptedRequest> {
    const head = await this.receiveRequestHead(ms)
    const body = await receiveBody(this, head.fields, "none", ms)
    const request: ScriptedRequest = {
      ...head,
      body: body.body,
      framing: body.framing,
      trailers: body.trailers,
      connection: this.index,
    }
    this.backend.requests.push(request)
    return request
  }

  /** The head alone, not recorded; the body's bytes are left for the handler. */
  async receiveRequestHead(ms: number = Infinity) {
    const { bytes, startLine, fields } = await receiveHead(this, ms)
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/(1\.[01])$/.exec(startLine)
    if (match === null) throw new MalformedMessage(`request line ${quote(startLine)}`)
    const [, method = "", target = "", version = ""] = match
    const field = (name: string): string | null => fieldOf(fields, name)
    return { head: bytes.toString("latin1"), method, target, version, fields, field }
  }
}

export class ScriptedBackend {
  readonly connections: BackendConnection[] = []
  readonly requests: ScriptedRequest[] = []
  /** What handlers threw, except that their connection ended. */
  readonly failures: unknown[] = []
  readonly #handler: ConnectionHandler
  #listener: TCPSocketListener<Wire> | null = null
  #port = 0

  private constructor(handler: ConnectionHandler) {
    this.#handler = handler
  }

  static async start(
    handler: ConnectionHandler,
    options: ScriptedBackendOptions = {},
  ): Promise<ScriptedBackend> {
    const backend = new ScriptedBackend(handler)
    backend.#listener = Bun.listen<Wire>({
      hostname: options.host ?? "127.0.0.1",
      port: options.port ?? 0,
      allowHalfOpen: true,
      socket: { ...wireHandlers, open: (socket) => backend.#accept(socket) },
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    })
    backend.#port = backend.#listener.port
    return backend
  }

  get port(): number {
    return this.#port
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return this.connections.length
  }

  /** Frees the port and resets every connection; throws what a handler threw. */
  stop(): void {
    // Resets first: stop(true) would end them with a FIN, which a close-delimited body cannot tell from success.
    for (const connection of this.connections) connection.reset()
    this.#listener?.stop(true)
    this.#listener = null
    const [failure] = this.failures.splice(0)
    if (failure !== undefined) throw failure
  }

  /** New connections are refused from now on; those there are stay. */
  refuse(): void {
    this.#listener?.stop(false)
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  #accept(socket: NonNullable<Wire["socket"]>): void {
    const connection = new BackendConnection(this, this.connections.length)
    connection.socket = socket
    socket.data = connection
    this.connections.push(connection)
    void this.#run(connection)
  }

  async #run(connection: BackendConnection): Promise<void> {
    try {
      await this.#handler(connection)
    } catch (error) {
      if (!(error instanceof WireEnded)) this.failures.push(error)
    }
  }
}

/** An answer with its Content-Length; `fields` are lines without their CRLF. */
export function answer(status: number, body: string = "", ...fields: string[]): string {
  const lines = [`HTTP/1.1 ${status} X`, `Content-Length: ${Buffer.byteLength(body, "latin1")}`]
  return [...lines, ...fields, "", body].join("\r\n")
}

/** A handler that answers every request with 200 and what `body` makes of it, for as long as it is asked. */
export function answering(body: (request: ScriptedRequest) => string): ConnectionHandler {
  return async (connection) => {
    for (;;) {
      const request = await connection.receiveRequest()
      void connection.send(answer(200, request.method === "HEAD" ? "" : body(request)))
    }
  }
}
