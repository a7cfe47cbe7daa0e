/**
 * What becomes of a backend's connection after a complete exchange: it goes back to the pool, stays with the client
 * that has authenticated it, or ends.
 */
import type { BackendStream } from "../backend/backend-stream.ts"
import type { ClientStream } from "./client-stream.ts"
import type { RequestRelay } from "./request-relay.ts"
import type { ResponseRelay } from "./response-relay.ts"

/** Returns whether the client's connection may go on: not without the connection that was pinned to it. */
export function disposeOf(
  backend: BackendStream,
  client: ClientStream,
  request: RequestRelay,
  response: ResponseRelay,
  now: number,
): boolean {
  const { pinned, done } = request
  const reusable = response.reusable && done && !backend.waits
  const bound = pinned || request.binds || response.binds
  const pins = bound && reusable && response.keepAlive && backend.upstream.keeps
  if (response.idleSeconds >= 0) backend.upstream.idleLimit.announce(response.idleSeconds)
  if (pins) backend.pinTo(client)
  else if (reusable && !bound) backend.release(now)
  else if (done) backend.retire()
  else backend.abort()
  return response.keepAlive && (pins || !pinned)
}
