/**
 * An admin listener on a unix socket: its owner may open it and nobody else, from the first moment on. A socket that a
 * dead process left behind is replaced; one on which somebody listens, or a file that is no socket, is left alone.
 *
 * It is made under another name and then moved to its own, so that there is never a moment without a socket when a
 * dead one is replaced, and so that Bun, which removes what it made, never removes somebody else's.
 */
import { lstatSync, renameSync, rmSync } from "node:fs"
import { isAbandoned } from "../net/linux/unix-socket.ts"
import { BunlbError } from "../core/errors.ts"

/** For the owner to read and write. */
const UMASK = 0o177

export interface Socket<Server> {
  readonly server: Server
  /** Nobody has replaced it. */
  isThere(): boolean
  remove(): void
}

/**
 * `serve` binds the name that it is given. `replace`: whoever listens there is one that leaves. Throws `BunlbError`.
 */
export function bindSocket<Server>(
  path: string,
  serve: (name: string) => Server,
  replace: boolean,
): Socket<Server> {
  if (!replace) judge(path)
  const name = `${path}.${process.pid}`
  const server = bind(path, name, serve)
  const { ino } = lstatSync(path)
  const isThere = (): boolean => stateOf(path)?.ino === ino
  const remove = (): void => {
    if (isThere()) rmSync(path, { force: true })
  }
  return { server, isThere, remove }
}

function bind<Server>(path: string, name: string, serve: (name: string) => Server): Server {
  const mask = process.umask(UMASK)
  try {
    rmSync(name, { force: true })
    const server = serve(name)
    renameSync(name, path)
    return server
  } catch (error) {
    throw bindFault(path, error)
  } finally {
    process.umask(mask)
  }
}

function judge(path: string): void {
  const found = stateOf(path)
  if (found === null) return
  const cure = "choose another with --admin unix:/PATH"
  if (!found.isSocket()) {
    const message = `admin: ${path} is there and is no socket; ${cure}`
    throw new BunlbError("BUNLB_E_ADDRESS", message)
  }
  if (isAbandoned(path)) return
  const message = `admin: ${path} is already in use, or may not be opened; ${cure}, or remove it`
  throw new BunlbError("BUNLB_E_PORT_IN_USE", message)
}

function stateOf(path: string) {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

function bindFault(path: string, error: unknown): BunlbError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error"
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "its folder does not exist",
    EACCES: "this user may not write in its folder",
    EROFS: "its folder is read-only",
  }
  return new BunlbError(
    "BUNLB_E_ADDRESS",
    `admin: cannot make the socket ${path}: ${reasons[code] ?? code}; choose another with ` +
      "--admin unix:/PATH, or switch it off with --admin off",
  )
}
