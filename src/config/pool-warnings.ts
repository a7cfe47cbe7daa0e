/** What is legal and seldom wise about one pool. */
import { isPrivateListener } from "./schema/address.ts"
import { DEFAULT_NAME } from "./schema/pools.ts"
import type {
  BackendSettings,
  ListenerSettings,
  PoolSettings,
  Settings,
} from "./schema/settings.ts"

/** `loud`: for what a running balancer should say too. */
export type Warn = (loud: boolean, line: string) => void

export function poolWarnings(pool: PoolSettings, settings: Settings, warn: Warn): void {
  const isDefault = pool.name === DEFAULT_NAME
  const at = (key: string): string => (isDefault ? key : `pools.${pool.name}.${key}`)
  if (pool.insecure && !settings.insecure) {
    warn(true, `${at("insecure")}: the certificates of TLS backends are NOT verified`)
  }
  warnAboutBackends(pool, at("backends"), settings.listeners, warn)
  const { sameSite, secure, key } = pool.sticky
  if (pool.strategy === "sticky" && key === null) {
    const lost = "a restart forgets all cookies, and other instances do not know them"
    warn(false, `${at("sticky.key")}: not set, so ${lost}`)
  }
  if (pool.strategy === "sticky" && sameSite === "none" && secure !== "on") {
    // Whether a client came over TLS is told by trusted proxies alone.
    const isTold = settings.listeners.some(
      (each) => each.pool === pool.name && each.trustedProxies.length > 0,
    )
    const never = secure === "off" || !isTold
    const line = `${at("sticky.same_site")}: with none and without sticky.secure on browsers refuse the cookie`
    warn(never, never ? line : `${line} of whoever comes without TLS`)
  }
  const { interval, timeout } = pool.health
  if (timeout > interval) {
    const isShared = interval === settings.health.interval && timeout === settings.health.timeout
    const place = isShared ? "health.timeout" : at("health.timeout")
    warn(false, `${place}: longer than health.interval, a slow backend is probed less often`)
  }
}

function warnAboutBackends(
  { name, backends, strategy }: PoolSettings,
  at: string,
  listeners: readonly ListenerSettings[],
  warn: Warn,
): void {
  const serving = listeners.filter(({ pool }) => pool === name)
  for (const backend of backends) {
    if (!serving.some((listener) => isOwnPort(backend, listener))) continue
    warn(
      true,
      `${at}: ${backend.name} is bunlb's own port, its requests would go round in a circle`,
    )
  }
  const discovered = backends.some(({ discover }) => discover !== undefined)
  if (backends.length === 1 && !discovered)
    warn(false, `${at}: only one, nothing can take over when it fails`)
  if (backends.length > 0 && backends.every(({ duty }) => duty !== undefined)) {
    warn(true, `${at}: all say drain or disabled, so nobody serves`)
  }
  if (backends.length > 1 && backends.every((backend) => backend.backup)) {
    warn(false, `${at}: all are backups, so none is`)
  }
  if (strategy === "round_robin" || strategy === "random") {
    const only = `count only with strategy weighted or sticky, not ${strategy}`
    if (backends.some(({ weight }) => weight !== 1)) warn(false, `${at}: weights ${only}`)
    const srv = backends.some(({ discover }) => discover === "srv")
    if (srv) warn(false, `${at}: the weights of SRV records ${only}`)
  }
}

/** What can be told without asking for the addresses of this machine or of a name. */
function isOwnPort(backend: BackendSettings, listener: ListenerSettings): boolean {
  if ("path" in listener || listener.port === 0 || backend.port !== listener.port) return false
  const { host } = listener
  const isLocal = backend.host === "localhost" || isPrivateListener(backend.host)
  const isEverywhere = host === "" || host === "0.0.0.0" || host === "::"
  return backend.host === host || (isLocal && (isEverywhere || isPrivateListener(host)))
}
