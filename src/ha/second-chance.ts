/**
 * Rules of nftables by which a connection outlives the move of its address: a packet that belongs to no connection of
 * this node goes on to the node that had the address before, which still has it on `lo`, knows the connection, and
 * answers the client itself. So nothing is cut that was under way: downloads, uploads, tunnels.
 *
 * A packet that nobody knows comes back and is then this node's own to refuse: by its own mark, in the bits of DSCP
 * that RFC 2474 section 6 leaves to local use, so that it goes round once. (It may be the last of a handshake with a
 * SYN cookie, which only the node that made it can judge.) Nobody is asked who has been silent for HEARD_MS, for
 * clients of a node that is dead must be told; keepalived's BFD is what makes them heard.
 *
 * Cost: one more look for the socket of each packet that comes to the address; a packet more, on the nodes' own
 * network, for each that belongs elsewhere.
 */
import { isIP } from "node:net"

/** A sign of life each BFD_MS; ten may be missing. */
export const BFD_MS = 100
const HEARD_MS = 10 * BFD_MS
/** No client is so far away that its packets come with fewer. */
const LEAST_HOPS = 10
const BFD_PORT = 3784
/** Against a flood of packets that belong nowhere: above it they are refused here, as if there were no such rules. */
const MOST_PER_SECOND = 100_000
const MOST_AT_ONCE = 10_000

/** As many as there are marks. */
export const MOST_LINGERING = 16

interface Lingering {
  /** With prefix length or without. */
  readonly vips: readonly string[]
  readonly address: string
  readonly peers: readonly string[]
}

export function secondChanceRules({ vips, address, peers }: Lingering): string {
  const [ip, hops] = isIP(address) === 6 ? ["ip6", "hoplimit"] : ["ip", "ttl"]
  const all = vips.map((vip) => vip.replace(/\/\d+$/, "")).join(", ")
  const ring = [address, ...peers].toSorted(byNumber)
  const place = ring.indexOf(address)
  const others = [...ring.slice(place + 1), ...ring.slice(0, place)]
  const marks = ring.map((_, index) => markOf(index))
  const lines = [
    "#!/usr/sbin/nft -f",
    "# Made by: bunlb keepalived --linger. See docs/high-availability.md",
    `table ${ip} bunlb_linger`,
    `delete table ${ip} bunlb_linger`,
    "",
    `table ${ip} bunlb_linger {`,
    ...others.flatMap((peer) => [
      `  # By which interface ${peer} was heard of late.`,
      `  set ${heard(peer)} {`,
      "    type iface_index",
      "    size 16",
      "    flags dynamic,timeout",
      `    timeout ${HEARD_MS}ms`,
      "  }",
      "",
    ]),
    "  chain arriving {",
    "    type filter hook prerouting priority raw; policy accept;",
    ...others.map(
      (peer) =>
        `    ${ip} saddr ${peer} ${ip} ${hops} 255 udp dport ${BFD_PORT} update @${heard(peer)} { iif }`,
    ),
    "    # A socket that listens is all that this node has for it: it is another's.",
    `    ${ip} daddr { ${all} } tcp flags & syn == 0 socket wildcard 1 jump elsewhere`,
    "  }",
    "",
    "  chain elsewhere {",
    "    # It has been round; or it comes from one who cannot have it back.",
    `    ${ip} dscp ${markOf(place)} return`,
    ...others.map(
      (peer) => `    ${ip} dscp ${markOf(ring.indexOf(peer))} iif != @${heard(peer)} return`,
    ),
    "    # Each round takes one, and below zero it would begin anew.",
    `    ${ip} ${hops} < ${LEAST_HOPS} return`,
    `    limit rate over ${MOST_PER_SECOND}/second burst ${MOST_AT_ONCE} packets return`,
    `    ${ip} dscp != { ${marks.join(", ")} } ${ip} dscp set ${markOf(place)}`,
    ...others.map((peer) => `    iif @${heard(peer)} dup to ${peer} drop`),
    "  }",
    "}",
  ]
  return lines.join("\n")
}

/** One of the sixteen code points xxxx11. */
function markOf(place: number): string {
  return `0x${((place << 2) | 3).toString(16).padStart(2, "0")}`
}

function heard(peer: string): string {
  return `heard_${peer.replaceAll(/[.:]/g, "_")}`
}

/** All nodes must see the same ring, however they were listed. */
function byNumber(a: string, b: string): number {
  return a < b ? -1 : 1
}
