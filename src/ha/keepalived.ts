/**
 * The configuration of keepalived for one node of a group: VRRP version 3 among known peers, the address held by one of
 * them, given up by whoever's watcher says fault.
 *
 * Why so: a tracked file is seen at once, where a script runs once a second at best; adverts to known peers need no
 * multicast; version 3 has intervals below a second; nobody preempts unless it is wanted, for whenever the address
 * moves all open connections are cut. Priorities are high, for a standby waits the longer the lower its own is:
 * (256 - priority) / 256 of an interval. A file that is not there yet is made with a fault in it.
 */
import { BFD_MS } from "./stray-packets.ts"

export interface VrrpNode {
  readonly interface: string
  /** With prefix length: `10.0.0.100/24`. All of one family. */
  readonly vips: readonly string[]
  /** This node's own; null lets keepalived take the first of the interface. */
  readonly address: string | null
  readonly peers: readonly string[]
  readonly priority: number
  readonly state: "backup" | "master"
  /** A better node that is well again takes the address back. */
  readonly preempt: boolean
  readonly routerId: number
  readonly advertMs: number
  readonly trackFile: string
  /** The address stays on `lo` of every node, so that a node that gives it up can finish what it was answering. */
  readonly linger: boolean
  /** Where the rules of nftables are that `linger` needs: see second-chance.ts. */
  readonly rulesFile: string
}

/** A node that has just come back may have a cold cache, or leave again. */
const PREEMPT_DELAY_S = 5

export function keepalivedConf(node: VrrpNode): string {
  const { vips, peers, address, trackFile } = node
  const lines = [
    "# For keepalived 2.2 or later, made by: bunlb keepalived. See docs/high-availability.md",
    "global_defs {",
    "  vrrp_version 3",
    "  # Adverts and addresses before all else on a busy machine.",
    "  vrrp_priority -20",
    "  # Neighbours that have missed the news hear it again.",
    "  vrrp_garp_master_delay 1",
    "  vrrp_garp_master_refresh 60",
    ...rules(node),
    "}",
    "",
    "# 0: fine. 1: this node must not hold the address.",
    "track_file bunlb {",
    `  file "${trackFile}"`,
    "  weight 0",
    "  init_file 1",
    "}",
    "",
    ...lingering(node),
    "vrrp_instance bunlb {",
    `  state ${node.state.toUpperCase()}`,
    `  interface ${node.interface}`,
    `  virtual_router_id ${node.routerId}`,
    `  priority ${node.priority}`,
    `  advert_int ${node.advertMs / 1000}`,
    ...preemption(node),
    ...(address === null ? [] : [`  unicast_src_ip ${address}`]),
    "  unicast_peer {",
    ...peers.map((peer) => `    ${peer}`),
    "  }",
    "  virtual_ipaddress {",
    ...vips.map((vip) => `    ${vip}`),
    "  }",
    "  track_file {",
    "    bunlb",
    "  }",
    "}",
  ]
  return lines.join("\n")
}

/** Needs arp_ignore=1 and arp_announce=2, else a standby would claim the address. */
function lingering({ linger, vips, peers, address }: VrrpNode): string[] {
  if (!linger) return []
  const whole = vips.map((vip) => vip.replace(/\/\d+$/, vip.includes(":") ? "/128" : "/32"))
  return [
    "# On every node, beside the one that moves. Needs sysctls: see 90-bunlb-linger.conf",
    "static_ipaddress {",
    ...whole.map((vip) => `  ${vip} dev lo`),
    "}",
    "",
    "# Who is heard can be asked for the connections it had.",
    ...peers.flatMap((peer, index) => [
      `bfd_instance bunlb${index + 1} {`,
      `  neighbor_ip ${peer}`,
      ...(address === null ? [] : [`  source_ip ${address}`]),
      `  min_rx ${BFD_MS}`,
      `  min_tx ${BFD_MS}`,
      "  # Its own judgement is of no use here, and after a pause it would fall silent for longer.",
      "  multiplier 50",
      "}",
      "",
    ]),
  ]
}

function rules({ linger, rulesFile, vips }: VrrpNode): string[] {
  if (!linger) return []
  const family = vips.some((vip) => vip.includes(":")) ? "ip6" : "ip"
  return [
    "  bfd_priority -20",
    "  # By which connections outlive a move of their address.",
    "  script_user root",
    "  enable_script_security",
    `  startup_script "/usr/sbin/nft -f ${rulesFile}"`,
    `  shutdown_script "/usr/sbin/nft delete table ${family} bunlb_linger"`,
  ]
}

/** Who begins as master may not wait, says keepalived. */
function preemption({ preempt, state }: VrrpNode): string[] {
  if (!preempt) return ["  nopreempt"]
  return state === "master" ? [] : [`  preempt_delay ${PREEMPT_DELAY_S}`]
}

/**
 * This node and each of its peers, seen from itself; priorities fall by ten. The first is the best, so that the nodes
 * agree who goes first.
 */
export function wholeGroup<Node extends VrrpNode & { readonly address: string }>(
  first: Node,
): Node[] {
  const addresses = [first.address, ...first.peers]
  return addresses.map((address, index) => ({
    ...first,
    address,
    peers: addresses.filter((other) => other !== address),
    priority: first.priority - 10 * index,
    state: index === 0 ? first.state : "backup",
  }))
}
