/** What makes no sense about listeners and pools together, such as a listener whose pool is not there. */
import type { FileFormat } from "./file/config-tree.ts"
import { recordsIn } from "./records.ts"
import { formatListen, overlaps } from "./schema/listen-address.ts"
import type { NamedRecord } from "./schema/named-records.ts"
import { DEFAULT_NAME } from "./schema/pools.ts"
import type { SettingKey } from "./schema/setting.ts"
import type { BackendSettings, ListenAddress } from "./schema/settings.ts"
import { didYouMean } from "./schema/spelling.ts"

type Say = (path: string, message: string) => void

/** Everything that was said, by key, and by path inside the records of a file. */
export interface Said {
  readonly values: ReadonlyMap<SettingKey, unknown>
  readonly origins: ReadonlyMap<string, string>
  /** In which a line that is to be written has to be. */
  readonly format: FileFormat
  /** Whether all of it was read; what had a fault is not among the values. */
  readonly whole: boolean
}

const DEFAULT = "default"
const FLAG = "--"

/** One line for each fault, those of a file in the order of the file. */
export function recordFaults(said: Said): readonly string[] {
  const faults: { where: string; message: string }[] = []
  const say: Say = (path, message) => void faults.push({ where: whereOf(path, said), message })
  sayTwoWays(said, say)
  sayAddresses(recordsIn(said.values, "listeners"), say)
  if (said.whole) sayMissingPools(said, say)
  return faults
    .toSorted((a, b) => lineOf(a.where) - lineOf(b.where))
    .map(({ where, message }) => `${where}: ${message}`)
}

/** The address and the backends of what is named default can be said in two ways, of which one has to be chosen. */
function sayTwoWays({ values, origins, format }: Said, say: Say): void {
  const both = (["port", "host"] as const).filter((key) => origins.get(key) !== DEFAULT)
  const [said] = both
  if (recordsIn(values, "listeners").length > 0 && said !== undefined) {
    const host = origins.get("host") === DEFAULT ? "" : String(values.get("host"))
    const address = formatListen({ host, port: Number(values.get("port")) })
    const isFlag = origins.get(said)?.startsWith(FLAG)
    const line = isFlag
      ? `--listen ${DEFAULT_NAME}=${address}`
      : pair(format, DEFAULT_NAME, address)
    say(said, `beside listeners write ${line} among them instead of ${both.join(" and ")}`)
  }
  const isPool = recordsIn(values, "pools").some(({ name }) => name === DEFAULT_NAME)
  if (isPool && flatBackends(values).length > 0) {
    say(
      "backends",
      "these are the backends of the pool default, which is among pools too: keep one",
    )
  }
}

function sayAddresses(listeners: readonly NamedRecord[], say: Say): void {
  for (const [at, { name, values }] of listeners.entries()) {
    const address = values["address"] as ListenAddress
    if ("host" in address && values["socket_mode"]) {
      say(`listeners.${name}.socket_mode`, "only a unix socket has permissions, such as unix:/PATH")
    }
    const same = listeners
      .slice(0, at)
      .find((other) => overlaps(address, other.values["address"] as ListenAddress))
    if (same === undefined) continue
    const [here, there] = [address, same.values["address"] as ListenAddress].map(formatListen)
    const fault =
      here === there
        ? `${here} is the address of listener ${same.name} as well`
        : `${here} and ${there} of listener ${same.name} have addresses in common`
    say(`listeners.${name}.address`, fault)
  }
}

function sayMissingPools({ values, origins, format }: Said, say: Say): void {
  const listeners = recordsIn(values, "listeners")
  const names = recordsIn(values, "pools").map(({ name }) => name)
  if (flatBackends(values).length > 0 || names.length === 0) names.unshift(DEFAULT_NAME)
  const [first = ""] = names
  for (const { name, values: own } of listeners) {
    const pool = String(own["pool"] ?? DEFAULT_NAME)
    if (names.includes(pool)) continue
    if (own["pool"] !== undefined) {
      const advice = didYouMean(pool, names) || `, there are ${names.join(", ")}`
      say(`listeners.${name}.pool`, `there is no pool ${pool}${advice}`)
      continue
    }
    const isFlag = origins.get("listeners")?.startsWith(FLAG)
    const line = isFlag ? `,pool=${first}` : pair(format, "pool", first)
    say(`listeners.${name}`, `no pool is called default, name the one that serves it: ${line}`)
  }
  if (listeners.length > 0 || names.includes(DEFAULT_NAME)) return
  const line = origins.get("pools")?.startsWith(FLAG)
    ? `--listen :8080,pool=${first}`
    : `a listener with ${pair(format, "address", ":8080")} and ${pair(format, "pool", first)}`
  say("pools", `no pool is called default and no listener names one, add ${line}`)
}

function flatBackends(values: Said["values"]): readonly BackendSettings[] {
  return values.get("backends") as readonly BackendSettings[]
}

function pair(format: FileFormat, key: string, value: string): string {
  const quoted = JSON.stringify(value)
  if (format === "toml") return `${key} = ${quoted}`
  return format === "json" ? `"${key}": ${quoted}` : `${key}: ${quoted}`
}

/** `config: bunlb.yaml:3:1: port`, `environment: BUNLB_PORT`, `--port`: where it was said. */
function whereOf(path: string, { origins }: Said): string {
  const [key = "", name] = path.split(".")
  const outer = origins.get(key) ?? ""
  // What a flag or a variable says has no place inside.
  const inside = name === undefined ? "" : `: ${key.slice(0, -1)} ${name}`
  if (outer.startsWith(FLAG)) return outer + inside
  if (/^BUNLB_[A-Z_]+$/.test(outer)) return `environment: ${outer}${inside}`
  return `config: ${origins.get(path) ?? origins.get(`${key}.${name}`) ?? outer}: ${path}`
}

/** What has no place comes last. */
function lineOf(where: string): number {
  const place = /:(\d+):(\d+): [^:]*$/.exec(where)
  return place === null ? Number.MAX_SAFE_INTEGER : Number(place[1]) * 1e6 + Number(place[2])
}
