/**
 * What the name of an access log leads to, opened so that neither opening nor writing waits for anybody: a file, a pipe
 * that some program may read, a character device such as a terminal, or standard output and error.
 */
import {
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  type Stats,
} from "node:fs"
import { BunlbError } from "../core/errors.ts"
import { fileFault } from "../core/file-fault.ts"

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants

/** Names of what the process has been given. By them a socket cannot be opened again. */
const given: Readonly<Record<string, number>> = {
  stdout: 1,
  "/dev/stdout": 1,
  "/proc/self/fd/1": 1,
  "/dev/fd/1": 1,
  "/dev/stderr": 2,
  "/proc/self/fd/2": 2,
  "/dev/fd/2": 2,
}

export interface Destination {
  readonly fd: number
  /** Bytes are on a disk: they are not taken one write at a time, and can be taken back. */
  readonly isFile: boolean
  /** A named pipe, whose reader may go and come. */
  readonly isNamedPipe: boolean
}

/** Null for a named pipe that nobody reads. Throws `BunlbError` for what cannot be an access log. */
export function openDestination(path: string): Destination | null {
  const fd = given[path]
  if (fd !== undefined) return describe(openAgain(fd), false)
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    const fault = found === undefined ? null : faultOf(found)
    if (fault !== null) throw cannotOpen(path, fault)
    return openNamed(path, found?.isFIFO() === true)
  } catch (error) {
    throw error instanceof BunlbError ? error : cannotOpen(path, fileFault(error))
  }
}

/** It is `stdout` or another descriptor that the process has been given, and cannot be opened by its name. */
export function isGiven(path: string): boolean {
  return given[path] !== undefined
}

/** Why what is there is no access log, or null. */
export function faultOf(found: Stats): string | null {
  if (found.isDirectory()) return "is a directory, name a file"
  if (found.isSocket()) return "is a socket, name a file or a pipe"
  return found.isBlockDevice() ? "is a disk, name a file" : null
}

/**
 * Takes back the last `bytes` that were written through `fd`, if nobody has written behind them. A part of a line at
 * the end of the file would become one with the next line.
 */
export function takeBack(fd: number, bytes: number): boolean {
  try {
    const { size } = fstatSync(fd)
    if (positionOf(fd, size) !== size) return false
    ftruncateSync(fd, size - bytes)
    return true
  } catch {
    return false
  }
}

/** Where the last write through `fd` ended. Linux tells it; elsewhere it is taken for the end of the file. */
function positionOf(fd: number, size: number): number {
  if (process.platform !== "linux") return size
  return Number(/^pos:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1])
}

function openNamed(path: string, isNamedPipe: boolean): Destination | null {
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY
    return describe(openSync(path, flags, 0o640), isNamedPipe)
  } catch (error) {
    const unread = error instanceof Error && "code" in error && error.code === "ENXIO"
    if (unread && isNamedPipe) return null
    throw error
  }
}

/** Opened anew, so that it does not block and nobody else's flags change; a socket cannot be, and is used as it is. */
function openAgain(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY)
  } catch {
    return fd
  }
}

function describe(fd: number, isNamedPipe: boolean): Destination {
  return { fd, isFile: fstatSync(fd).isFile(), isNamedPipe }
}

function cannotOpen(path: string, fault: string): BunlbError {
  return new BunlbError("BUNLB_E_ACCESS_LOG", `access log ${path}: cannot be opened: ${fault}`)
}
