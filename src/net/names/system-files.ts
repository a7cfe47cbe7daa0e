/**
 * What this system says of names: /etc/hosts, /etc/resolv.conf and /etc/nsswitch.conf, read again whenever one of them
 * has changed, so that a network that comes up later, or another one, counts at once. Links are followed, and a file
 * that is replaced, missing or empty is taken as it is.
 *
 * Cost: each file is looked at (one stat) when a name is asked for, at most ten times a second.
 * Sources: resolv.conf(5), hosts(5), nsswitch.conf(5).
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs"
import { hostname } from "node:os"
import { parseIp } from "../ip/address.ts"
import type { AskRules } from "./dns-client.ts"
import type { NameServerAddress } from "./dns-server.ts"

const DNS_PORT = 53

export interface SystemPaths {
  readonly resolvConf: string
  readonly hosts: string
  readonly nsswitch: string
  /** Of the name servers in resolv.conf. */
  readonly port: number
}

export const systemPaths: SystemPaths = {
  resolvConf: "/etc/resolv.conf",
  hosts: "/etc/hosts",
  nsswitch: "/etc/nsswitch.conf",
  port: DNS_PORT,
}

export interface ResolvConf extends AskRules {
  /** Domains to complete a name with. */
  readonly search: readonly string[]
  /** A name with so many dots is first asked for as it is. */
  readonly ndots: number
}

export interface HostEntry {
  readonly ip: string
  readonly family: 4 | 6
}

const LOOK_MS = 100
const LARGEST = 32 * 1024 * 1024
const MOST_SERVERS = 8
const MOST_SEARCH = 32
const NONE: readonly HostEntry[] = []

type File = "resolvConf" | "hosts" | "nsswitch"

export class SystemFiles {
  readonly #paths: SystemPaths
  readonly #now: () => number
  #lookedAt = -Infinity
  readonly #seen: Record<File, string> = { resolvConf: "", hosts: "", nsswitch: "" }
  #resolvConf: ResolvConf = readResolvConf("", "", DNS_PORT)
  #hosts: ReadonlyMap<string, readonly HostEntry[]> = new Map()
  #hasOtherSources = false

  constructor(now: () => number, paths: SystemPaths = systemPaths) {
    this.#now = now
    this.#paths = paths
  }

  get resolvConf(): ResolvConf {
    this.#look()
    return this.#resolvConf
  }

  /** Whether nsswitch.conf names more than files and DNS: mDNS, LDAP, the machine's own name. */
  get hasOtherSources(): boolean {
    this.#look()
    return this.#hasOtherSources
  }

  /** The addresses that /etc/hosts gives a name. */
  hostEntries(name: string): readonly HostEntry[] {
    this.#look()
    return this.#hosts.get(name.replace(/\.$/, "").toLowerCase()) ?? NONE
  }

  #look(): void {
    const now = this.#now()
    if (now - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = now
    if (this.#changed("resolvConf")) {
      this.#resolvConf = readResolvConf(
        textOf(this.#paths.resolvConf),
        hostname(),
        this.#paths.port,
      )
    }
    if (this.#changed("hosts")) this.#hosts = readHosts(textOf(this.#paths.hosts))
    if (this.#changed("nsswitch")) this.#hasOtherSources = readSources(textOf(this.#paths.nsswitch))
  }

  #changed(file: File): boolean {
    const seen = identityOf(this.#paths[file])
    if (seen === this.#seen[file]) return false
    this.#seen[file] = seen
    return true
  }
}

/** Of the file at the end of all links. */
function identityOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return "none"
  }
}

/** Empty for what is no regular file, or cannot be read. */
function textOf(path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = fstatSync(fd)
      return stat.isFile() && stat.size <= LARGEST ? readFileSync(fd, "utf8") : ""
    } finally {
      closeSync(fd)
    }
  } catch {
    return ""
  }
}

/** Words of each line that says something; what follows `#` or `;` is a comment. */
function linesOf(text: string, comment: RegExp): string[][] {
  return text
    .split("\n")
    .map((line) => line.replace(comment, "").trim())
    .filter((line) => line !== "")
    .map((line) => line.split(/\s+/))
}

/** `host`: the name of this machine, whose domain counts when the file names none. */
function readResolvConf(text: string, host: string, port: number): ResolvConf {
  const servers: NameServerAddress[] = []
  let search = host.includes(".") ? [host.slice(host.indexOf(".") + 1)] : []
  const options = new Map<string, string>()
  // Domains and options are words; `;` or `#` at the beginning of one makes the rest a comment.
  for (const [key, ...words] of linesOf(text, /(^|\s)[#;].*$/)) {
    const [first = ""] = words
    if (key === "nameserver" && parseIp(first) !== null) servers.push({ host: first, port })
    else if (key === "search") search = words.slice(0, MOST_SEARCH)
    else if (key === "domain") search = words.slice(0, 1)
    else if (key === "options") {
      for (const word of words) {
        const [name = "", value = ""] = word.split(":")
        options.set(name, value)
      }
    }
  }
  // A file without servers means one on this machine.
  if (servers.length === 0) servers.push({ host: "127.0.0.1", port })
  return {
    servers: servers.slice(0, MOST_SERVERS),
    timeoutMs: number(options.get("timeout"), 2, 1, 5) * 1_000,
    attempts: number(options.get("attempts"), 2, 1, 5),
    tcp: options.has("use-vc"),
    rotate: options.has("rotate"),
    search: search.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== ""),
    ndots: number(options.get("ndots"), 1, 0, 15),
  }
}

function number(text: string | undefined, usual: number, least: number, most: number): number {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return usual
  return Math.min(Math.max(Number(text), least), most)
}

function readHosts(text: string): ReadonlyMap<string, readonly HostEntry[]> {
  const hosts = new Map<string, HostEntry[]>()
  for (const [ip = "", ...names] of linesOf(text, /#.*$/)) {
    const parsed = parseIp(ip)
    if (parsed === null) continue
    for (const name of names) {
      const key = name.replace(/\.$/, "").toLowerCase()
      const entries = hosts.get(key) ?? []
      if (!entries.some((entry) => entry.ip === ip)) entries.push({ ip, family: parsed.family })
      hosts.set(key, entries)
    }
  }
  return hosts
}

/** `hosts: files mdns4_minimal [NOTFOUND=return] dns` has others; without the line there are none. */
function readSources(text: string): boolean {
  const line = linesOf(text, /#.*$/).find(([key]) => key === "hosts:")
  const sources = (line ?? []).slice(1).filter((word) => /^[a-z]/i.test(word))
  return sources.some((source) => source !== "files" && source !== "dns")
}
