/** `bunlb keepalived`: prints the configuration of keepalived for this node, or writes those of the whole group. */
import { closeSync, constants, mkdirSync, writeFileSync } from "node:fs"
import { isIP } from "node:net"
import { join } from "node:path"
import { listenHost, network } from "../config/schema/address.ts"
import { openPlainFile } from "../config/file/plain-file.ts"
import type { ValueType } from "../config/schema/setting.ts"
import {
  boolean,
  duration,
  integer,
  list,
  oneOf,
  optional,
  shown,
  text,
} from "../config/schema/value-types.ts"
import { keepalivedConf, wholeGroup } from "../ha/keepalived.ts"
import type { VrrpNode } from "../ha/keepalived.ts"
import { MOST_LINGERING, strayPacketRules } from "../ha/stray-packets.ts"
import { BunlbError } from "../core/errors.ts"
import { fileFault } from "../core/file-fault.ts"
import { command } from "./command.ts"
import { readOptions, usageError, type Option, type OptionsOf } from "./flags.ts"
import { absolutePath, trackFileOption } from "./watch-over.ts"

const { O_WRONLY, O_CREAT, O_TRUNC } = constants

interface KeepalivedOptions {
  readonly vips: readonly string[]
  readonly interface: string | null
  readonly address: string | null
  readonly peers: readonly string[]
  readonly priority: number
  readonly state: "backup" | "master"
  readonly preempt: boolean
  readonly routerId: number
  readonly advert: number
  readonly trackFile: string
  readonly linger: boolean
  readonly rulesFile: string
  readonly rules: boolean
  readonly write: string | null
}

const vip: ValueType<string> = {
  ...network,
  placeholder: "ADDR/LEN",
  expects: "an address with its prefix length such as 10.0.0.100/24",
  read(input, refuse) {
    const read = network.read(input, () => undefined)
    if (read?.includes("/")) return read
    return refuse(`expected ${vip.expects}, got ${shown(input)}`)
  },
}

const address: ValueType<string> = { ...listenHost, placeholder: "ADDR" }
/** Adverts are counted in hundredths of a second. */
const ADVERT_UNIT_MS = 10

const RULES_FILE = "/etc/keepalived/bunlb-linger.nft"

function option<T>(name: string, type: ValueType<T>, fallback: T, help: string): Option<T> {
  const defaultText = type.format(fallback)
  return { name, type, help, default: fallback, defaultText, group: "Flags" }
}

const options: OptionsOf<KeepalivedOptions> = {
  vips: {
    ...option("vip", list(vip, 20), [], "Address that clients know; repeat for more"),
    defaultText: "none",
  },
  interface: option(
    "interface",
    optional(text(/^[^\s/"]{1,15}$/, "the name of an interface such as eth0", "IF"), "none"),
    null,
    "Where it is added, and where the nodes hear each other",
  ),
  peers: {
    ...option("peer", list(address, 20), [], "Own address of another node; repeat for more"),
    defaultText: "none",
  },
  address: option(
    "address",
    optional(address, "the first of the interface"),
    null,
    "This node's own address",
  ),
  priority: option("priority", integer(1, 254), 250, "Who is well and has the highest goes first"),
  state: option("state", oneOf(["backup", "master"]), "backup", "How keepalived begins"),
  preempt: option("preempt", boolean, false, "A better node that is well again takes it back"),
  routerId: option("router-id", integer(1, 255), 51, "Number of the group, unique in its network"),
  advert: option("advert", duration(ADVERT_UNIT_MS, 10_000), 100, "Time between two signs of life"),
  trackFile: trackFileOption,
  linger: option(
    "linger",
    boolean,
    false,
    "Open connections survive a move; needs nft and sysctls",
  ),
  rulesFile: option(
    "rules-file",
    absolutePath(RULES_FILE),
    RULES_FILE,
    "Where keepalived finds the rules that --linger needs",
  ),
  rules: option("rules", boolean, false, "Print these rules in the place of the configuration"),
  write: option(
    "write",
    optional(text(/./, "the name of a folder", "FOLDER"), "none"),
    null,
    "Write the files of this node and of all its peers, instead of printing this one",
  ),
}

export const keepalived = command({
  name: "keepalived",
  description: "Print a configuration of keepalived for this node",
  usage: "keepalived --vip ADDR/LEN --interface IF --peer ADDR [flags]",
  flags: Object.values(options),
  examples: [
    "bunlb keepalived --vip 10.0.0.100/24 --interface eth0 --peer 10.0.0.12 > keepalived.conf",
    "bunlb keepalived --vip fd00::100/64 --interface eth0 --peer fd00::12 --preempt",
  ],
  async run(typed, terminal) {
    const asked = readOptions(typed, options)
    const { interface: name, write } = asked
    judge(asked)
    const node = { ...asked, interface: name ?? "", advertMs: asked.advert }
    // Where it is null none of these is wanted: see judge.
    const known = { ...node, address: asked.address ?? "" }
    if (asked.rules) terminal.out(strayPacketRules(known))
    else if (write === null) terminal.out(keepalivedConf(node))
    else for (const file of writeAll(write, known)) terminal.out(file)
    return 0
  },
})

/** Throws `BunlbError` for what no keepalived could do. */
function judge({
  vips,
  peers,
  state,
  preempt,
  advert,
  priority,
  ...asked
}: KeepalivedOptions): void {
  if (vips.length === 0) throw usageError("--vip is missing: --vip 10.0.0.100/24")
  if (asked.interface === null) throw usageError("--interface is missing: --interface eth0")
  if (peers.length === 0) throw usageError("--peer is missing: the own address of the other node")
  const own = asked.address === null ? [] : [asked.address]
  const families = [...vips, ...peers, ...own].map((each) => isIP(each.split("/")[0] ?? ""))
  if (new Set(families).size > 1) {
    throw usageError("--vip, --peer and --address must all be IPv4 or all IPv6")
  }
  if (new Set([...peers, ...own]).size < peers.length + own.length) {
    throw usageError("--peer and --address: one of them is there twice")
  }
  const nodes = new Set([...peers, ...own])
  const shared = vips.find((each) => nodes.has(each.split("/")[0] ?? ""))
  if (shared !== undefined) {
    throw usageError(`--vip: ${shared} is a node's own address, which does not move`)
  }
  if (advert % ADVERT_UNIT_MS !== 0) {
    throw usageError(`--advert: ${advert}ms is not a whole number of ${ADVERT_UNIT_MS} ms`)
  }
  if (state === "master" && !preempt) {
    throw usageError("--state master needs --preempt: who does not preempt begins as backup")
  }
  if (asked.rules && !asked.linger) throw usageError("--rules needs --linger: only that has rules")
  if (asked.linger && asked.address === null) {
    throw usageError("--linger needs --address, this node's own")
  }
  const linkLocal = [...peers, ...own].find((each) => /^fe[89ab]/i.test(each))
  if (asked.linger && linkLocal !== undefined) {
    throw usageError(`--linger: ${linkLocal} is of one link only: take an address with a route`)
  }
  if (asked.linger && peers.length >= MOST_LINGERING) {
    throw usageError(`--linger: at most ${MOST_LINGERING} nodes`)
  }
  if (asked.write === null) return
  if (asked.address === null) throw usageError("--write needs --address, this node's own")
  if (priority <= 10 * peers.length) {
    throw usageError(`--priority: ${priority} is too low for ${peers.length} peers, ten apart`)
  }
}

function writeAll(folder: string, first: VrrpNode & { readonly address: string }): string[] {
  try {
    mkdirSync(folder, { recursive: true })
    return wholeGroup(first).flatMap((node) => {
      const files = [[`keepalived-${node.address}.conf`, keepalivedConf(node)]]
      if (node.linger) files.push([`bunlb-linger-${node.address}.nft`, strayPacketRules(node)])
      return files.map(([name = "", content = ""]) => {
        const file = join(folder, name)
        const fd = openPlainFile(file, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        writeFileSync(fd, `${content}\n`)
        closeSync(fd)
        return file
      })
    })
  } catch (error) {
    const message = `--write ${folder}: cannot be written: ${fileFault(error)}`
    throw new BunlbError("BUNLB_E_CONFIG", message)
  }
}
