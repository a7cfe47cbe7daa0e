/** The sockets of this process at a port, also those of listeners of Bun's whose descriptors it does not tell. */
import { readdirSync } from "node:fs"
import { portOf } from "../../src/net/linux/activation.ts"
import { libc } from "../../src/net/linux/libc.ts"
import { dropNewConnections } from "../../src/net/linux/syn-filter.ts"

const SOL_SOCKET = 1
const SO_ACCEPTCONN = 30

/** The descriptors of all that have been accepted at `port`; on Linux alone. */
export function connectionsOf(port: number): number[] {
  return socketsOf(port).filter((fd) => !isListening(fd))
}

/** Has the kernel drop the first packets of whoever connects to `port` from now on. */
export function dropNewConnectionsTo(port: number): void {
  for (const fd of socketsOf(port)) if (isListening(fd)) dropNewConnections(fd)
}

function socketsOf(port: number): number[] {
  if (process.platform !== "linux") return []
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => portOf(fd) === port)
}

function isListening(fd: number): boolean {
  const answer = new Int32Array(1)
  libc().getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, answer, new Uint32Array([4]))
  return answer[0] === 1
}
