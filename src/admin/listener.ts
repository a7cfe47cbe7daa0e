/**
 * Where the admin listener listens: a port, or a unix socket (unix-listener.ts). A port is ours alone, and only a bunlb
 * that follows this one in an upgrade may share it; a socket of a bunlb that leaves is replaced by ours.
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import type { SharedPlace } from "../master/upgrade/handover.ts"
import { connectionsOf, acceptPacketsOf, dropNewConnectionsTo } from "../net/linux/syn-filter.ts"
import { connectionsAt } from "../net/linux/unix-socket.ts"
import { BunlbError } from "../core/errors.ts"
import { limitConnections } from "./crowd.ts"
import { bindSocket } from "./unix-listener.ts"

export interface Bound {
  /** The port that is really bound; null on a unix socket. */
  readonly port: number | null
  /** Answers who has come, and leaves who comes now to another process at the same place. */
  retire(): void
  /** The other one did not come up: who comes now is ours again. */
  reclaim(): void
  stop(): Promise<void>
}

export type Respond = (request: Request) => Promise<Response>

/** Beyond this nothing is read; what is less and still too much gets an answer that says so, see control.ts. */
const MAX_REQUEST_BODY_BYTES = 1024 * 1024
const IDLE_LIMIT_SECONDS = 30
/** An upgrade, or a reload behind one, takes its time. */
const CHANGE_LIMIT_SECONDS = 120
/** For connections on their way to a listener that retires. */
const KNOCKED_MS = 300

/** Throws `BunlbError` when the address cannot be bound. `onFault` answers where `respond` has failed. */
export function bindAdmin(
  address: AdminAddress,
  respond: Respond,
  onFault: () => Response,
  shared: SharedPlace | null,
): Bound {
  const handlers = {
    development: false,
    maxRequestBodySize: MAX_REQUEST_BODY_BYTES,
    fetch: (request: Request, server: Bun.Server<undefined>) => {
      if (request.method === "POST") server.timeout(request, CHANGE_LIMIT_SECONDS)
      return respond(request)
    },
    error: onFault,
  } as const
  return "path" in address
    ? onSocket(address.path, handlers, shared !== null)
    : onPort(address.host, placeOf(address, shared), handlers)
}

/** What both kinds take. */
type Handlers = Pick<
  Bun.Serve.BaseServeOptions<undefined>,
  "development" | "maxRequestBodySize" | "error"
> & {
  readonly fetch: (request: Request, server: Bun.Server<undefined>) => Promise<Response>
}

function onSocket(path: string, handlers: Handlers, shared: boolean): Bound {
  const bind = (replace: boolean) =>
    bindSocket(path, (unix) => Bun.serve({ ...handlers, unix }), replace)
  let bound = bind(shared)
  const unlimit = limitConnections(() => connectionsAt(bound.name))
  return {
    port: null,
    retire: () => void setTimeout(() => void bound.server.stop(false), KNOCKED_MS),
    reclaim: () => {
      if (bound.isThere()) return
      void bound.server.stop(false)
      bound = bind(true)
    },
    stop: async () => {
      unlimit()
      bound.remove()
      await bound.server.stop(true)
    },
  }
}

function onPort(host: string, port: number, handlers: Handlers): Bound {
  const server = serve(host, port, handlers)
  const unlimit = limitConnections(() => connectionsOf(port))
  return {
    port,
    retire: () => {
      dropNewConnectionsTo(port)
      setTimeout(() => {
        acceptPacketsOf(port)
        // From now on the port may be somebody else's, clients' for one.
        unlimit()
        void server.stop(false)
      }, KNOCKED_MS)
    },
    reclaim: () => {},
    stop: () => {
      unlimit()
      return server.stop(true)
    },
  }
}

/** A port that is to be shared is tried too where Bun cannot share: the reason is told before anything is changed. */
function placeOf({ host, port }: { host: string; port: number }, shared: SharedPlace | null) {
  if (shared === null || shared.port === null) return claim(host, port)
  if (process.platform === "linux") return shared.port
  try {
    return claim(host, shared.port)
  } catch {
    throw new BunlbError(
      "BUNLB_E_PORT_IN_USE",
      `admin: port ${shared.port} cannot be shared on this system, and the bunlb that is there ` +
        "still needs it; with --admin unix:/PATH or off it can, or restart instead",
    )
  }
}

/** The port, proven free: Bun shares with whoever shares. */
function claim(host: string, port: number): number {
  try {
    const listener = Bun.listen({ hostname: host, port, socket: { data() {} } })
    listener.stop()
    return listener.port
  } catch (error) {
    throw bindFault(host, port, error)
  }
}

function serve(hostname: string, port: number, handlers: Handlers) {
  try {
    const idleTimeout = IDLE_LIMIT_SECONDS
    return Bun.serve({ ...handlers, hostname, port, idleTimeout, reusePort: true })
  } catch (error) {
    throw bindFault(hostname, port, error)
  }
}

function bindFault(host: string, port: number, error: unknown): BunlbError {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const cure = "choose another with --admin HOST:PORT, or switch it off with --admin off"
  switch (code) {
    case "EADDRINUSE":
      return new BunlbError(
        "BUNLB_E_PORT_IN_USE",
        `admin: port ${port} on ${host} is already in use; ${cure}`,
      )
    case "EACCES":
      return new BunlbError(
        "BUNLB_E_PORT_PRIVILEGED",
        `admin: port ${port} on ${host} needs a privilege; ${cure}`,
      )
    default:
      return new BunlbError(
        "BUNLB_E_ADDRESS",
        `admin: cannot listen on ${host}, port ${port} (${code || "unknown address"}); ${cure}`,
      )
  }
}
