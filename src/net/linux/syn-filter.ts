/**
 * A listener closed as it is resets whoever is in its queue or about to enter it, a request already sent included.
 * Here the kernel is told to drop newcomers first: who has knocked is still accepted, the first packet of anybody
 * later is lost, and their kernel tries again in a second and finds the port closed. On Linux alone; elsewhere
 * nothing is done.
 *
 * A filter does it exactly, and newer kernels grant one on a TCP socket only to CAP_NET_ADMIN. Everybody may ask for
 * packets that have come over no router at all (hop count 255), which no usual system sends. Only first packets are
 * judged by that, but a connection that is made later inherits it and is deaf until `hear`: its kernel sends again.
 * Sources: socket(7), SO_ATTACH_FILTER; ip(7), IP_MINTTL; RFC 5082.
 */
import { ptr } from "bun:ffi"
import { libc } from "./libc.ts"

const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const IPPROTO_IP = 0
const IP_MINTTL = 21
const IPPROTO_IPV6 = 41
const IPV6_MINHOPCOUNT = 73
const MOST_HOPS = 255

/** Code and jumps, then the operand, of each instruction; the packet begins with its TCP header. */
const dropSyn = new Uint32Array([
  ...[0x30, 13], // load the byte of flags
  ...[0x54, 0x12], // of which SYN and ACK count
  ...[0x0100_0015, 0x02], // unless SYN alone is set, skip one
  ...[0x06, 0], // drop the packet
  ...[0x06, 0xffff_ffff], // take it whole
])

/** True when who is accepted from now on has to be given to `hear` first. */
export function dropNewConnections(fd: number): boolean {
  if (process.platform !== "linux" || filtered(fd)) return false
  dropByHopCount(fd)
  return true
}

/** What `ignoreNewcomers` does where it may not do better. */
export function dropByHopCount(fd: number): void {
  setHops(fd, MOST_HOPS)
}

/** Takes packets from any distance, as every connection did before. */
export function acceptPackets(fd: number): void {
  setHops(fd, 0)
}

function filtered(fd: number): boolean {
  // struct sock_fprog: the number of instructions, and where they are.
  const program = new DataView(new ArrayBuffer(16))
  program.setUint16(0, dropSyn.length / 2, true)
  program.setBigUint64(8, BigInt(ptr(dropSyn)), true)
  return libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(program.buffer)) === 0
}

/** For both families: a socket of IPv6 may have peers of IPv4, and one of IPv4 refuses the second. */
function setHops(fd: number, least: number): void {
  const value = new Uint8Array(new Int32Array([least]).buffer)
  libc().setsockopt(fd, IPPROTO_IP, IP_MINTTL, value)
  libc().setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, value)
}
