/**
 * TCP keepalive finds out that a peer has vanished without a word (power, network, firewall) from a silent connection,
 * which then ends as by a reset. Four probes go without an answer, a quarter of the idle time apart: it takes twice the
 * idle time in all.
 *
 * Keepalive does nothing while data waits for its acknowledgement: the kernel repeats that for a quarter of an hour.
 * `hasVanished` is for connections that no other time limit watches. TCP_USER_TIMEOUT would not do: it also ends
 * connections whose peer answers and does not read.
 *
 * Cost: four system calls a connection, of some 0.4 us each; accepted connections inherit it from their listener.
 */
import { libc } from "./libc.ts"

const LINUX = process.platform === "linux"
const SOL_SOCKET = LINUX ? 1 : 0xffff
const SO_KEEPALIVE = LINUX ? 9 : 8
const IPPROTO_TCP = 6
const TCP_KEEPIDLE = LINUX ? 4 : 0x10
const TCP_KEEPINTVL = LINUX ? 5 : 0x101
const TCP_KEEPCNT = LINUX ? 6 : 0x102
const TCP_INFO = 11

const PROBES = 4
/** As many as the kernel allows: whether the connection ends is not for it to say. */
const PROBES_ASKED = 127

const value = new Int32Array(new ArrayBuffer(4))
const bytes = new Uint8Array(value.buffer)

function set(fd: number, level: number, name: number, to: number): void {
  value[0] = to
  libc().setsockopt(fd, level, name, bytes)
}

/** Probes begin after `idleMs` of silence; 0 sends none. */
export function keepAlive(fd: number, idleMs: number): void {
  set(fd, SOL_SOCKET, SO_KEEPALIVE, idleMs > 0 ? 1 : 0)
  if (idleMs === 0) return
  const idle = Math.max(1, Math.round(idleMs / 1000))
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle)
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, Math.max(1, Math.round(idle / PROBES)))
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES)
}

/**
 * Has the kernel ask the peer once a second whether it is still there, until `keepAlive` says otherwise. It is for
 * `isSilent` to say what came of that.
 */
export function askOften(fd: number): void {
  keepAlive(fd, 1000)
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES_ASKED)
}

/** A peer that has been asked for so long has answered, or has vanished. */
export const SILENT_MS = 3500

/** struct tcp_info, as far as it is read here: tcp(7), linux/tcp.h. */
const info = new Int32Array(new ArrayBuffer(60))
const infoBytes = new Uint8Array(info.buffer)
const infoLength = new Uint32Array(new ArrayBuffer(4))
const RETRANSMITS = 2
const PROBES_SENT = 3
const LAST_DATA_SENT = 11
const LAST_ACK_RECEIVED = 14

/** So many unanswered repetitions are no accident. */
const REPEATED = 3

/**
 * Data has been repeated and its peer has acknowledged nothing for `ms`. A peer that has no room answers probes, and so
 * has not vanished. Linux alone tells; elsewhere nobody has.
 */
export function hasVanished(fd: number, ms: number): boolean {
  if (ms === 0 || !readInfo(fd)) return false
  const repeats = byteOf(RETRANSMITS) >= REPEATED || byteOf(PROBES_SENT) >= REPEATED
  return repeats && wordOf(LAST_ACK_RECEIVED) >= ms
}

/**
 * After `askOften` for `SILENT_MS` or longer: the peer's kernel has answered neither that nor what was sent. Where the
 * system does not tell, it has not.
 */
export function isSilent(fd: number): boolean {
  if (!readInfo(fd)) return true
  if (wordOf(LAST_ACK_RECEIVED) < SILENT_MS) return false
  return byteOf(RETRANSMITS) >= REPEATED || wordOf(LAST_DATA_SENT) >= SILENT_MS
}

function byteOf(offset: number): number {
  return infoBytes[offset] ?? 0
}

function wordOf(index: number): number {
  return info[index] ?? 0
}

function readInfo(fd: number): boolean {
  if (!LINUX || fd < 0) return false
  infoLength[0] = info.byteLength
  return libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) === 0
}
