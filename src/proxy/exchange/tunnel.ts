/**
 * A connection that has switched protocols (RFC 9110 section 7.8): bytes go both ways untouched, under
 * backpressure, until both sides have ended or nothing has passed for the idle limit. It exists only after the
 * backend's 101, so nothing that a client sends early can reach a backend which has not agreed.
 */
import { isAmongOffered } from "../../h1/upgrade.ts"
import type { ResponseMessage } from "../../http/response-message.ts"
import type { BackendStream } from "../backend/backend-stream.ts"
import type { TunnelUser } from "../backend/backend-user.ts"
import type { ClientStream } from "./client-stream.ts"
import type { Gateway } from "../core/gateway.ts"
import type { RequestRelay } from "./request-relay.ts"

/** The tunnel, when the response `head` accepts what the request offered; else null. */
export function openTunnel(
  gateway: Gateway,
  client: ClientStream,
  backend: BackendStream,
  request: RequestRelay,
  head: ResponseMessage,
): Tunnel | null {
  // The request comes first, whole: what follows it is of the new protocol.
  if (!request.upgrades || !request.done) return null
  const accepted = isAmongOffered(head.bytes, head.fields, request.offeredProtocols)
  return accepted ? new Tunnel(gateway, client, backend) : null
}

/** How often it is asked whether the peers acknowledge what is sent to them. */
const LOOK_MS = 5000

export class Tunnel implements TunnelUser {
  readonly #gateway: Gateway
  readonly #client: ClientStream
  readonly #backend: BackendStream
  #clientEnded = false
  #backendEnded = false
  #open = true
  /** Nothing has passed for the idle limit at this time. */
  #idleAt = 0

  constructor(gateway: Gateway, client: ClientStream, backend: BackendStream) {
    this.#gateway = gateway
    this.#client = client
    this.#backend = backend
  }

  /** Sends the 101 on, and what came with it. */
  start(head: ResponseMessage): void {
    const { figures } = this.#gateway
    figures.tunnels++
    this.#backend.upstream.figures.tunnels++
    this.#backend.enterTunnel(this)
    this.#client.sendSwitch(head)
    this.#client.enterTunnel(this)
    this.#touch()
  }

  fromClient(bytes: Buffer): void {
    if (!this.#open) return
    this.#touch()
    this.#client.record?.received(bytes.length)
    this.#backend.send(bytes, 0, bytes.length)
    if (this.#backend.room < 0) this.#client.waitForBackend()
  }

  fromBackend(bytes: Buffer): void {
    this.#touch()
    this.#client.send(bytes, 0, bytes.length)
    if (this.#client.room < 0) this.#backend.pause()
  }

  backendDrained(): void {
    this.#touch()
    this.#client.backendReady()
    if (this.#clientEnded) this.#backend.shutdown()
  }

  clientDrained(): void {
    this.#touch()
    this.#backend.resume()
    if (this.#backendEnded) this.#client.shutdown()
  }

  clientEnded(): void {
    this.#clientEnded = true
    if (!this.#backend.waits) this.#backend.shutdown()
    this.#closeWhenBothEnded()
  }

  backendEnded(): void {
    this.#backendEnded = true
    if (!this.#client.waits) this.#client.shutdown()
    this.#closeWhenBothEnded()
  }

  /** The backend's connection is gone: the client gets what is waiting, then the end. */
  backendClosed(reset: boolean): void {
    if (!this.#open) return
    // After our own FIN the backend's is not told of, and this is the good end.
    const left = reset || !this.#clientEnded
    if (left && !this.#backendEnded) this.#client.record?.blame("S", "the backend left")
    this.#leave()
    this.#client.finish()
  }

  /** The client's connection has closed in good order: the backend gets what is waiting, then the end. */
  clientClosed(): void {
    if (!this.#open) return
    this.#leave()
    this.#backend.finish()
  }

  /** The client's connection is gone, late, or to be cut. */
  clientGone(): void {
    if (!this.#open) return
    this.#client.record?.blame("C", "the client left")
    this.#leave()
    this.#backend.abort()
  }

  #closeWhenBothEnded(): void {
    if (!this.#clientEnded || !this.#backendEnded || !this.#open) return
    this.#leave()
    this.#backend.finish()
    this.#client.finish()
  }

  #leave(): void {
    this.#open = false
    this.#gateway.figures.tunnels--
    this.#backend.upstream.figures.tunnels--
    this.#client.record?.settle()
  }

  #touch(): void {
    const { clock } = this.#gateway
    const { timeouts } = this.#backend.upstream.pool.settings
    this.#idleAt = clock.now() + timeouts.tunnelIdle
    this.#client.deadlineAt = Math.min(this.#idleAt, clock.now() + LOOK_MS)
  }

  /** Time to look for an end that nobody tells of, or for one that has come: nothing passes any more. */
  expired(): void {
    const { clock } = this.#gateway
    if (clock.now() >= this.#idleAt) return this.#expireIdle()
    if (this.#client.hasVanished) this.#client.cut("C", "the client vanished")
    else if (this.#backend.hasVanished) this.#client.cut("S", "the backend vanished")
    else this.#client.deadlineAt = Math.min(this.#idleAt, clock.now() + LOOK_MS)
  }

  /** Nothing was handed on for the idle limit. The kernel may still be delivering what it was given before. */
  #expireIdle(): void {
    const toClient = this.#client.delivers()
    if (this.#backend.delivers() || toClient) this.#touch()
    else this.#client.cut("c", "nothing came in time")
  }
}
