/**
 * `bunlb check`: says whether `run` with the same words would start, and what is unwise about it.
 * With `--print` it shows what would be in force, and who said so.
 */
import { accessSync, constants, statSync } from "node:fs"
import { dirname } from "node:path"
import { formatHostPort } from "../config/schema/address.ts"
import { formatAdmin } from "../config/schema/admin-address.ts"
import { formatListen } from "../config/schema/listen-address.ts"
import { backendLabel, poolsInWords } from "../config/schema/pools.ts"
import type { BackendSettings, PoolSettings, Settings } from "../config/schema/settings.ts"
import { effectiveConfiguration, effectiveValues } from "../config/effective.ts"
import { hasBackend, noBackend } from "../config/no-backend.ts"
import { boolean } from "../config/schema/value-types.ts"
import { warningsAbout } from "../config/warnings.ts"
import { readAllAuthorities } from "../net/tls/authorities.ts"
import { BunlbError } from "../core/errors.ts"
import { fileFault } from "../core/file-fault.ts"
import { faultOf, isGiven } from "../worker/log-destination.ts"
import { command } from "./command.ts"
import type { Flag, Typed } from "./flags.ts"
import { jsonOption, printJson } from "./json.ts"
import type { Terminal } from "./terminal.ts"
import { askedSettings, settingFlags, type Asked } from "./setting-flags.ts"

const printFlag: Flag<boolean> = {
  name: "print",
  type: boolean,
  group: "Checking",
  help: "Print every setting with its value and where that was said",
  defaultText: "false",
}

export const check = command({
  name: "check",
  description: "Check a configuration without starting",
  usage: "check [-c FILE] [--print] [--json] [flags of run]",
  flags: [...settingFlags, printFlag, { ...jsonOption, group: "Checking" }],
  everyday: ["config", "print", "json"],
  examples: ["bunlb check -c bunlb.yaml", "BUNLB_PORT=81 bunlb check -c bunlb.yaml --print"],
  async run(typed, terminal) {
    if (typed.values.get(jsonOption.name) === true) return await tellJson(typed, terminal)
    const asked = await judged(typed, terminal)
    const warning = terminal.paintComplaint("yellow", "warning:")
    for (const { line } of warningsAbout(asked.settings, terminal.machine)) {
      terminal.complain(`${warning} ${line}`)
    }
    const print = typed.values.get(printFlag.name) === true
    terminal.out(
      print
        ? effectiveConfiguration(asked)
        : `${terminal.paint("green", "ok:")} ${summary(asked.settings)}`,
    )
    return 0
  },
})

/** Throws `BunlbError` with every fault. */
async function judged(typed: Typed, terminal: Terminal): Promise<Asked> {
  const asked = await askedSettings(typed, terminal)
  const { settings, file } = asked
  if (!hasBackend(settings)) throw noBackend(file, "bunlb check")
  const lines = settings.pools.flatMap((pool) =>
    pool.backends.flatMap((each) => caFault(pool, each) ?? []),
  )
  if (lines.length > 0) throw new BunlbError("BUNLB_E_CA_FILE", lines.join("\n"))
  refuseLog(settings.accessLog)
  return asked
}

async function tellJson(typed: Typed, terminal: Terminal): Promise<number> {
  try {
    const asked = await judged(typed, terminal)
    const warnings = warningsAbout(asked.settings, terminal.machine).map(({ line }) => line)
    printJson(terminal, { ok: true, errors: [], warnings, settings: effectiveValues(asked) })
    return 0
  } catch (error) {
    if (!(error instanceof BunlbError)) throw error
    printJson(terminal, { ok: false, errors: error.message.split("\n"), warnings: [] })
    return error.exitCode
  }
}

function caFault(pool: PoolSettings, { name, ca }: BackendSettings): string | null {
  if (ca === null) return null
  try {
    readAllAuthorities([{ backends: [{ tls: true, ca }], insecure: false }])
    return null
  } catch (error) {
    return `backend ${backendLabel(pool.name, name)}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** The file may be made by `run`, the folder may not. */
function refuseLog({ format, path }: Settings["accessLog"]): void {
  if (format === "off" || isGiven(path)) return
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    const fault = found === undefined ? null : faultOf(found)
    if (fault !== null) throw Object.assign(new Error(fault), { code: fault })
    accessSync(found === undefined ? dirname(path) : path, constants.W_OK)
  } catch (error) {
    const fault = fileFault(error)
    throw new BunlbError("BUNLB_E_ACCESS_LOG", `access log ${path}: cannot be written: ${fault}`)
  }
}

function summary({ listeners, pools, mode, workers, admin }: Settings): string {
  const { backends, strategies } = poolsInWords(pools)
  const places = listeners.map((each) =>
    "path" in each ? formatListen(each) : `port ${formatHostPort(each.host, each.port)}`,
  )
  const processes =
    mode === "sp" ? "single process" : workers === 1 ? "1 worker" : `${workers} workers`
  const figures = admin === null ? "admin off" : `admin ${formatAdmin(admin)}`
  return `${backends}, ${strategies}, ${processes}, ${places.join(", ")}, ${figures}`
}
