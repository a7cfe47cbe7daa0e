/**
 * A backend whose time is over, and whether it is late or slow: it may still be taking the request. What the kernel
 * holds of it can take minutes to leave, and the time for the answer begins after that.
 */
import { LOOKS } from "../../net/outbox.ts"
import { unacknowledged } from "../../net/linux/peek.ts"
import type { BackendConnection } from "./backend-connection.ts"

/** True: it is slow, and has another deadline. `started`: the response has begun. */
export function isStillTaken(
  connection: BackendConnection,
  started: boolean,
  now: number,
): boolean {
  const { backendBody, responseHead } = connection.upstream.pool.settings.timeouts
  const fd = connection.socket?.fd ?? -1
  if (connection.waits) {
    connection.deadlineAt = now + backendBody / LOOKS
    return connection.outbox.moves(fd)
  }
  if (started) return false
  const wasTaking = connection.taking
  connection.taking = unacknowledged(fd) > 0
  if (connection.taking) {
    connection.deadlineAt = now + Math.min(backendBody, responseHead) / LOOKS
    return connection.outbox.moves(fd)
  }
  connection.deadlineAt = now + responseHead
  return wasTaking
}
