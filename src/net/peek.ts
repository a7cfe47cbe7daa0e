/**
 * What the kernel already knows of a connection and the event loop not yet.
 *
 * Cost: one recv(2), about 0.4 us.
 */
import { constants } from "node:os"
import { libc } from "./libc.ts"
import type { TcpSocket } from "./socket.ts"

const { EAGAIN } = constants.errno
/** MSG_PEEK is the same everywhere, MSG_DONTWAIT is not. */
const MSG_PEEK_DONTWAIT = 0x2 | (process.platform === "darwin" ? 0x80 : 0x40)
const peeked = new Uint8Array(1)

/** The peer has neither spoken nor ended: no byte waits to be received, no FIN, no reset. */
export function isQuiet({ fd }: TcpSocket): boolean {
  return libc().recv(fd, peeked, 1, MSG_PEEK_DONTWAIT) < 0 && libc().errno() === EAGAIN
}
