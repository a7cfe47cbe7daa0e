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
const MOST_NEWS_PER_SECOND = 1_000

/** As many as there are marks. */
export const MOST_LINGERING = 16

interface Lingering {
  /** With prefix length or without. */
  readonly vips: readonly string[]
  readonly address: string
  readonly peers: readonly string[]
}

/** The group as this node sees it. */
interface Ring {
  /** As nftables calls the family. */
  readonly ip: "ip" | "ip6"
  readonly own: string
  /** In the order in which they are asked. */
  readonly others: readonly string[]
  readonly marks: readonly string[]
  mark(node: string): string
}

export function strayPacketRules({ vips, address, peers }: Lingering): string {
  const ring = ringAround(address, peers)
  const all = vips.map((vip) => vip.replace(/\/\d+$/, "")).join(", ")
  const lines = [
    "#!/usr/sbin/nft -f",
    "# Made by: bunlb keepalived --linger. See docs/high-availability.md",
    `table ${ring.ip} bunlb_linger`,
    `delete table ${ring.ip} bunlb_linger`,
    "",
    `table ${ring.ip} bunlb_linger {`,
    ...hearing(ring),
    "",
    ...arriving(ring, all),
    "",
    ...telling(ring),
    "",
    ...elsewhere(ring),
    "}",
  ]
  return lines.join("\n")
}

/** The same for all nodes, however they were listed; each begins with the one behind itself. */
function ringAround(own: string, peers: readonly string[]): Ring {
  const nodes = [own, ...peers].toSorted()
  const place = nodes.indexOf(own)
  const mark = (node: string): string => markOf(nodes.indexOf(node))
  return {
    ip: isIP(own) === 6 ? "ip6" : "ip",
    own,
    others: [...nodes.slice(place + 1), ...nodes.slice(0, place)],
    marks: nodes.map(mark),
    mark,
  }
}

function hearing({ ip, own, others, mark }: Ring): string[] {
  return [
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
    "  # By its mark a node says that it has these rules. Who has not is not asked; nor is anybody",
    "  # over a network that takes marks away, where a packet could go round for ever.",
    "  chain leaving {",
    "    type filter hook output priority raw; policy accept;",
    `    ${ip} daddr { ${others.join(", ")} } udp dport ${BFD_PORT} ${ip} dscp set ${mark(own)}`,
    "  }",
  ]
}

function arriving({ ip, others, mark }: Ring, vips: string): string[] {
  const [hops, tooBig] =
    ip === "ip6"
      ? ["hoplimit", "icmpv6 type packet-too-big"]
      : ["ttl", "icmp type destination-unreachable icmp code frag-needed"]
  return [
    "  chain arriving {",
    "    type filter hook prerouting priority raw; policy accept;",
    ...others.map((peer) => {
      const whose = `${ip} saddr ${peer} ${ip} ${hops} 255 ${ip} dscp ${mark(peer)}`
      return `    ${whose} udp dport ${BFD_PORT} update @${heard(peer)} { iif }`
    }),
    `    ${ip} daddr { ${vips} } tcp flags & syn == 0 jump belonging`,
    `    ${ip} daddr { ${vips} } ${tooBig} jump telling`,
    "  }",
    "",
    "  chain belonging {",
    "    # A socket that listens, or none at all: it is another's.",
    "    socket wildcard 1 goto elsewhere",
    "    # Any other socket is a connection of its own, which may be half open or in TIME-WAIT.",
    "    socket transparent 0 return",
    "    socket transparent 1 return",
    "    goto elsewhere",
    "  }",
  ]
}

function telling({ ip, own, others, marks, mark }: Ring): string[] {
  return [
    "  # That a packet was too big for its way is news for whoever sent it: all are told, once.",
    "  chain telling {",
    `    ${ip} dscp { ${marks.join(", ")} } return`,
    `    limit rate over ${MOST_NEWS_PER_SECOND}/second burst ${MOST_NEWS_PER_SECOND} packets return`,
    `    ${ip} dscp set ${mark(own)}`,
    ...others.map((peer) => `    iif @${heard(peer)} dup to ${peer}`),
    "  }",
  ]
}

function elsewhere({ ip, own, others, marks, mark }: Ring): string[] {
  const hops = ip === "ip6" ? "hoplimit" : "ttl"
  return [
    "  chain elsewhere {",
    "    # It has been round; or it comes from one who cannot have it back.",
    `    ${ip} dscp ${mark(own)} return`,
    ...others.map((peer) => `    ${ip} dscp ${mark(peer)} iif != @${heard(peer)} return`),
    "    # Each round takes one, and below zero it would begin anew.",
    `    ${ip} ${hops} < ${LEAST_HOPS} return`,
    `    limit rate over ${MOST_PER_SECOND}/second burst ${MOST_AT_ONCE} packets return`,
    `    ${ip} dscp != { ${marks.join(", ")} } ${ip} dscp set ${mark(own)}`,
    ...others.map((peer) => `    iif @${heard(peer)} dup to ${peer} drop`),
    "  }",
  ]
}

/** One of the sixteen code points xxxx11. */
function markOf(place: number): string {
  return `0x${((place << 2) | 3).toString(16).padStart(2, "0")}`
}

function heard(peer: string): string {
  return `heard_${peer.replaceAll(/[.:]/g, "_")}`
}
