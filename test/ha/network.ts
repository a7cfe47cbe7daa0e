/**
 * A small network of its own: hosts as network namespaces on one switch, which is a bridge in another namespace. The
 * machine's own interfaces are not touched. Needs root. Use `await using`: what runs in it ends with it.
 */
import { find } from "../matrix/programs.ts"
import { atEnd } from "../support/at-end.ts"
import { BunlbProcess } from "../support/processes.ts"

const prefix = "10.77.0"
let made = 0

export class Network implements AsyncDisposable {
  readonly #tag = `bunlb${process.pid}-${++made}`
  readonly #hosts = new Map<string, string>()
  readonly #processes: AsyncDisposable[] = []
  readonly #forget: () => void

  constructor() {
    this.#forget = atEnd(() => this.#remove())
    this.#space("switch")
    this.ip("switch", "link add br0 type bridge forward_delay 0")
    this.ip("switch", "link set br0 up")
  }

  /** What stands in the way of such networks here, or null. */
  static obstacle(): string | null {
    if (process.platform !== "linux") return "network namespaces are Linux's"
    if (process.getuid?.() !== 0) return "network namespaces need root"
    if (Bun.which("ip") === null) return "ip is not installed (Debian: iproute2)"
    const name = `bunlb${process.pid}-try`
    const commands = [
      `netns add ${name}`,
      `-n ${name} link add br0 type bridge`,
      `-n ${name} link add v0 type veth peer name v1`,
    ]
    const fault = commands.map((line) => tryIp(line)).find((each) => each !== "")
    tryIp(`netns del ${name}`)
    return fault === undefined ? null : `no network namespaces here: ${fault.split("\n")[0]}`
  }

  /** A host at 10.77.0.`last`, whose interface is eth0. */
  host(name: string, last: number): string {
    const address = `${prefix}.${last}`
    const space = this.#space(name)
    const far = this.#name("switch")
    ip(`-n ${far} link add ${name} type veth peer name eth0 netns ${space}`)
    ip(`-n ${far} link set ${name} master br0 up`)
    this.ip(name, `addr add ${address}/24 dev eth0`)
    this.ip(name, "link set eth0 up")
    return address
  }

  /** `ip` as typed on a host; gives what it printed. */
  ip(host: string, line: string): string {
    return ip(`-n ${this.#name(host)} ${line}`)
  }

  sysctl(host: string, setting: string): void {
    const line = ["ip", "netns", "exec", this.#name(host), "sysctl", "-qw", setting]
    const { exitCode, stderr } = Bun.spawnSync(line)
    if (exitCode !== 0) throw new Error(`sysctl ${setting}: ${stderr.toString().trim()}`)
  }

  /** Pulls the host's cable, or puts it back. */
  cable(host: string, state: "up" | "down"): void {
    this.ip("switch", `link set ${host} ${state}`)
  }

  has(host: string, address: string): boolean {
    return this.ip(host, "-o addr show dev eth0").includes(` ${address}/`)
  }

  /** What nftables has. */
  async rules(host: string): Promise<string> {
    const listed = this.run(host, [find("nft") ?? "nft", "list", "ruleset"])
    await listed.exited()
    return listed.lines.join("\n")
  }

  run(host: string, command: readonly string[]): BunlbProcess {
    const line = ["ip", "netns", "exec", this.#name(host), ...command]
    const started = new BunlbProcess(line, { env: { NO_PROXY: "*" } })
    this.#processes.push(started)
    return started
  }

  #name(host: string): string {
    return this.#hosts.get(host) ?? `${this.#tag}-${host}`
  }

  #space(name: string): string {
    const space = `${this.#tag}-${name}`
    ip(`netns add ${space}`)
    this.#hosts.set(name, space)
    ip(`-n ${space} link set lo up`)
    return space
  }

  #remove(): void {
    for (const space of this.#hosts.values()) tryIp(`netns del ${space}`)
    this.#hosts.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((each) => each[Symbol.asyncDispose]()))
    this.#remove()
    this.#forget()
  }
}

function ip(line: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["ip", ...line.split(" ")])
  if (exitCode !== 0) throw new Error(`ip ${line}: ${stderr.toString().trim()}`)
  return stdout.toString()
}

/** What it complained of, or nothing. */
function tryIp(line: string): string {
  const { exitCode, stderr } = Bun.spawnSync(["ip", ...line.split(" ")])
  return exitCode === 0 ? "" : stderr.toString().trim() || `exit code ${exitCode}`
}
