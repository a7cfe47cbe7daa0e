/**
 * A configuration file with another text, whole at every moment: the new text goes into a file beside it, to the disk,
 * and then takes the name. Owner and mode stay, a link stays a link. A file that is no longer what was read is left
 * alone.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { BunlbError } from "../../core/errors.ts"
import { readPlainFile } from "./plain-file.ts"
import { MAX_FILE_BYTES } from "./read-file.ts"

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not write in its folder",
  EPERM: "this user may not write in its folder",
  EROFS: "its folder is read-only",
  EBUSY: "it is mounted by itself, not with its folder",
  ENOSPC: "the disk is full",
}

/**
 * Throws `BunlbError` with the file as it was. `before`: its text when it was read. `name`: what messages call it.
 */
export function replaceFile(at: string, before: string, after: string, name: string = at): void {
  let fresh: string | null = null
  try {
    const path = realpathSync(at)
    fresh = `${path}.${process.pid}.new`
    write(fresh, path, after)
    if (readPlainFile(path, MAX_FILE_BYTES).toString("utf8") !== before) {
      throw new BunlbError("BUNLB_E_CONFIG", `config: ${name} has changed meanwhile: try again`)
    }
    renameSync(fresh, path)
    fresh = null
    sync(dirname(path))
  } catch (error) {
    if (error instanceof BunlbError) throw error
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error"
    const reason = reasons[code] ?? code
    throw new BunlbError("BUNLB_E_CONFIG", `config: ${name} cannot be written: ${reason}`)
  } finally {
    if (fresh !== null) rmSync(fresh, { force: true })
  }
}

function write(fresh: string, like: string, text: string): void {
  const { mode, uid, gid } = statSync(like)
  rmSync(fresh, { force: true })
  const fd = openSync(fresh, "wx", 0o600)
  try {
    writeFileSync(fd, text)
    if (uid !== process.getuid?.() || gid !== process.getgid?.()) fchownSync(fd, uid, gid)
    fchmodSync(fd, mode & 0o7777)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The name itself is on the disk then. Not every file system can. */
function sync(folder: string): void {
  try {
    const fd = openSync(folder, "r")
    fsyncSync(fd)
    closeSync(fd)
  } catch {
    // The text is whole under either name.
  }
}
