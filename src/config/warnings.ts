/** What is legal and seldom wise: said by `check` and at start, never refused. */
import { isPrivateListener } from "./schema/address.ts"
import type { BackendSettings, Settings } from "./schema/settings.ts"
import type { Machine } from "./schema/setting.ts"

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
  const { admin, backends, port, workers } = settings
  if (settings.insecure) {
    warn(true, "insecure: the certificates of TLS backends are NOT verified")
  }
  const everyone = settings.trustedProxies.filter((network) => /^[^/]+\/0$/.test(network))
  if (everyone.length > 0) {
    warn(true, `trusted_proxies: with ${everyone.join(" and ")} any client can forge its address`)
  }
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
  for (const { name } of backends.filter((backend) => isOwnPort(backend, settings))) {
    warn(true, `backends: ${name} is bunlb's own port, its requests would go round in a circle`)
  }
  const discovered = backends.some(({ discover }) => discover !== undefined)
  if (backends.length === 1 && !discovered)
    warn(false, "backends: only one, nothing can take over when it fails")
  if (backends.length > 0 && backends.every(({ duty }) => duty !== undefined)) {
    warn(true, "backends: all say drain or disabled, so nobody serves")
  }
  if (backends.length > 1 && backends.every((backend) => backend.backup)) {
    warn(false, "backends: all are backups, so none is")
  }
  const { strategy } = settings
  if (strategy === "round_robin" || strategy === "random") {
    const only = `count only with strategy weighted or sticky, not ${strategy}`
    if (backends.some(({ weight }) => weight !== 1)) warn(false, `backends: weights ${only}`)
    const srv = backends.some(({ discover }) => discover === "srv")
    if (srv) warn(false, `backends: the weights of SRV records ${only}`)
  }
  const { sameSite, secure, key } = settings.sticky
  if (strategy === "sticky" && key === null) {
    const lost = "a restart forgets all cookies, and other instances do not know them"
    warn(false, `sticky.key: not set, so ${lost}`)
  }
  if (strategy === "sticky" && sameSite === "none" && secure !== "on") {
    // Whether a client came over TLS is told by trusted proxies alone.
    const never = secure === "off" || settings.trustedProxies.length === 0
    const line =
      "sticky.same_site: with none and without sticky.secure on browsers refuse the cookie"
    warn(never, never ? line : `${line} of whoever comes without TLS`)
  }
  if (settings.mode === "mp" && workers > circumstances.cpus) {
    warn(false, `workers: ${workers} are more than the ${circumstances.cpus} CPUs of this machine`)
  }
  if (port > 0 && port < 1024 && !circumstances.privileged) {
    warn(false, `port: ${port} is privileged, bunlb needs root or CAP_NET_BIND_SERVICE`)
  }
  if (settings.health.timeout > settings.health.interval) {
    warn(false, "health.timeout: longer than health.interval, a slow backend is probed less often")
  }
  return warnings
}

/** What can be told without asking for the addresses of this machine or of a name. */
function isOwnPort(backend: BackendSettings, { host, port }: Settings): boolean {
  if (port === 0 || backend.port !== port) return false
  const isLocal = backend.host === "localhost" || isPrivateListener(backend.host)
  const isEverywhere = host === "0.0.0.0" || host === "::"
  return backend.host === host || (isLocal && (isEverywhere || isPrivateListener(host)))
}
