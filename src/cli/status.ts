/**
 * `bunlb status`: the backends and workers of a running bunlb as a table, or the JSON that it comes
 * from.
 */
import type { Settings } from "../config/schema/settings.ts"
import { boolean } from "../config/schema/value-types.ts"
import type { Discovered } from "../master/figures/discovered.ts"
import type { FleetStatus, ListenerStatus, WorkerStatus } from "../master/figures/status.ts"
import { BunlbError } from "../core/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { byPool, withHeadings } from "./by-pool.ts"
import { command } from "./command.ts"
import { readOptions, usageError, type OptionsOf } from "./flags.ts"
import { painter, type Paint, type Style } from "../observe/colour.ts"
import { jsonOption } from "./json.ts"
import { age } from "./numbers.ts"
import { table, type TableColours } from "./table.ts"
import { watchStatus } from "./watch.ts"

interface StatusOptions {
  readonly admin: Settings["admin"]
  readonly json: boolean
  readonly watch: boolean
}

const options: OptionsOf<StatusOptions> = {
  admin: adminOption,
  json: { ...jsonOption, help: "The answer of /api/v1/status as it is" },
  watch: {
    name: "watch",
    type: boolean,
    group: "Flags",
    help: "Go on showing it, with rates and latencies, until q or Ctrl-C",
    default: false,
    defaultText: "false",
  },
}

export const status = command({
  name: "status",
  description: "Show the backends and workers of a running bunlb",
  usage: "status [--admin ADDRESS] [--json | --watch]",
  flags: Object.values(options),
  async run(typed, terminal) {
    const { admin, json, watch } = readOptions(typed, options)
    if (json && watch) throw usageError("--json and --watch exclude each other")
    if (watch) return await watchStatus(admin)
    const answer = await askAdmin(admin, "/api/v1/status")
    const fleet = readStatus(answer.status, answer.body)
    terminal.out(
      json ? JSON.stringify(fleet, null, 2) : statusPage(fleet, Date.now(), terminal.paint),
    )
    return 0
  },
})

/** Only asks for what is needed to tell bunlb from something else at that address. */
function readStatus(code: number, body: string): FleetStatus {
  try {
    const read: unknown = JSON.parse(body)
    const known = read !== null && typeof read === "object" && "backends" in read
    if (code === 200 && known) return read as FleetStatus
  } catch {
    // Not JSON: said below.
  }
  const message = `the admin address answered ${code} and no status: is it bunlb's?`
  throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", message)
}

/** `now` is the wall clock. */
export function statusPage(fleet: FleetStatus, now: number, paint: Paint = painter(false)): string {
  const colours: TableColours = { paint, style: styleOf }
  const state = fleet.draining ? ", draining" : ""
  const sockets = fleet.sockets === "bun" ? ", sockets of Bun" : ""
  const up = `up ${age(fleet.uptime)}${state}`
  const head = `bunlb ${fleet.version}, ${placeOf(fleet)}${sockets}, ${up}`
  const byHand = (fleet.byHand ?? []).map((line) => `by hand, in no file: ${line}`)
  return [
    paint("bold", head),
    ...byHand,
    ...(fleet.discovered ?? []).map(discoveredLine),
    "",
    ...listenerTable(fleet.listeners ?? [], colours),
    backendTable(fleet, now, colours),
    "",
    workerTable(fleet.workers, colours),
  ].join("\n")
}

function placeOf({ port, listeners = [] }: FleetStatus): string {
  const [first] = listeners
  if (listeners.length > 1) return `${listeners.length} listeners`
  return first === undefined || first.port !== null ? `port ${port}` : first.address
}

/** A single one is told of in the head. */
function listenerTable(listeners: readonly ListenerStatus[], colours: TableColours): string[] {
  if (listeners.length < 2) return []
  const rows = listeners.map(({ name, address, port, pool, clients }) => [
    ...[name, address, port ?? "-", pool, clients],
  ])
  return [table(["LISTENER", "ADDRESS", "PORT", "POOL", "CLIENTS"], rows, [], colours), ""]
}

function discoveredLine({ name, members, stale }: Discovered): string {
  const count = members.length === 1 ? "1 backend" : `${members.length} backends`
  return stale === "" ? `${name}: ${count}` : `${name}: ${count}, does not resolve (${stale})`
}

function backendTable(fleet: FleetStatus, now: number, colours: TableColours): string {
  const head = "BACKEND STATE SINCE WEIGHT ACTIVE IDLE REQUESTS FAILURES REASON".split(" ")
  const groups = byPool(fleet)
  const backends = groups.flatMap(({ places }) => places.flatMap((at) => fleet.backends[at] ?? []))
  const rows = backends.map((backend) => [
    backend.name + (backend.tls ? " tls" : "") + (backend.backup ? " backup" : ""),
    backend.state === "degraded"
      ? `degraded ${backend.healthyWorkers}/${backend.workers}`
      : backend.state,
    backend.since === null ? "-" : age(now - backend.since),
    backend.weight,
    backend.active,
    backend.idle,
    backend.requests,
    backend.failures,
    backend.reason,
  ])
  const lines = table(head, rows, [], colours).split("\n")
  return withHeadings(lines, groups, (text) => colours.paint("bold", text)).join("\n")
}

function workerTable(workers: readonly WorkerStatus[], colours: TableColours): string {
  const head = ["WORKER", "PID", "STATE", "UP", "CLIENTS", "IN FLIGHT", "RESTARTS"]
  const rows = workers.map((worker) => [
    String(worker.index),
    worker.pid ?? "-",
    worker.state,
    age(worker.uptime),
    worker.clients,
    worker.inFlight,
    worker.restarts,
  ])
  return table(head, rows, [], colours)
}

/** Green for what serves, red for what does not though it should, yellow for what is on its way. */
const styles: Readonly<Record<string, Style>> = {
  ...{ up: "green", serving: "green" },
  ...{ degraded: "yellow", draining: "yellow", starting: "yellow" },
  ...{ down: "red", disabled: "dim" },
}

function styleOf(column: string, cell: string): Style | null {
  return column === "STATE" ? (styles[cell.split(" ")[0] ?? ""] ?? null) : null
}
