/**
 * A real DNS server, Debian's dnsmasq, on a port of its own, whose answers a test changes while it runs. Addresses
 * change at once (it watches a folder); SRV records by a new server at the same port. Use `await using`.
 */
import { Resolver } from "node:dns/promises"
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Subprocess } from "bun"
import { atEnd } from "./at-end.ts"
import { PATIENCE_MS, until } from "./until.ts"

/** Names and their addresses. */
export type Zone = Readonly<Record<string, readonly string[]>>

/** `name,target,port,priority,weight`, as dnsmasq's --srv-host takes it. */
export type Services = readonly string[]

const program = Bun.which("dnsmasq", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` })
export const hasNameServer = program !== null

const running = new Set<NameServer>()
atEnd(() => {
  for (const server of running) server.end()
})

const READY = "ready.test"
const READY_ADDRESS = "192.0.2.53"

export class NameServer implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #ttl: number
  #child: Subprocess | null = null

  private constructor(port: number, folder: string, ttl: number) {
    this.port = port
    this.#folder = folder
    this.#ttl = ttl
  }

  /** `ttl` in seconds. */
  static async start(ttl: number, zone: Zone, services: Services = []): Promise<NameServer> {
    const folder = mkdtempSync(join(tmpdir(), "bunlb-names-"))
    mkdirSync(join(folder, "hosts"))
    const server = new NameServer(await refusedPort(), folder, ttl)
    running.add(server)
    server.say(zone)
    await server.serve(services)
    return server
  }

  /** As `dns.servers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Other addresses from now on. */
  say(zone: Zone): void {
    const lines = Object.entries({ ...zone, [READY]: [READY_ADDRESS] }).flatMap(([name, all]) =>
      all.map((address) => `${address} ${name}\n`),
    )
    // A file that comes by renaming is never read half.
    const fresh = join(this.#folder, "fresh")
    writeFileSync(fresh, lines.join(""))
    renameSync(fresh, join(this.#folder, "hosts", "zone"))
  }

  /** Begins to answer, or answers by other SRV records. */
  async serve(services: Services = []): Promise<void> {
    await this.silence()
    const flags = [
      ...["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"],
      ...["--log-facility=-", "--pid-file=", "--user=", "--local=/test/", "--bind-interfaces"],
      ...["--listen-address=127.0.0.1", `--port=${this.port}`, `--local-ttl=${this.#ttl}`],
      `--hostsdir=${join(this.#folder, "hosts")}`,
      ...services.map((record) => `--srv-host=${record}`),
    ]
    this.#child = Bun.spawn([program ?? "dnsmasq", ...flags], {
      stdio: ["ignore", "ignore", "ignore"],
    })
    const client = new Resolver({ timeout: 200, tries: 1 })
    client.setServers([this.address])
    const answers = (): Promise<boolean> =>
      client.resolve4(READY).then(
        () => true,
        () => false,
      )
    await until(answers, PATIENCE_MS, "dnsmasq to answer")
  }

  /** Answers nobody any more. */
  async silence(): Promise<void> {
    this.#child?.kill("SIGKILL")
    await this.#child?.exited
    this.#child = null
  }

  /** At once, and nothing stays behind. */
  end(): void {
    this.#child?.kill("SIGKILL")
    rmSync(this.#folder, { recursive: true, force: true })
    running.delete(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.silence()
    this.end()
  }
}

/** For UDP and TCP, and below those that the kernel gives to others meanwhile. */
async function refusedPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    try {
      ;(await Bun.udpSocket({ hostname: "127.0.0.1", port })).close()
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true)
      return port
    } catch {
      // Somebody has it.
    }
  }
}
