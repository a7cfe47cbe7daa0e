/** What is legal and seldom wise: said by `check` and at start, never refused. */
import { isPrivateListener } from "./schema/address.ts"
import { DEFAULT_NAME } from "./schema/pools.ts"
import type { Settings } from "./schema/settings.ts"
import type { Machine } from "./schema/setting.ts"
import { poolWarnings, type Warn } from "./pool-warnings.ts"

export interface Warning {
  /** True for what a running balancer should say too: it opens a door or cannot work. */
  readonly loud: boolean
  readonly line: string
}

export interface Circumstances extends Machine {
  /** May bind ports below 1,024. */
  readonly privileged: boolean
}

export function warningsAbout(
  settings: Settings,
  circumstances: Circumstances,
): readonly Warning[] {
  const warnings: Warning[] = []
  const warn = (loud: boolean, line: string): void => void warnings.push({ loud, line })
  const { admin, listeners, mode, pools, workers } = settings
  if (settings.insecure) {
    warn(true, "insecure: the certificates of TLS backends are NOT verified")
  }
  warnAboutTrust(settings, warn)
  if (admin !== null && "host" in admin && !isPrivateListener(admin.host)) {
    warn(
      true,
      `admin: ${admin.host} is not a loopback address, whoever reaches it sees all figures` +
        (settings.adminToken === null ? "; without admin_token nothing can be changed there" : ""),
    )
  }
  const quiet = settings.logLevel === "err" || settings.logLevel === "warn"
  if ((settings.trace || settings.tlsTrace) && quiet) {
    warn(true, `trace: shows nothing at log_level ${settings.logLevel}, use info`)
  }
  for (const pool of pools) {
    poolWarnings(pool, settings, warn)
    const isUsed = listeners.some((each) => each.pool === pool.name)
    const at = pool.name === DEFAULT_NAME ? "backends" : `pools.${pool.name}`
    if (!isUsed)
      warn(false, `${at}: no listener names the pool ${pool.name}, so it gets no requests`)
  }
  if (mode === "mp" && workers > circumstances.cpus) {
    warn(false, `workers: ${workers} are more than the ${circumstances.cpus} CPUs of this machine`)
  }
  for (const listener of listeners) {
    const port = "port" in listener ? listener.port : 0
    if (port === 0 || port >= 1024 || circumstances.privileged) continue
    const at = listener.name === DEFAULT_NAME ? "port" : `listeners.${listener.name}`
    warn(false, `${at}: ${port} is privileged, bunlb needs root or CAP_NET_BIND_SERVICE`)
  }
  // What many pools have from the top level is told once.
  return warnings.filter(({ line }, at) => warnings.findIndex((each) => each.line === line) === at)
}

/** The top level and every listener with a list of its own. */
function warnAboutTrust({ trustedProxies, listeners }: Settings, warn: Warn): void {
  const lists = new Map([[JSON.stringify(trustedProxies), "trusted_proxies"]])
  for (const { name, trustedProxies: own } of listeners) {
    const key = JSON.stringify(own)
    if (!lists.has(key)) lists.set(key, `listeners.${name}.trusted_proxies`)
  }
  for (const [list, at] of lists) {
    const networks = JSON.parse(list) as readonly string[]
    const everyone = networks.filter((network) => /^[^/]+\/0$/.test(network))
    if (everyone.length === 0) continue
    warn(true, `${at}: with ${everyone.join(" and ")} any client can forge its address`)
  }
}
