/**
 * Listeners and pools, made of flat settings: those of a whole file for the ones named `default`, those of a file with
 * the words of one record over them for all others.
 */
import type {
  BackendSettings,
  FlatSettings,
  ListenAddress,
  ListenerSettings,
  PoolSettings,
  Settings,
  StickySettings,
} from "./settings.ts"

/** What a listener and a pool are called that no one has named. */
export const DEFAULT_NAME = "default"

/** How a backend is known to people, in logs and in figures: with its pool, unless that is the default one. */
export function backendLabel(pool: string, backend: string): string {
  return pool === DEFAULT_NAME ? backend : `${pool}/${backend}`
}

const LABEL = /^(?:([a-z0-9][a-z0-9_-]*)\/)?(.*)$/s

/** The two parts of what people write for a backend; no backend's name begins like `POOL/`. */
export function splitLabel(label: string): { readonly pool: string | null; readonly name: string } {
  const [, pool = null, name = ""] = LABEL.exec(label) ?? []
  return { pool, name }
}

/** Whether `word` means the backend: `HOST:PORT` means it in all pools, `POOL/HOST:PORT` in one. */
export function isMeant(word: string, label: string): boolean {
  const [asked, own] = [splitLabel(word), splitLabel(label)]
  const sameName = asked.name === own.name
  return sameName && (asked.pool === null || asked.pool === (own.pool ?? DEFAULT_NAME))
}

/** A backend in its pool: one address in two pools is two of them. */
export interface PoolBackend {
  readonly pool: string
  /** As `backendLabel` says it. */
  readonly label: string
  readonly backend: BackendSettings
}

/** Pools, as far as their backends matter. */
export interface Pooled {
  readonly pools: readonly Pick<PoolSettings, "name" | "backends">[]
}

/** The backends of all pools, pool by pool. */
export function allBackends({ pools }: Pooled): readonly PoolBackend[] {
  return pools.flatMap(({ name: pool, backends }) =>
    backends.map((backend) => ({ pool, label: backendLabel(pool, backend.name), backend })),
  )
}

/** The pools that some listener sends requests to. */
export function usedPools({ listeners, pools }: Settings): readonly PoolSettings[] {
  return pools.filter(({ name }) => listeners.some(({ pool }) => pool === name))
}

/** `5 backends in 2 pools`, and their strategies: `random and sticky`. */
export function poolsInWords(pools: readonly PoolSettings[]): {
  readonly backends: string
  readonly strategies: string
} {
  const count = pools.reduce((sum, { backends }) => sum + backends.length, 0)
  const several = pools.length === 1 ? "" : ` in ${pools.length} pools`
  const strategies = new Set(pools.map(({ strategy }) => strategy))
  return {
    backends: `${count === 1 ? "1 backend" : `${count} backends`}${several}`,
    strategies: [...strategies].join(" and "),
  }
}

/** `flat` with its one listener and its one pool. */
export function withDefaults(flat: FlatSettings): Settings {
  const { host, port } = flat
  return {
    ...flat,
    listeners: [listenerOf(DEFAULT_NAME, ownOfListener({ host, port }), flat)],
    pools: [poolOf(DEFAULT_NAME, flat)],
  }
}

/** `settings` with each pool changed; the flat backends are those of the default pool. */
export function mapPools(
  settings: Settings,
  change: (pool: PoolSettings) => PoolSettings,
): Settings {
  const pools = settings.pools.map(change)
  const main = pools.find(({ name }) => name === DEFAULT_NAME)
  return { ...settings, backends: main?.backends ?? settings.backends, pools }
}

/** `settings` with other backends in one pool. */
export function withBackends(
  settings: Settings,
  name: string,
  backends: readonly BackendSettings[],
): Settings {
  return mapPools(settings, (pool) => (pool.name === name ? { ...pool, backends } : pool))
}

/** `settings` with this key for the sticky cookies of the pools that have none. */
export function withStickyKey(settings: Settings, random: string): Settings {
  const keyed = (sticky: StickySettings): StickySettings => ({
    ...sticky,
    key: sticky.key ?? random,
  })
  const mapped = mapPools(settings, (pool) => ({ ...pool, sticky: keyed(pool.sticky) }))
  return { ...mapped, sticky: keyed(settings.sticky) }
}

/** What is said of a listener and has no default at the top level. */
interface OwnOfListener {
  readonly address: ListenAddress
  readonly pool: string
  readonly socketMode: number | null
}

export function ownOfListener(
  address: ListenAddress,
  pool = DEFAULT_NAME,
  socketMode: number | null = null,
): OwnOfListener {
  return { address, pool, socketMode }
}

/** `flat`: with the words of the listener over them. */
export function listenerOf(
  name: string,
  { address, pool, socketMode }: OwnOfListener,
  flat: FlatSettings,
): ListenerSettings {
  const { halfClose, trustedProxies, forwarded, forwardedKeep, requestId, via } = flat
  const { clientHead, clientIdle, clientBody, clientRead } = flat.timeouts
  const { responseHeadBytes: _, ...limits } = flat.limits
  const settings = { halfClose, trustedProxies, forwarded, forwardedKeep, requestId, via }
  return {
    ...address,
    ...{ name, pool, socketMode },
    ...settings,
    timeouts: { clientHead, clientIdle, clientBody, clientRead },
    limits,
    keepalive: { client: flat.keepalive.client },
  }
}

/** `flat`: with the words of the pool over them. */
export function poolOf(name: string, flat: FlatSettings): PoolSettings {
  const { backends, strategy, whenAllUnhealthy, hostHeader, insecure, weakCertificates } = flat
  const { connect, tlsHandshake, responseHead, backendBody, poolIdle, tunnelIdle } = flat.timeouts
  return {
    ...{ name, backends, strategy, whenAllUnhealthy, hostHeader, insecure, weakCertificates },
    health: flat.health,
    sticky: flat.sticky,
    timeouts: { connect, tlsHandshake, responseHead, backendBody, poolIdle, tunnelIdle },
    limits: { responseHeadBytes: flat.limits.responseHeadBytes },
    keepalive: { backend: flat.keepalive.backend },
    connections: flat.pool,
    retries: flat.retries,
  }
}

/** The address of a listener and nothing else. */
export function addressOf(listener: ListenAddress): ListenAddress {
  if ("path" in listener) return { path: listener.path }
  return { host: listener.host, port: listener.port }
}
