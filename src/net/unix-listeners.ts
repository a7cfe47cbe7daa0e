/**
 * Listening unix sockets. All workers accept from one queue, for a path leads to one socket. A socket file that a dead
 * process left behind is replaced; one on which a process listens, or a file that is no socket, is left alone.
 *
 * The socket is made under another name and then moved to its own, so that there is never a moment without one when a
 * dead one is replaced. The umask decides who may connect, as for every new file.
 */
import { type Stats, lstatSync, renameSync, rmSync } from "node:fs"
import { BunlbError } from "../core/errors.ts"
import { libc } from "./linux/libc.ts"
import { isAbandoned } from "./linux/unix-socket.ts"

/**
 * A descriptor that listens at `path`, owned by the caller. `replace`: the process that listens there leaves. Throws
 * `BunlbError` when the socket cannot be made.
 */
export function listenAtPath(path: string, replace: boolean): number {
  if (!replace) refuseIfUsed(path)
  const name = `${path}.${process.pid}`
  try {
    rmSync(name, { force: true })
    const listener = Bun.listen({ unix: name, socket: { data() {} } })
    try {
      const fd = "fd" in listener ? libc().dup(Number(listener.fd)) : -1
      if (fd < 0) throw new BunlbError("BUNLB_E_LISTEN", `cannot listen on ${path}: no descriptor`)
      renameSync(name, path)
      return fd
    } finally {
      listener.stop()
      rmSync(name, { force: true })
    }
  } catch (error) {
    throw error instanceof BunlbError ? error : bindFault(path, error)
  }
}

function refuseIfUsed(path: string): void {
  const found = stateOf(path)
  if (found === null) return
  if (!found.isSocket()) {
    const message = `cannot listen on ${path}: a file is there that is not a socket; choose another path`
    throw new BunlbError("BUNLB_E_ADDRESS", message)
  }
  if (isAbandoned(path)) return
  const message = `${path} is already in use, or may not be opened; choose another path, or remove it`
  throw new BunlbError("BUNLB_E_PORT_IN_USE", message)
}

function stateOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

function bindFault(path: string, error: unknown): BunlbError {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error)
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "its folder does not exist",
    EACCES: "this user may not write in its folder",
    EROFS: "its folder is read-only",
    ENAMETOOLONG: "the path is too long for a socket",
  }
  return new BunlbError("BUNLB_E_ADDRESS", `cannot listen on ${path}: ${reasons[code] ?? code}`)
}
