/** Who is compared, and the web server behind them all. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { testCertificate, testKey } from "../../src/demo/test-certificate.ts"
import { caddyPeer, haproxyPeer, nginxPeer, originServer } from "./configurations.ts"
import type { OriginPorts, Setup } from "./configurations.ts"
import { freePort, Program } from "./program.ts"

export const peerNames = ["bunlb", "nginx", "haproxy", "caddy", "relay"] as const
export type PeerName = (typeof peerNames)[number]

export interface Place {
  /** A folder for configurations and whatever the programs want to write. */
  readonly folder: string
  /** As taskset takes them. */
  readonly cores: string
}

export interface Running {
  readonly port: number
  readonly program: Program
}

export interface Origin {
  readonly ports: OriginPorts
  readonly program: Program
}

interface Command {
  readonly command: readonly string[]
  /** A file that it reads. */
  readonly file?: readonly [name: string, text: string]
  readonly env?: Readonly<Record<string, string>>
}

export type PeerSetup = Pick<Setup, "tls" | "workers"> & {
  readonly origin: OriginPorts
  /** The executable to measure. */
  readonly executable: string
}

export async function startPeer(name: PeerName, setup: PeerSetup, place: Place): Promise<Running> {
  const port = freePort()
  const { command, file, env } = commandOf(name, port, setup, place.folder)
  if (file !== undefined) writeFileSync(join(place.folder, file[0]), file[1])
  return { port, program: await Program.start(name, command, place.cores, port, env) }
}

/** What it is started with, for the reader who wants to judge whether it is fair. */
export function describePeer(name: PeerName, setup: PeerSetup): string {
  const { command, file } = commandOf(name, 8080, setup, "FOLDER")
  const said = command
    .join(" ")
    .replace(setup.executable, "bunlb")
    .replace(import.meta.dir, "bench")
  return `${said.replace(process.execPath, "bun")}\n${file?.[1] ?? ""}`
}

function commandOf(name: PeerName, port: number, setup: PeerSetup, folder: string): Command {
  const { tls, workers, executable } = setup
  const origin = tls ? setup.origin.tls : setup.origin.plain
  const full: Setup = { port, origin, tls, workers, folder }
  switch (name) {
    case "bunlb": {
      const backend = `127.0.0.1:${origin}${tls ? ",tls" : ""}`
      const place = ["-h", "127.0.0.1", "-p", String(port), "-b", backend, "-w", String(workers)]
      const limits = ["--insecure", "--client-idle-timeout", "1h", "--pool-idle", "2048"]
      const admin = ["--admin", "127.0.0.1:0", "-l", "warn"]
      return { command: [executable, "run", ...place, "--no-pin", ...limits, ...admin] }
    }
    case "nginx":
      return {
        command: nginxCommand(folder, "nginx.conf"),
        file: ["nginx.conf", nginxPeer(full)],
      }
    case "haproxy":
      return {
        command: ["haproxy", "-db", "-f", join(folder, "haproxy.cfg")],
        file: ["haproxy.cfg", haproxyPeer(full)],
      }
    case "caddy":
      return {
        command: ["caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")],
        file: ["Caddyfile", caddyPeer(full)],
        env: { GOMAXPROCS: String(workers), HOME: folder },
      }
    case "relay": {
      const script = join(import.meta.dir, "relay.ts")
      return { command: [process.execPath, script, String(port), String(origin), String(tls)] }
    }
  }
}

/** Requests that the origin has answered so far, exact at any moment. */
export async function answeredBy({ ports }: Origin): Promise<number> {
  const status = await fetch(`http://127.0.0.1:${ports.plain}/status`)
  return Number(/^\s+\d+ \d+ (\d+)/m.exec(await status.text())?.[1])
}

/** A relay keeps a backend connection for each client, which 10,000 of them are too many for; and it is one thread. */
export function canServe(name: PeerName, idle: number, workers: number): boolean {
  return name !== "relay" || (idle === 0 && workers === 1)
}

/** Answers of each size, in nginx, with and without TLS. */
export async function startOrigin({ folder, cores }: Place): Promise<Origin> {
  const ports = { plain: freePort(), tls: freePort() }
  const half = "bunlb".repeat(200)
  const files: readonly (readonly [string, string | Buffer])[] = [
    ["16kb", Buffer.alloc(16_000, "bunlb")],
    ["100kb", Buffer.alloc(100_000, "bunlb")],
    ["1mb", Buffer.alloc(1_000_000, "bunlb")],
    ["chunked", `${half}<!--#include virtual="/small" -->${half}`],
    ["origin.pem", testCertificate],
    ["origin.key", testKey],
    ["origin.conf", originServer(ports, folder)],
  ]
  for (const [name, content] of files) writeFileSync(join(folder, name), content)
  const command = nginxCommand(folder, "origin.conf")
  return { ports, program: await Program.start("origin", command, cores, ports.plain) }
}

function nginxCommand(folder: string, name: string): string[] {
  return ["nginx", "-p", folder, "-e", "stderr", "-c", join(folder, name)]
}
