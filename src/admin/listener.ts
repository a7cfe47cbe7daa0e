/**
 * Where the admin listener listens: a port, or a unix socket (unix-listener.ts). A port is ours alone, and only a bunlb
 * that follows this one in an upgrade may share it; a socket of a bunlb that leaves is replaced by ours.
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import { BunlbError } from "../core/errors.ts"
import type { SharedPlace } from "../master/upgrade/handover.ts"
import { libc } from "../net/linux/libc.ts"
import type { Answer } from "./http-answer.ts"
import type { AdminRequest } from "./http-request.ts"
import { HttpServer } from "./http-server.ts"
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

type Respond = (request: AdminRequest) => Promise<Answer>

/** Throws `BunlbError` when the address cannot be bound. `respond` must not throw. */
export function bindAdmin(
  address: AdminAddress,
  respond: Respond,
  shared: SharedPlace | null,
): Bound {
  if ("path" in address) return onSocket(address.path, respond, shared !== null)
  const { host } = address
  const port = placeOf(address, shared)
  const server = new HttpServer(letGo(listenAt(host, port, true), `port ${port}`), respond)
  return {
    port,
    retire: () => void server.retire(),
    reclaim: () => {},
    stop: async () => server.stop(),
  }
}

function onSocket(path: string, respond: Respond, shared: boolean): Bound {
  const bind = (replace: boolean) => {
    const socket = bindSocket(path, listenOn, replace)
    return { ...socket, http: new HttpServer(letGo(socket.server, path), respond) }
  }
  let bound = bind(shared)
  return {
    port: null,
    retire: () => void bound.http.retire(),
    reclaim: () => {
      if (bound.isThere()) return
      bound.http.stop()
      bound = bind(true)
    },
    stop: async () => {
      bound.remove()
      bound.http.stop()
    },
  }
}

function listenOn(unix: string): Bun.UnixSocketListener<undefined> {
  return Bun.listen({ unix, socket: { data() {} } })
}

/** The descriptor of what Bun has opened, which Bun lets go of before it could accept anything. */
function letGo(listener: { stop(): void }, place: string): number {
  const fd = "fd" in listener ? libc().dup(Number(listener.fd)) : -1
  listener.stop()
  if (fd >= 0) return fd
  throw new BunlbError(
    "BUNLB_E_LISTEN",
    `admin: cannot listen on ${place}: out of file descriptors`,
  )
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

/** The port, proven free: two that both share one would each get a part of the connections. */
function claim(host: string, port: number): number {
  const listener = listenAt(host, port, false)
  listener.stop()
  return listener.port
}

function listenAt(hostname: string, port: number, reusePort: boolean) {
  // A variable of its own, because the types do not know `reusePort`.
  const options = { hostname, port, reusePort, socket: { data() {} } }
  try {
    return Bun.listen(options)
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
