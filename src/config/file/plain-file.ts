/**
 * Reads a file that somebody has named: in a setting, a flag, or through the admin API. The name may lead to anything.
 * A pipe would make the process wait for a writer for ever, `/dev/zero` has no end, and to open some devices is to use
 * them. So only regular files are opened, reading never waits, and it ends at a limit.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from "node:fs"

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants

/** What is at a name, in the words of `fileFault`. */
class WrongKind extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Throws an error with a code that `fileFault` puts in words. */
export function readPlainFile(path: string, mostBytes: number): Buffer {
  const fd = openPlainFile(path, O_RDONLY, 0)
  try {
    const { size } = fstatSync(fd)
    if (size > mostBytes) throw new WrongKind("EFBIG")
    return readUpTo(fd, mostBytes, size + 1)
  } finally {
    closeSync(fd)
  }
}

/** Differs when the file does, or another one is behind a link to it; empty for none. */
export function fileState(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path)
    return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return ""
  }
}

/** Opens without waiting. `mode`: of a file that is made. Throws as `readPlainFile` does. */
export function openPlainFile(path: string, flags: number, mode: number): number {
  const before = statSync(path, { throwIfNoEntry: false })
  if (before !== undefined) refuseAllButFiles(before)
  const fd = openSync(path, flags | O_NONBLOCK | O_NOCTTY, mode)
  try {
    // It may have been replaced between the look and the opening.
    refuseAllButFiles(fstatSync(fd))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function refuseAllButFiles(found: Stats): void {
  if (found.isFile()) return
  if (found.isDirectory()) throw new WrongKind("EISDIR")
  throw new WrongKind(found.isFIFO() ? "FIFO" : found.isSocket() ? "SOCKET" : "DEVICE")
}

/** The size is a hint: a file of /proc has none, and a file may grow meanwhile. */
function readUpTo(fd: number, mostBytes: number, hint: number): Buffer {
  let buffer = Buffer.allocUnsafe(Math.max(hint, 4096))
  let length = 0
  for (;;) {
    if (length === buffer.length) buffer = Buffer.concat([buffer], length * 2)
    const count = readSync(fd, buffer, length, buffer.length - length, null)
    if (count === 0) return buffer.subarray(0, length)
    length += count
    if (length > mostBytes) throw new WrongKind("EFBIG")
  }
}
