/**
 * Two balancers with keepalived and a watcher each, two backends and a client, in a network of their own; and what can
 * befall the balancer that holds the address. Use `await using`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { keepalivedConf, wholeGroup } from "../../src/ha/keepalived.ts"
import { strayPacketRules } from "../../src/ha/stray-packets.ts"
import type { VrrpNode } from "../../src/ha/keepalived.ts"
import { find } from "../matrix/programs.ts"
import { BunlbProcess } from "../support/processes.ts"
import { root } from "../support/source.ts"
import { until } from "../support/until.ts"
import { Network } from "./network.ts"
import { AT_ONCE_MS, felt } from "./outage.ts"
import type { Asked, Felt, Losses } from "./outage.ts"

export const VIP = "10.77.0.100"
const PORT = "80"
const START_MS = 20_000
const EVERY_MS = 5
const FIRST_PORT = 10_000
const PORTS = 2_000
const PORT_SPANS = 26
/** TIME-WAIT of Linux, and as long as a test at most. */
const FORGOTTEN_MS = 80_000
/** Before and after what happens. */
const BEFORE_MS = 350
const AFTER_MS = 700

const executable = process.env["BUNLB_TEST_EXECUTABLE"]
const bunlb = executable ? [executable] : [process.execPath, join(root, "src", "main.ts")]

/** As the units in scripts/deploy/keepalived have it: before all that is not needed to balance. */
const first = (niceness: number): string[] => ["nice", "-n", String(niceness)]

type OwnNode = VrrpNode & { readonly address: string }

export class Balancer {
  #main: BunlbProcess | null = null
  watcher: BunlbProcess | null = null
  keepalived: BunlbProcess | null = null

  constructor(
    readonly network: Network,
    readonly name: string,
    readonly folder: string,
    readonly vrrp: OwnNode | null,
  ) {}

  get holds(): boolean {
    return this.network.has(this.name, VIP)
  }

  get fault(): boolean {
    return readFileSync(this.trackFile, "utf8") !== "0\n"
  }

  get trackFile(): string {
    return join(this.folder, `${this.name}.fault`)
  }

  get master(): number {
    return this.#main?.pid ?? 0
  }

  get workers(): number[] {
    return childrenOf(this.master)
  }

  async startBunlb(): Promise<void> {
    const backends = ["-b", "10.77.0.20:9001", "-b", "10.77.0.20:9002"]
    const flags = ["-p", PORT, "-w", "2", "--no-pin", "--admin", "127.0.0.1:9900"]
    this.#main = this.network.run(this.name, [...first(-5), ...bunlb, ...flags, ...backends])
    await this.#main.line(/ admin http:/, START_MS)
  }

  async startWatcher(): Promise<void> {
    const flags = ["-p", PORT, "--admin", "127.0.0.1:9900", "--track-file", this.trackFile]
    this.watcher = this.network.run(this.name, [...first(-10), ...bunlb, "watch", ...flags])
    await this.watcher.line(/watches /, START_MS)
  }

  startKeepalived(): void {
    if (this.vrrp === null) return
    const file = (end: string): string => join(this.folder, `${this.name}.${end}`)
    const node = { ...this.vrrp, rulesFile: file("nft") }
    writeFileSync(file("conf"), keepalivedConf(node))
    writeFileSync(node.rulesFile, strayPacketRules(node))
    // One that was killed has left them, and the next would think that it still runs.
    for (const end of ["pid", "vrrp.pid", "bfd.pid"]) rmSync(file(end), { force: true })
    const place = [
      "-f",
      file("conf"),
      "-p",
      file("pid"),
      "-r",
      file("vrrp.pid"),
      "-b",
      file("bfd.pid"),
    ]
    const program = find("keepalived") ?? "keepalived"
    this.keepalived = this.network.run(this.name, [program, "-n", "-l", "-D", ...place])
  }

  signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) process.kill(pid, signal)
  }

  /** As SIGKILL by the kernel's out-of-memory killer would. */
  async kill(): Promise<void> {
    this.#main?.kill("SIGKILL")
    await this.#main?.exited()
  }

  async ended(ms: number): Promise<void> {
    await this.#main?.exited(ms)
  }

  /** SIGTERM gives the address up; SIGKILL, of it and its child, leaves it where it is. */
  async stopKeepalived(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { keepalived } = this
    if (keepalived === null) return
    this.keepalived = null
    if (signal === "SIGKILL") this.signal(childrenOf(keepalived.pid), signal)
    keepalived.kill(signal)
    await keepalived.exited()
  }
}

interface PairOptions {
  /** An answer that takes longer is no service. */
  readonly atOnceMs?: number
  /** These as the flags of `bunlb keepalived`. */
  readonly preempt?: boolean
  readonly linger?: boolean
}

export class Pair implements AsyncDisposable {
  readonly balancers: readonly [Balancer, Balancer]
  readonly #atOnceMs: number
  #felt = 0
  readonly #freshAt: number[] = []

  private constructor(
    readonly network: Network,
    readonly folder: string,
    balancers: readonly [Balancer, Balancer],
    atOnceMs: number,
  ) {
    this.balancers = balancers
    this.#atOnceMs = atOnceMs
  }

  /** `vrrp` changes what `bunlb keepalived` has by default; null: without keepalived. */
  static async start(vrrp: PairOptions | null = {}): Promise<Pair> {
    const network = new Network()
    const folder = mkdtempSync(join(tmpdir(), "bunlb-ha-"))
    const [one, two] = ["one", "two"].map((name, index) => network.host(name, 11 + index))
    for (const name of vrrp?.linger === true ? ["one", "two"] : []) {
      network.sysctl(name, "net.ipv4.conf.all.arp_ignore=1")
      network.sysctl(name, "net.ipv4.conf.all.arp_announce=2")
    }
    network.host("backends", 20)
    network.host("client", 30)
    const nodes = wholeGroup({
      ...{ priority: 250, state: "backup" as const, routerId: 51, advertMs: 100 },
      preempt: vrrp?.preempt ?? false,
      linger: vrrp?.linger ?? false,
      ...{ interface: "eth0", vips: [`${VIP}/24`], address: one ?? "", peers: [two ?? ""] },
      trackFile: "",
      rulesFile: "",
    })
    const [first, second] = ["one", "two"].map((name, index) => {
      const node = nodes[index]
      const trackFile = join(folder, `${name}.fault`)
      const known = vrrp === null || node === undefined ? null : { ...node, trackFile }
      return new Balancer(network, name, folder, known)
    })
    if (first === undefined || second === undefined) throw new Error("two names, two balancers")
    const pair = new Pair(network, folder, [first, second], vrrp?.atOnceMs ?? AT_ONCE_MS)
    try {
      await pair.#startAll()
    } catch (error) {
      await pair[Symbol.asyncDispose]()
      throw error
    }
    return pair
  }

  async #startAll(): Promise<void> {
    const backends = ["9001", "9002"].map((port) =>
      this.network.run("backends", [...bunlb, "backend", "-h", "10.77.0.20", "-p", port]),
    )
    await Promise.all(backends.map((each) => each.line(/listening/, START_MS)))
    await Promise.all(
      this.balancers.map(async (each) => {
        await each.startBunlb()
        await each.startWatcher()
      }),
    )
    const well = (): boolean => this.balancers.every(({ fault }) => !fault)
    await until(well, START_MS, "both to be well")
    if (this.balancers[0].vrrp === null) return
    for (const each of this.balancers) each.startKeepalived()
    await this.roles()
    if (!this.balancers[0].vrrp.linger) return
    // BFD begins slowly, at one packet a second.
    const heard = async (): Promise<boolean> => {
      const all = await Promise.all(this.balancers.map(({ name }) => this.network.rules(name)))
      return all.every((rules) => rules.includes("expires"))
    }
    await until(heard, START_MS, "each to hear the other")
  }

  /** Waits until both are well and exactly one holds the address: that one, and the other. */
  async roles(): Promise<[active: Balancer, standby: Balancer]> {
    const [one, two] = this.balancers
    const settled = (): boolean => !one.fault && !two.fault && one.holds !== two.holds
    await until(settled, START_MS, "both to be well and one of them to hold the address")
    return two.holds ? [two, one] : [one, two]
  }

  /** What a client feels while `event` happens and until `over` holds, and a little longer. */
  async feel(
    event: () => void | Promise<void>,
    over: () => boolean,
    { hosts = VIP, path = "/" }: { hosts?: string; path?: string } = {},
  ): Promise<Felt> {
    const client = await this.#client("client.ts", hosts, PORT, String(EVERY_MS), path)
    await Bun.sleep(BEFORE_MS)
    await event()
    await until(over, START_MS, "the end of what was to happen")
    await Bun.sleep(AFTER_MS)
    return felt(await this.#toldBy(client), this.#atOnceMs)
  }

  /** The same, and what becomes of exchanges that are under way all the time. */
  async feelAll(
    event: () => void | Promise<void>,
    over: () => boolean,
  ): Promise<Felt & { underWay: Losses }> {
    await this.#freshPorts()
    const long = await this.#client("long-client.ts", VIP, PORT)
    const feeling = await this.feel(event, over)
    return { ...feeling, underWay: felt(await this.#toldBy(long)) }
  }

  /**
   * Ports that the client has not used for a minute. Where the address moves to and fro faster than that, the node it
   * comes to may still keep the end of an old connection (TIME-WAIT) of the same two ends as one that is to go on.
   */
  async #freshPorts(): Promise<void> {
    const span = this.#felt++ % PORT_SPANS
    await Bun.sleep(Math.max(0, (this.#freshAt[span] ?? 0) - performance.now()))
    this.#freshAt[span] = performance.now() + FORGOTTEN_MS
    const first = FIRST_PORT + span * PORTS
    this.network.sysctl("client", `net.ipv4.ip_local_port_range=${first} ${first + PORTS - 1}`)
  }

  async #client(program: string, ...flags: string[]): Promise<BunlbProcess> {
    const line = [process.execPath, join(import.meta.dir, program), ...flags]
    const client = this.network.run("client", line)
    await client.line(/^asks$/, START_MS)
    return client
  }

  async #toldBy(client: BunlbProcess): Promise<Asked[]> {
    client.kill("SIGTERM")
    const [line] = await client.line(/^\[.*\]$/, START_MS)
    await client.exited()
    return JSON.parse(line) as Asked[]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Killed, it would leave its own child behind.
    await Promise.all(this.balancers.map((each) => each.stopKeepalived("SIGTERM")))
    await this.network[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
  return list.split(" ").filter(Boolean).map(Number)
}
