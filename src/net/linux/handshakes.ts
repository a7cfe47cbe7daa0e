/**
 * Waits until everybody who has begun to connect to a listener is accepted, and no longer. Meanwhile the kernel drops
 * the first packets of newcomers (newcomers.ts), and each of them waits a second. On a near network all is over within
 * milliseconds, and few newcomers wait; a far client gets the time that its handshake takes.
 *
 * Cost: the kernel's table of connections, once or a few times in a drain; a table that takes long is read once.
 * Source: sock_diag(7); tcp(7), TCP_INFO: of a listener, `tcpi_unacked` is the length of its queue.
 */
import { writeSync } from "node:fs"
import { libc } from "./libc.ts"

const LOOK_MS = 5
/** A table that takes longer is of very many connections. */
const LONG_MS = 50
const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const NLM_F_REQUEST = 1
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const SYN_RECV = 3
/** The two structures, 16 and 56 bytes. */
const QUESTION = 72
const IPPROTO_TCP = 6
const TCP_INFO = 11
/** In 32-bit words. */
const UNACKED = 6

/** Resolves when the queue of `fd` is empty and the handshakes at `port` of now have ended, or after `limitMs`. */
export async function handshakesEnd(fd: number, port: number, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs
  const left = (): number => Math.max(0, until - performance.now())
  const began = performance.now()
  const pending = handshakesAt(port)
  if (pending === null || performance.now() - began > LONG_MS) return await Bun.sleep(left())
  while (left() > 0) {
    const open = pending.size === 0 ? pending : (handshakesAt(port) ?? pending)
    const isOver = ![...pending].some((peer) => open.has(peer))
    if (isOver && queued(fd) === 0) return
    await Bun.sleep(Math.min(LOOK_MS, left()))
  }
}

/** The peers that have sent a first packet and not yet the last of the handshake; null where nobody tells. */
function handshakesAt(port: number): ReadonlySet<string> | null {
  const peers = new Set<string>()
  const fd = libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
  if (fd < 0) return null
  try {
    for (const family of [AF_INET, AF_INET6]) {
      writeSync(fd, question(family, port))
      if (!readAnswers(fd, peers)) return null
    }
    return peers
  } catch {
    return null
  } finally {
    libc().close(fd)
  }
}

/** struct nlmsghdr, then struct inet_diag_req_v2: all of one port and one state. */
function question(family: number, port: number): Uint8Array {
  const bytes = new Uint8Array(QUESTION)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, QUESTION, true)
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true)
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true)
  view.setUint8(16, family)
  view.setUint8(17, IPPROTO_TCP)
  view.setUint32(20, 1 << SYN_RECV, true)
  view.setUint16(24, port)
  return bytes
}

/** Puts the peers of all answers into `peers`. False when the kernel refuses to tell. */
function readAnswers(fd: number, peers: Set<string>): boolean {
  const buffer = new Uint8Array(new ArrayBuffer(32 * 1024))
  const view = new DataView(buffer.buffer)
  for (;;) {
    const count = libc().recv(fd, buffer, buffer.length, 0)
    if (count <= 0) return false
    for (let at = 0; at + 16 <= count; at += Math.max(16, (view.getUint32(at, true) + 3) & ~3)) {
      const type = view.getUint16(at + 4, true)
      if (type === NLMSG_DONE) return true
      if (type === NLMSG_ERROR) return false
      // Port and address of the peer in struct inet_diag_msg.
      const peer = [...buffer.subarray(at + 22, at + 24), ...buffer.subarray(at + 40, at + 56)]
      peers.add(peer.join("."))
    }
  }
}

/** Connections that wait to be accepted. */
function queued(fd: number): number {
  const info = new Int32Array(new ArrayBuffer(64))
  const length = new Uint32Array([info.byteLength])
  return libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) < 0 ? 0 : (info[UNACKED] ?? 0)
}
