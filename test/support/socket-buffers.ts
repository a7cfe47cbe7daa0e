/** Makes what the kernel keeps for a socket as small as it goes, so that a slow reader is felt soon. */
import { libc } from "../../src/net/linux/libc.ts"

const isMac = process.platform === "darwin"
const SOL_SOCKET = isMac ? 0xffff : 1
const SO_SNDBUF = isMac ? 0x1001 : 7
const SO_RCVBUF = isMac ? 0x1002 : 8
const SMALL = 4096

export function shrinkSending(fd: number, bytes = SMALL): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Uint8Array(new Int32Array([bytes]).buffer))
}

export function shrinkReceiving(fd: number, bytes = SMALL): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint8Array(new Int32Array([bytes]).buffer))
}
