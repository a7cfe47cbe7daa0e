/**
 * Listening unix sockets. All workers accept from one queue, for a path leads to one socket. A socket file that a dead
 * process left behind is replaced; one on which a process listens, or a file that is no socket, is left alone.
 *
 * The socket is made under another name and then moved to its own, so that there is never a moment without one when
 * another is replaced, and so that nobody finds one that may still be given up. Its permissions decide who may connect;
 * where none are said, the umask does, as for every new file.
 */
import { type Stats, chmodSync, lstatSync, renameSync, rmSync } from "node:fs"
import { BunlbError } from "../core/errors.ts"
import { libc } from "./linux/libc.ts"
import { isAbandoned } from "./linux/unix-socket.ts"

/** The file through which clients find a socket. */
export class SocketFile {
  readonly #path: string
  /** Where it is until it is published; null afterwards. */
  #madeAt: string | null
  readonly #made: Stats | null

  /** `madeAt`: the name that it has; null when it has its own already. */
  constructor(path: string, madeAt: string | null = null) {
    this.#path = path
    this.#madeAt = madeAt
    this.#made = stateOf(madeAt ?? path)
  }

  /** Who may connect from now on: permissions as chmod(2) takes them. */
  permit(mode: number): void {
    chmodSync(this.#madeAt ?? this.#path, mode)
  }

  /** Clients find it from now on, in the place of any other. */
  publish(): void {
    if (this.#madeAt !== null) renameSync(this.#madeAt, this.#path)
    this.#madeAt = null
  }

  /** Nobody connects any more, and the clients in the queue stay there. Does nothing when another took its place. */
  remove(): void {
    const path = this.#madeAt ?? this.#path
    const now = stateOf(path)
    if (now === null || now.ino !== this.#made?.ino || now.dev !== this.#made.dev) return
    rmSync(path, { force: true })
  }
}

export interface UnixListener {
  /** Listens, and is owned by the caller. */
  readonly fd: number
  readonly file: SocketFile
}

/** `isOurs`: whoever listens at `path` now leaves. Throws `BunlbError` when the socket cannot be made. */
export function listenAtPath(path: string, isOurs: boolean): UnixListener {
  if (!isOurs) refuseIfUsed(path)
  const name = `${path}.${process.pid}`
  try {
    rmSync(name, { force: true })
    const listener = Bun.listen({ unix: name, socket: { data() {} } })
    // Bun removes what it made when it stops: it must not find it.
    const kept = `${name}.new`
    renameSync(name, kept)
    const fd = "fd" in listener ? libc().dup(Number(listener.fd)) : -1
    listener.stop()
    if (fd >= 0) return { fd, file: new SocketFile(path, kept) }
    rmSync(kept, { force: true })
    throw new BunlbError("BUNLB_E_LISTEN", `cannot listen on ${path}: no descriptor`)
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
