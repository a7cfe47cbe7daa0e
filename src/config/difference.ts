/**
 * What another configuration would change, and which of it a running bunlb can take over: nearly all. What it cannot
 * is named, never ignored.
 */
import { camelCase } from "./resolve.ts"
import { settingRows } from "./schema/schema.ts"
import { addressOf } from "./schema/pools.ts"
import type { BackendSettings, Settings } from "./schema/settings.ts"

export interface Difference {
  /** One line for each thing that would change at once. */
  readonly changes: readonly string[]
  /** One line for each thing that waits, and for what. */
  readonly restart: readonly string[]
}

/** `asked`, with the values of `running` for all that waits. `held`: a service manager holds the listening sockets. */
export function withoutRestart(running: Settings, asked: Settings, held: boolean): Settings {
  const { mode, dns, logOutput, sockets, host, port } = running
  const fixed = { mode, dns, logOutput, ...(mode === "sp" && { sockets }) }
  if (!held) return { ...asked, ...fixed }
  const listeners = asked.listeners.map((each) => {
    const same = running.listeners.find(({ name }) => name === each.name)
    return same === undefined ? each : { ...each, ...addressOf(same) }
  })
  return { ...asked, ...fixed, host, port, listeners }
}

export function differenceOf(running: Settings, asked: Settings, held: boolean): Difference {
  const changes = backendChanges(running.backends, asked.backends)
  const restart: string[] = []
  for (const { key, setting } of settingRows) {
    if (key === "backends") continue
    const [before, after] = [valueOf(running, key), valueOf(asked, key)]
    if (isSame(before, after)) continue
    const shown = (value: unknown): string =>
      setting.secret && value !== null ? "***" : setting.type.format(value)
    const line = `${key}: ${shown(before)} -> ${shown(after)}`
    const ofProcess = ["mode", "log_output"].includes(key) || key.startsWith("dns.")
    if (ofProcess || (key === "sockets" && running.mode === "sp"))
      restart.push(`${line} needs \`bunlb upgrade\` or a restart`)
    else if (held && (key === "host" || key === "port")) {
      restart.push(`${line} is for the service manager to do, which holds the socket`)
    } else changes.push(line)
  }
  return { changes, restart }
}

function backendChanges(
  before: readonly BackendSettings[],
  after: readonly BackendSettings[],
): string[] {
  const old = new Map(before.map((backend) => [backend.name, backend]))
  const fresh = new Map(after.map((backend) => [backend.name, backend]))
  const lines: string[] = []
  for (const [name, backend] of fresh) {
    const was = old.get(name)
    if (was === undefined) lines.push(`backend ${name}: added${suffix(backend)}`)
    else if (!isSame(was, backend)) lines.push(`backend ${name}: ${optionChanges(was, backend)}`)
  }
  for (const name of old.keys()) if (!fresh.has(name)) lines.push(`backend ${name}: removed`)
  return lines
}

function optionChanges(before: BackendSettings, after: BackendSettings): string {
  const keys = ["weight", "backup", "tls", "ca", "duty"] as const
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key} ${before[key] ?? "none"} -> ${after[key] ?? "none"}`)
    .join(", ")
}

function suffix({ tls, weight, backup }: BackendSettings): string {
  const words = [tls ? "tls" : "", weight === 1 ? "" : `weight ${weight}`, backup ? "backup" : ""]
  const said = words.filter((word) => word !== "")
  return said.length === 0 ? "" : ` (${said.join(", ")})`
}

/** `health.same_site` is `settings.health.sameSite`. */
function valueOf(settings: Settings, key: string): unknown {
  let value: unknown = settings
  for (const word of key.split(".").map(camelCase)) {
    value = (value as Readonly<Record<string, unknown>>)[word]
  }
  return value
}

function isSame(some: unknown, other: unknown): boolean {
  return JSON.stringify(some) === JSON.stringify(other)
}
