/**
 * The file that keepalived reads to learn whether this node may hold the address: `0`, or `1` for a fault.
 *
 * keepalived is told by inotify when the file is closed after writing, and then reads it whole. It is written in place,
 * two bytes in one call over two bytes, so that whoever reads at any moment finds a number; and a file that always
 * exists never counts as gone, which keepalived takes for no fault.
 */
import { closeSync, constants, ftruncateSync, mkdirSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { openPlainFile } from "../config/file/plain-file.ts"
import { BunlbError } from "../core/errors.ts"
import { fileFault } from "../core/file-fault.ts"

const READABLE_BY_ALL = 0o644

/** Throws `BunlbError` when it cannot be written. */
export function writeTrackFile(path: string, fault: boolean): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const file = openPlainFile(path, constants.O_WRONLY | constants.O_CREAT, READABLE_BY_ALL)
    try {
      ftruncateSync(file, writeSync(file, fault ? "1\n" : "0\n", 0))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new BunlbError(
      "BUNLB_E_TRACK_FILE",
      `track file ${path}: cannot be written: ${fileFault(error)}; choose another with --track-file`,
    )
  }
}
