/**
 * Files that several processes write to, each by a descriptor of its own: unless every write goes to the end of the
 * file, one overwrites what another has written. Linux only; elsewhere nothing is opened a second time.
 */
import { constants } from "node:fs"
import { libc } from "./libc.ts"

const F_GETFL = 3
const F_SETFL = 4

/** From now on, whoever writes by `fd` or a copy of it writes at the end. */
export function alwaysAppend(fd: number): void {
  if (process.platform !== "linux") return
  const { fcntl } = libc()
  const flags = fcntl(fd, F_GETFL, 0)
  if (flags >= 0) fcntl(fd, F_SETFL, flags | constants.O_APPEND)
}
