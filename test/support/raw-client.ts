/**
 * A client that sends exactly the bytes a test gives it, and reads answers strictly. Bytes beyond an answer stay
 * for the next call, so pipelined answers are read one by one.
 */
import { fieldOf, MalformedMessage, quote, receiveBody, receiveHead } from "./messages.ts"
import type { Body, Field, Head } from "./messages.ts"
import { PATIENCE_MS } from "./until.ts"
import { Wire, wireHandlers } from "./wire.ts"

export interface ClientTls {
  readonly ca?: string
  readonly serverName?: string
  /** Accept any certificate. */
  readonly insecure?: boolean
}

export interface RawResponse {
  readonly status: number
  readonly reason: string
  /** `1.0` or `1.1`. */
  readonly version: string
  readonly fields: readonly Field[]
  /** All values of the field joined by ", ", or null. */
  field(name: string): string | null
  readonly body: Buffer
  readonly framing: Body["framing"]
  readonly trailers: readonly Field[]
  /** Head and body as they came. */
  readonly raw: Buffer
  /** The 1xx answers before this one. */
  readonly interim: readonly { readonly status: number; readonly fields: readonly Field[] }[]
}

export class RawClient extends Wire {
  static async connect(
    port: number,
    host: string = "127.0.0.1",
    /** `from`: the address to come from. */
    options: { tls?: ClientTls; from?: string } = {},
  ): Promise<RawClient> {
    const client = new RawClient()
    const tls = options.tls
    const target = {
      // There, though Bun's types do not say so.
      ...(options.from === undefined ? {} : { localAddress: options.from }),
      hostname: host,
      port,
      allowHalfOpen: true,
      data: client,
      socket: wireHandlers,
      ...(tls === undefined ? {} : { tls: tlsOptions(tls, host) }),
    }
    client.socket = await Bun.connect<Wire>(target)
    client.flush()
    return client
  }

  /** At a unix socket. */
  static async connectTo(path: string): Promise<RawClient> {
    const client = new RawClient()
    const target = { unix: path, allowHalfOpen: true, data: client, socket: wireHandlers }
    client.socket = await Bun.connect<Wire>(target)
    client.flush()
    return client
  }

  /** Sends two writes with the cut before byte `at`; the first has left before the second is made. */
  async sendSplit(data: Uint8Array | string, at: number): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data)
    if (at > 0) await this.send(bytes.subarray(0, at))
    // Two turns of the loop: the peer on the same loop reads the first piece before the second is written.
    await new Promise((turn) => setImmediate(turn))
    await new Promise((turn) => setImmediate(turn))
    if (at < bytes.length) await this.send(bytes.subarray(at))
  }

  /** The next answer. `head` says that the request was HEAD; `ms` limits each wait for bytes, not the sum. */
  async receiveResponse(
    options: { head?: boolean } = {},
    ms: number = PATIENCE_MS,
  ): Promise<RawResponse> {
    const interim: { status: number; fields: readonly Field[] }[] = []
    for (;;) {
      const head = await receiveHead(this, ms)
      const { version, status, reason } = parseStatusLine(head)
      if (status < 200 && status !== 101) {
        interim.push({ status, fields: head.fields })
        continue
      }
      const bodiless = options.head === true || status === 101 || status === 204 || status === 304
      const body: Body = bodiless
        ? { body: Buffer.alloc(0), bytes: Buffer.alloc(0), trailers: [], framing: "none" }
        : await receiveBody(this, head.fields, "close", ms)
      return {
        status,
        reason,
        version,
        fields: head.fields,
        field: (name) => fieldOf(head.fields, name),
        body: body.body,
        framing: body.framing,
        trailers: body.trailers,
        raw: Buffer.concat([head.bytes, body.bytes]),
        interim,
      }
    }
  }

  /** Sends a request and receives its answer. */
  async exchange(
    request: Uint8Array | string,
    options: { head?: boolean } = {},
    ms: number = PATIENCE_MS,
  ): Promise<RawResponse> {
    void this.send(request)
    return this.receiveResponse(options, ms)
  }
}

function tlsOptions(tls: ClientTls, host: string) {
  return {
    rejectUnauthorized: tls.insecure !== true,
    serverName: tls.serverName ?? host,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  }
}

function parseStatusLine(head: Head): { version: string; status: number; reason: string } {
  const match = /^HTTP\/(1\.[01]) ([1-5]\d\d) (.*)$/.exec(head.startLine)
  if (match === null) throw new MalformedMessage(`status line ${quote(head.startLine)}`)
  return { version: match[1] ?? "", status: Number(match[2]), reason: match[3] ?? "" }
}
